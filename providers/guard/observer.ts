/**
 * Watches a platform from outside while a run is under way and keeps what the checker needs. It only reads.
 *
 * Not for: steering the run, and not for metrics; it keeps changes, not curves.
 *
 * Invariants
 * 1. A failing read loses a sample, never the run: errors are counted, not thrown.
 * 2. Of equal samples in a row only the first and the last are kept.
 */
import type { HostUpdateSpec, Replica, Service } from "../../sdk/model";
import { asReplica } from "../../sdk/model";
import type { Clock } from "../clock";
import type { Platform } from "../drivers/contracts";
import type { LeaseStore } from "../journal/run-store";
import type {
  AvailabilitySample,
  LeaseSample,
  LoadSample,
  Observations,
  PauseObservation,
  PlatformState,
  ServingCopy,
} from "./observations";

/** What to watch, and how often. */
export interface ObserverOptions {
  readonly platform: Platform;
  readonly clock: Clock;
  /** Time between two samples. */
  readonly everyMs: number;
  /**
   * Samples from one question to all hosts to the next; in between only the switch is asked, which knows who serves.
   * Asking every host every time costs the workloads beside the agents CPU.
   * @default 1
   */
  readonly hostsEvery?: number;
  /** Its abort ends the watch with a last sample. */
  readonly signal: AbortSignal;
  /** Asked on every host at the end, so that half-done hosts are found. */
  readonly probe?: Pick<HostUpdateSpec["update"], "probe" | "expect">;
  /** Leases to watch, where the store is at hand. */
  readonly leases?: { readonly store: LeaseStore; readonly resources: readonly string[] };
  /** Share of each host's CPU that the islands of the run have. @default 1 */
  readonly cpuShare?: number;
}

/** What was observed, and how well. */
export interface ObserverResult extends Observations {
  readonly samples: number;
  /** Samples without an answer. */
  readonly missed: number;
}

/** Longest time for one look at the platform. */
const LOOK_TIMEOUT_MS = 10_000;

/** Watches until the signal aborts. Never throws. */
export async function observeContinuously(options: ObserverOptions): Promise<ObserverResult> {
  const { clock, everyMs, signal } = options;
  const watch = new Watch(options);
  const hostsEvery = options.hostsEvery ?? 1;
  for (let turn = 0; !signal.aborted; turn += 1) {
    await watch.look(turn % hostsEvery === 0);
    await clock.sleep(everyMs, signal);
  }
  await watch.look(true);
  return watch.finish();
}

/** A service whose requests are held, as it was seen. */
interface Parking {
  readonly token: string;
  readonly sinceMs: number;
  readonly lastMs: number;
}

class Watch {
  private readonly availability: AvailabilitySample[] = [];
  private readonly loads: LoadSample[] = [];
  private readonly pauses: PauseObservation[] = [];
  private readonly leases: LeaseSample[] = [];
  private first: PlatformState | undefined;
  private last: PlatformState | undefined;
  private samples = 0;
  private missed = 0;
  /** Where each replica was seen last, for those whose agent does not answer now. */
  private readonly known = new Map<string, Replica>();
  /** Workloads that were ever seen behind the switch. */
  private readonly switched = new Set<string>();
  /** Latest sample of each workload that is not kept yet. */
  private readonly pending = new Map<string, AvailabilitySample>();
  private readonly parkings = new Map<string, Parking>();
  private readonly leaseText = new Map<string, string>();

  constructor(private readonly options: ObserverOptions) {}

  /** @param asksHosts false: hosts and copies are taken as they were last seen */
  async look(asksHosts: boolean): Promise<void> {
    const isFresh = asksHosts || !this.last;
    const state = await this.read((signal) => this.readState(signal, isFresh ? undefined : this.last));
    if (!state) {
      this.missed += 1;
      return;
    }
    // A copy that is new at the switch: only its host tells what it is a copy of.
    if (!isFresh && this.hasUnknownBackend(state)) {
      await this.look(true);
      return;
    }
    this.samples += 1;
    this.first ??= state;
    this.last = state;
    for (const replica of allOf(state)) this.known.set(replica.id, replica);
    for (const service of state.services) this.noteService(service, state.atMs);
    for (const workload of new Set([...this.known.values()].map((replica) => replica.workload))) {
      this.noteAvailability({ atMs: state.atMs, workload, serving: this.findServing(workload, state, isFresh) });
    }
    if (isFresh) await this.noteLoads(state);
    await this.noteLeases(state.atMs);
  }

  async finish(): Promise<ObserverResult> {
    for (const sample of this.pending.values()) this.availability.push(sample);
    this.availability.sort((a, b) => a.atMs - b.atMs);
    const probes = this.last && (await this.probeHosts(this.last));
    const last = this.last && { ...this.last, ...(probes ? { probes } : {}) };
    const { availability, loads, pauses, leases, first, samples, missed } = this;
    return {
      availability,
      loads,
      pauses,
      effects: [],
      leases,
      samples,
      missed,
      ...(first ? { first } : {}),
      ...(last ? { last } : {}),
    };
  }

  private async readState(signal: AbortSignal, known: PlatformState | undefined): Promise<PlatformState> {
    const { platform, clock } = this.options;
    const atMs = clock.now();
    if (known) return { ...known, atMs, services: await platform.traffic.observe(signal) };
    const [hosts, replicas, endpoints, services] = await Promise.all([
      platform.hosts.list(signal),
      platform.workloads.list(signal),
      platform.functions?.list(signal),
      platform.traffic.observe(signal),
    ]);
    return { atMs, hosts, replicas, services, ...(endpoints ? { endpoints } : {}) };
  }

  private hasUnknownBackend({ services }: PlatformState): boolean {
    return services.some(({ backends }) => backends.some(({ replica }) => !this.known.has(replica)));
  }

  /** @param isFresh false: what hosts say of copies behind the switch is older than what the switch says */
  private findServing(workload: string, state: PlatformState, isFresh: boolean): readonly ServingCopy[] {
    const listed = new Map(isFresh ? allOf(state).map((replica) => [replica.id, replica]) : []);
    if (!this.switched.has(workload)) {
      return state.replicas
        .filter((replica) => replica.workload === workload && replica.state === "healthy")
        .map((replica) => ({ replica: replica.id, host: replica.host }));
    }
    return state.services.flatMap((service) =>
      servingBackends(service).flatMap((id): readonly ServingCopy[] => {
        // A copy whose agent does not answer may serve all the same: the switch knows.
        const replica = listed.get(id) ?? this.known.get(id);
        const isServing = replica?.workload === workload && (listed.get(id)?.state ?? "healthy") === "healthy";
        return isServing ? [{ replica: id, host: replica.host }] : [];
      }),
    );
  }

  private noteAvailability(sample: AvailabilitySample): void {
    const { workload } = sample;
    const kept = this.availability.findLast((other) => other.workload === workload);
    if (kept && isSame(kept, sample)) {
      this.pending.set(workload, sample);
      return;
    }
    const pending = this.pending.get(workload);
    if (pending) this.availability.push(pending);
    this.pending.delete(workload);
    this.availability.push(sample);
  }

  private noteService(service: Service, atMs: number): void {
    const workloads = service.backends.flatMap((backend) => this.known.get(backend.replica)?.workload ?? []);
    for (const workload of workloads) this.switched.add(workload);
    const known = this.parkings.get(service.name);
    const token = service.parked?.token;
    if (known?.token === token) {
      if (known) this.parkings.set(service.name, { ...known, lastMs: atMs });
      return;
    }
    if (token === undefined) this.parkings.delete(service.name);
    else this.parkings.set(service.name, { token, sinceMs: atMs, lastMs: atMs });
    const [workload] = workloads;
    if (!known || workload === undefined) return;
    // A lower bound: it was parked at every look in between. Another token is another hand-over, and another pause.
    this.pauses.push({ atMs: known.sinceMs, workload, pauseMs: known.lastMs - known.sinceMs });
  }

  private async noteLoads(state: PlatformState): Promise<void> {
    const { sampler } = this.options.platform;
    if (!sampler) return;
    const usage = await this.read((signal) => sampler.usageSince(state.atMs - LOAD_WINDOW_MS, signal));
    const byHost = new Map<string, number>();
    for (const { host, cpuMillis } of usage ?? []) {
      const latest = cpuMillis.findLast((value) => value !== null) ?? 0;
      byHost.set(host, (byHost.get(host) ?? 0) + latest);
    }
    for (const host of state.hosts) {
      const cpuMillis = byHost.get(host.id);
      const capacityCpuMillis = host.capacity.cpuMillis * (this.options.cpuShare ?? 1);
      const before = this.loads.findLast((load) => load.host === host.id);
      const wasOver = before !== undefined && before.cpuMillis > before.capacityCpuMillis;
      // Only crossings of the capacity are kept.
      if (cpuMillis === undefined || cpuMillis > capacityCpuMillis === wasOver) continue;
      this.loads.push({ atMs: state.atMs, host: host.id, cpuMillis, capacityCpuMillis });
    }
  }

  private async noteLeases(atMs: number): Promise<void> {
    const { leases } = this.options;
    for (const resource of leases?.resources ?? []) {
      const lease = await this.read(() => leases?.store.inspect(resource) ?? Promise.resolve(undefined));
      if (!lease) continue;
      const text = `${lease.owner} ${String(lease.epoch)}`;
      if (this.leaseText.get(resource) === text) continue;
      this.leaseText.set(resource, text);
      this.leases.push({ atMs, resource, owner: lease.owner, epoch: lease.epoch });
    }
  }

  private async probeHosts(state: PlatformState): Promise<Readonly<Record<string, string>> | undefined> {
    const { probe, platform } = this.options;
    if (!probe) return undefined;
    const ready = state.hosts.filter((host) => host.state === "ready");
    const outputs = await Promise.all(
      ready.map(async (host) => {
        const result = await this.read((signal) => platform.hosts.probe(host.id, probe.probe, probe.expect, signal));
        return [host.id, result?.output] as const;
      }),
    );
    return Object.fromEntries(
      outputs.flatMap(([host, output]): readonly (readonly [string, string])[] =>
        output === undefined ? [] : [[host, output]],
      ),
    );
  }

  /** A read with a bound in time; undefined when it fails. */
  private async read<T>(call: (signal: AbortSignal) => Promise<T>): Promise<T | undefined> {
    const over = new AbortController();
    const answered = new AbortController();
    const tooLong = this.options.clock.sleep(LOOK_TIMEOUT_MS, answered.signal).then(() => {
      over.abort();
      return undefined;
    });
    try {
      return await Promise.race([call(over.signal), tooLong]);
    } catch {
      return undefined;
    } finally {
      answered.abort();
    }
  }
}

/** Copies and endpoints. */
function allOf({ replicas, endpoints = [] }: PlatformState): readonly Replica[] {
  return [...replicas, ...endpoints.map(asReplica)];
}

/** Usage is looked at over the last samples of an agent. */
const LOAD_WINDOW_MS = 15_000;

function servingBackends(service: Service): readonly string[] {
  if (service.parked) return [];
  return service.backends
    .filter((backend) => backend.healthy && backend.weight > 0)
    .filter((backend) => !service.exclusive || backend.replica === service.owner)
    .map((backend) => backend.replica);
}

function isSame(a: AvailabilitySample, b: AvailabilitySample): boolean {
  const text = ({ serving }: AvailabilitySample): string =>
    serving
      .map((copy) => `${copy.host}/${copy.replica}`)
      .sort()
      .join(" ");
  return text(a) === text(b);
}
