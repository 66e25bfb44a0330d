/**
 * What the copies on this host use: CPU, memory and disk IO of each process group, once a second, for the last hour.
 *
 * Not for: history beyond the hour (metric sources) and limits.
 */
import type { Clock } from "../clock";
import type { ReplicaUsage } from "../drivers/contracts";
import type { ReplicaReading } from "../metrics/agent-metrics";
import { isRunning, listProcesses, readDiskBytes, readProcess, TICKS_PER_SECOND } from "./process-table";
import type { ReplicaRecord } from "./replica-record";

interface Sample {
  readonly atMs: number;
  readonly cpuMillis: number;
  readonly memoryBytes: number;
  /** NaN where the kernel does not tell. */
  readonly diskBytesPerSecond: number;
}

/** One copy's past and what the next sample needs. */
interface Track {
  readonly replica: string;
  readonly workload: string;
  readonly instance: string;
  readonly samples: Sample[];
  members: readonly number[];
  /** CPU ticks since the copy was first seen; never falls. */
  cpuTicks: number;
  /** Bytes since the copy was first seen; never falls. */
  diskBytes: number;
  last: { readonly atMs: number; readonly cpuTicks: number; readonly diskBytes: number } | undefined;
}

const INTERVAL_MS = 1_000;
const KEPT_MS = 3_600_000;
/** Looking through all of /proc is the dear part; between, the known members are read. */
const MEMBERS_EVERY = 5;
/** The answer's size is bounded whatever is asked. */
const STEPS_LIMIT = 10_000;

/** See the file's header. */
export class Sampler {
  readonly #host: string;
  readonly #records: () => readonly ReplicaRecord[];
  readonly #clock: Clock;
  readonly #tracks = new Map<string, Track>();
  readonly #abort = new AbortController();
  #rounds = 0;

  constructor(host: string, records: () => readonly ReplicaRecord[], clock: Clock) {
    this.#host = host;
    this.#records = records;
    this.#clock = clock;
  }

  /** Samples until `close`. */
  start(): void {
    void this.#run();
  }

  close(): void {
    this.#abort.abort();
  }

  /** Takes one sample of every copy. */
  sample(): void {
    const nowMs = this.#clock.now();
    const live = this.#records().filter((record) => isRunning(record.process));
    const groups = this.#rounds++ % MEMBERS_EVERY === 0 && live.length > 0 ? membersByGroup() : undefined;
    for (const record of live) {
      const pid = record.process?.pid ?? -1;
      const track = this.#trackOf(record);
      if (groups) track.members = groups.get(pid) ?? [pid];
      else if (track.members.length === 0) track.members = [pid];
      const stats = track.members.map(readProcess).filter((stat) => stat !== undefined);
      const cpuTicks = stats.reduce((sum, stat) => sum + stat.cpuTicks, 0);
      const diskBytes = sumOfDiskBytes(track.members);
      if (track.last && nowMs > track.last.atMs) {
        // A member that left takes its ticks along; the sum must not seem to run backwards.
        const seconds = (nowMs - track.last.atMs) / 1000;
        const usedTicks = Math.max(0, cpuTicks - track.last.cpuTicks);
        track.cpuTicks += usedTicks;
        const cpuMillis = (usedTicks / TICKS_PER_SECOND / seconds) * 1000;
        const memoryBytes = stats.reduce((sum, stat) => sum + stat.residentBytes, 0);
        const diskUsed = Math.max(0, diskBytes - track.last.diskBytes);
        if (!Number.isNaN(diskUsed)) track.diskBytes += diskUsed;
        track.samples.push({ atMs: nowMs, cpuMillis, memoryBytes, diskBytesPerSecond: diskUsed / seconds });
      }
      track.last = { atMs: nowMs, cpuTicks, diskBytes };
    }
    this.#forget(nowMs - KEPT_MS);
  }

  /** What each copy that runs now has used so far. */
  totals(): readonly ReplicaReading[] {
    const live = new Set(this.#records().flatMap((record) => (isRunning(record.process) ? [record.instance] : [])));
    return Array.from(this.#tracks.values()).flatMap(({ replica, workload, instance, cpuTicks, diskBytes, samples }) =>
      live.has(instance)
        ? [
            {
              replica,
              workload,
              cpuSeconds: cpuTicks / TICKS_PER_SECOND,
              memoryBytes: samples.at(-1)?.memoryBytes ?? 0,
              diskBytes,
            },
          ]
        : [],
    );
  }

  /** Means per step over [fromMs, toMs) of every copy that was here in that time. */
  read(fromMs: number, toMs: number, stepMs: number): readonly ReplicaUsage[] {
    const steps = Math.min(STEPS_LIMIT, Math.max(0, Math.floor((toMs - fromMs) / stepMs)));
    return Array.from(this.#tracks.values(), ({ replica, workload, samples }) => ({
      replica,
      workload,
      host: this.#host,
      startMs: fromMs,
      stepMs,
      cpuMillis: meansOf(samples, "cpuMillis", fromMs, stepMs, steps),
      memoryBytes: meansOf(samples, "memoryBytes", fromMs, stepMs, steps),
      diskBytesPerSecond: meansOf(samples, "diskBytesPerSecond", fromMs, stepMs, steps),
    })).filter(({ cpuMillis }) => cpuMillis.some((value) => value !== null));
  }

  async #run(): Promise<void> {
    while (!this.#abort.signal.aborted) {
      this.sample();
      await this.#clock.sleep(INTERVAL_MS, this.#abort.signal);
    }
  }

  #trackOf({ spec, instance }: ReplicaRecord): Track {
    const known = this.#tracks.get(instance);
    if (known) return known;
    const track: Track = {
      replica: spec.replica,
      workload: spec.workload,
      instance,
      samples: [],
      members: [],
      cpuTicks: 0,
      diskBytes: 0,
      last: undefined,
    };
    this.#tracks.set(instance, track);
    return track;
  }

  #forget(beforeMs: number): void {
    for (const [id, track] of this.#tracks) {
      const keep = track.samples.findIndex(({ atMs }) => atMs >= beforeMs);
      if (keep > 0) track.samples.splice(0, keep);
      if (keep < 0 && (track.last?.atMs ?? 0) < beforeMs) this.#tracks.delete(id);
    }
  }
}

function membersByGroup(): ReadonlyMap<number, readonly number[]> {
  const groups = new Map<number, number[]>();
  for (const { pid, group } of listProcesses()) {
    const members = groups.get(group);
    if (members) members.push(pid);
    else groups.set(group, [pid]);
  }
  return groups;
}

/** NaN when no member tells. */
function sumOfDiskBytes(members: readonly number[]): number {
  const known = members.map(readDiskBytes).filter((bytes) => bytes !== undefined);
  return known.length === 0 ? Number.NaN : known.reduce((sum, bytes) => sum + bytes, 0);
}

function meansOf(
  samples: readonly Sample[],
  field: "cpuMillis" | "memoryBytes" | "diskBytesPerSecond",
  fromMs: number,
  stepMs: number,
  steps: number,
): (number | null)[] {
  const sums = new Array<number>(steps).fill(0);
  const counts = new Array<number>(steps).fill(0);
  for (const sample of samples) {
    const step = Math.floor((sample.atMs - fromMs) / stepMs);
    if (step < 0 || step >= steps || Number.isNaN(sample[field])) continue;
    sums[step] = (sums[step] ?? 0) + sample[field];
    counts[step] = (counts[step] ?? 0) + 1;
  }
  return sums.map((sum, step) => (counts[step] ? sum / counts[step] : null));
}
