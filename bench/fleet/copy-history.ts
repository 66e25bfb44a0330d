/**
 * Which copies ran where from when to when in a played run, and what follows: how often a workload served with fewer
 * copies than its budget wants, and which islands had a host over its share. Compiled once, replayed for each run.
 *
 * Not for: playing (played-wave.ts).
 */
import type { Fleet } from "../../sdk/model";
import type { DemandSpan } from "./demand-process";
import type { CompiledWave } from "./played-wave";

/** What a step does to copies, as numbers in a row: step, what, stay or workload. */
const BEGINS = 0;
const ENDS = 1;
const SERVES = 2;
const DRAINS = 3;
const FIELDS = 3;

/** Of one wave. */
interface CopyChanges {
  readonly wave: CompiledWave;
  /** `[step, what, subject]` for each change, in the order of the steps. */
  readonly changes: Int32Array;
}

/** Stays of all copies in the run that was replayed last. */
export class CopyHistory {
  private readonly waves: readonly CopyChanges[];
  /** By stay. */
  private readonly works: Int32Array;
  private readonly fromMs: Float64Array;
  private readonly toMs: Float64Array;
  /** Stays by cell, `host * islands + island`, one cell after the other. */
  private readonly cellStart: Int32Array;
  private readonly cellStays: Int32Array;
  private readonly limits: Float64Array;
  private readonly copiesOf: Int32Array;
  private readonly required: Int32Array;
  /** Changes of what serves by workload, one after the other: times, and by how many copies. */
  private readonly servingStart: Int32Array;
  private readonly servingCount: Int32Array;
  private readonly servingMs: Float64Array;
  private readonly servingBy: Int8Array;
  private readonly islands: number;
  private startMs = 0;
  private endMs = 0;

  constructor(
    fleet: Fleet,
    private readonly span: DemandSpan,
    waves: readonly CompiledWave[],
  ) {
    const hostOf = new Map(fleet.hosts.map(({ id }, index) => [id, index]));
    const workOf = new Map(fleet.workloads.map(({ name }, index) => [name, index]));
    const islandOf = new Map(fleet.islands.map(({ name }, index) => [name, index]));
    const stays: { readonly work: number; readonly host: number }[] = [];
    const latest = new Map<string, number>();
    const begin = (replica: string, workload: string, host: string): number => {
      const stay = stays.push({ work: workOf.get(workload) ?? 0, host: hostOf.get(host) ?? 0 }) - 1;
      latest.set(replica, stay);
      return stay;
    };
    for (const { id, workload, host } of fleet.replicas) begin(id, workload, host);
    this.waves = waves.map((wave) => {
      const changes: number[] = [];
      wave.wave.steps.forEach((step, at) => {
        if (step.kind === "start-copy") changes.push(at, BEGINS, begin(step.replica, step.workload, step.host));
        else if (step.kind === "admit") changes.push(at, SERVES, workOf.get(step.workload) ?? 0);
        else if (step.kind === "drain") changes.push(at, DRAINS, workOf.get(step.workload) ?? 0);
        else if (step.kind === "stop-copy") changes.push(at, ENDS, latest.get(step.replica) ?? -1);
        else if (step.kind === "hand-over") {
          changes.push(at, ENDS, latest.get(step.fromReplica) ?? -1);
          changes.push(at, BEGINS, begin(step.toReplica, step.workload, step.toHost));
        }
      });
      return { wave, changes: Int32Array.from(changes) };
    });
    this.islands = fleet.islands.length;
    this.works = Int32Array.from(stays, ({ work }) => work);
    this.fromMs = new Float64Array(stays.length);
    this.toMs = new Float64Array(stays.length);
    this.copiesOf = Int32Array.from(fleet.workloads, ({ copies }) => copies);
    this.required = Int32Array.from(fleet.workloads, ({ exclusive, copies, maxUnavailable }) =>
      exclusive ? 0 : copies - maxUnavailable,
    );
    this.limits = Float64Array.from(
      { length: fleet.hosts.length * this.islands },
      (_, cell) =>
        (fleet.hosts[Math.floor(cell / this.islands)]?.capacity.cpuMillis ?? 0) *
          (fleet.islands[cell % this.islands]?.share.cpu ?? 0) +
        0.5,
    );
    const cells = stays.map(
      ({ work, host }) => host * this.islands + (islandOf.get(fleet.workloads[work]?.island ?? "") ?? 0),
    );
    [this.cellStart, this.cellStays] = groupByNumber(cells, this.limits.length);
    const served = this.waves.flatMap(({ changes }) => subjectsOf(changes, SERVES, DRAINS));
    [this.servingStart] = groupByNumber(served, fleet.workloads.length);
    this.servingCount = new Int32Array(fleet.workloads.length);
    this.servingMs = new Float64Array(served.length);
    this.servingBy = new Int8Array(served.length);
  }

  /** Replays a run: ends of the steps of each wave, ms since the epoch. */
  replay(ends: readonly Float64Array[], startMs: number, endMs: number): void {
    this.startMs = startMs;
    this.endMs = endMs;
    this.fromMs.fill(startMs);
    this.toMs.fill(endMs);
    this.servingCount.fill(0);
    this.waves.forEach(({ wave, changes }, index) => {
      const endsOfWave = ends[index] as Float64Array;
      for (let at = 0; at < changes.length; at += FIELDS) {
        const step = changes[at] as number;
        const subject = changes[at + 2] as number;
        const atMs = endsOfWave[step] as number;
        const what = changes[at + 1];
        // A copy counts from the end of its start on; it serves when it is admitted.
        if (what === BEGINS) this.fromMs[subject] = atMs;
        else if (what === ENDS && subject >= 0) this.toMs[subject] = atMs;
        else if (what === SERVES) this.serve(subject, atMs, 1);
        // Out of traffic from the beginning of the drain on.
        else if (what === DRAINS) this.serve(subject, atMs - (wave.lastTimes[step] as number), -1);
      }
    });
  }

  /** Moments at which a workload served with fewer copies than its budget wants. */
  countDeficits(): number {
    let deficits = 0;
    for (let work = 0; work < this.required.length; work++) {
      const from = this.servingStart[work] as number;
      let serving = this.copiesOf[work] as number;
      for (let at = from; at < from + (this.servingCount[work] as number); at++) {
        const by = this.servingBy[at] as number;
        serving += by;
        if (by < 0 && serving < (this.required[work] as number)) deficits++;
      }
    }
    return deficits;
  }

  /** Islands with a host over its share at some time; a copy counts with an equal part of its workload's demand. */
  findOverIslands(path: Float32Array): readonly number[] {
    const { startMs: gridMs, stepMs, steps } = this.span;
    const first = Math.max(0, Math.floor((this.startMs - gridMs) / stepMs));
    const last = Math.min(steps - 1, Math.floor((this.endMs - 1 - gridMs) / stepMs));
    const over = new Set<number>();
    for (let cell = 0; cell < this.limits.length; cell++) {
      const island = cell % this.islands;
      const [from, to] = [this.cellStart[cell] as number, this.cellStart[cell + 1] as number];
      if (from === to || over.has(island)) continue;
      const isOverAt = (atMs: number): boolean => {
        const step = Math.min(last, Math.max(first, Math.floor((atMs - gridMs) / stepMs)));
        let load = 0;
        for (let at = from; at < to; at++) {
          const stay = this.cellStays[at] as number;
          if ((this.fromMs[stay] as number) > atMs || atMs >= (this.toMs[stay] as number)) continue;
          const work = this.works[stay] as number;
          load += (path[work * steps + step] as number) / (this.copiesOf[work] as number);
        }
        return load > (this.limits[cell] as number);
      };
      if (this.isOverAtAnyTime(isOverAt, from, to, first, last)) over.add(island);
    }
    return [...over].sort((a, b) => a - b);
  }

  /** Load rises only where a step of demand begins, or a copy does. */
  private isOverAtAnyTime(
    isOverAt: (atMs: number) => boolean,
    from: number,
    to: number,
    first: number,
    last: number,
  ): boolean {
    const { startMs: gridMs, stepMs } = this.span;
    if (isOverAt(this.startMs)) return true;
    for (let step = first + 1; step <= last; step++) if (isOverAt(gridMs + step * stepMs)) return true;
    for (let at = from; at < to; at++) {
      const begin = this.fromMs[this.cellStays[at] as number] as number;
      if (begin > this.startMs && isOverAt(begin)) return true;
    }
    return false;
  }

  /** Keeps a workload's changes in the order of their times; at one time, what comes before what goes. */
  private serve(work: number, atMs: number, by: number): void {
    const from = this.servingStart[work] as number;
    let at = from + (this.servingCount[work] as number);
    this.servingCount[work] = at - from + 1;
    for (; at > from; at--) {
      const before = this.servingMs[at - 1] as number;
      if (before < atMs || (before === atMs && (this.servingBy[at - 1] as number) >= by)) break;
      this.servingMs[at] = before;
      this.servingBy[at] = this.servingBy[at - 1] as number;
    }
    this.servingMs[at] = atMs;
    this.servingBy[at] = by;
  }
}

/** Indexes of `numbers` by number: where each one's begin (and where the last one's end), and the indexes. */
function groupByNumber(numbers: readonly number[], count: number): readonly [Int32Array, Int32Array] {
  const start = new Int32Array(count + 1);
  for (const number of numbers) start[number + 1] = (start[number + 1] as number) + 1;
  for (let number = 0; number < count; number++) {
    start[number + 1] = (start[number + 1] as number) + (start[number] as number);
  }
  const next = start.slice();
  const items = new Int32Array(numbers.length);
  numbers.forEach((number, index) => {
    const at = next[number] as number;
    items[at] = index;
    next[number] = at + 1;
  });
  return [start, items];
}

function subjectsOf(changes: Int32Array, ...kinds: readonly number[]): number[] {
  const subjects: number[] = [];
  for (let at = 0; at < changes.length; at += FIELDS) {
    if (kinds.includes(changes[at + 1] as number)) subjects.push(changes[at + 2] as number);
  }
  return subjects;
}
