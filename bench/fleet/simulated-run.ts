/**
 * Plays a plan with drawn durations and drawn demand, and checks budgets, limits and capacity at every moment. Knows
 * nothing of how the plan was found: it reads the fleet, the waves and their steps alone.
 *
 * Not for: failures; those are the fault campaign's (test/faults).
 */
import type { MigrationPlan, PlanStep, Wave, Workload } from "../../sdk/model";
import { createRandom } from "../../providers/testing";
import { isBusy, type DemandSpan } from "./demand-process";
import type { GeneratedFleet } from "./generate-fleet";

/** What one simulated run was like. */
export interface RunOutcome {
  /** From the first step to the end of the last, ms. */
  readonly makespanMs: number;
  /** Moments at which a workload served with fewer copies than its budget wants. */
  readonly budgetViolations: number;
  /** Moments at which more hosts were under way than a limit allows. */
  readonly limitViolations: number;
  /** Islands in which some host was over its share at some time. */
  readonly overIslands: readonly number[];
}

/** Data that a plan moves, bytes, by whether the workload's island is busy at the planned time. */
export interface DataMoved {
  readonly busyBytes: number;
  readonly bytes: number;
}

const Z95 = 1.645;
const TABLE = 1 << 14;

/** A plan, compiled for being played many times. */
export class SimulatedPlan {
  private readonly waves: readonly CompiledWave[];
  private readonly normals: Float32Array;
  private readonly hostOf: ReadonlyMap<string, number>;
  private readonly workOf: ReadonlyMap<string, number>;

  constructor(
    private readonly generated: GeneratedFleet,
    private readonly plan: Pick<MigrationPlan, "waves">,
  ) {
    const { fleet } = generated.input;
    const random = createRandom(7);
    this.normals = Float32Array.from({ length: TABLE }, () => random.normal());
    this.hostOf = new Map(fleet.hosts.map(({ id }, index) => [id, index]));
    this.workOf = new Map(fleet.workloads.map(({ name }, index) => [name, index]));
    this.waves = plan.waves.map((wave) => compileWave(wave));
  }

  /** Plays one run. `withLoad` false: only times and limits are played. */
  play(run: number, withLoad = true): RunOutcome {
    const random = createRandom(run + 1);
    let state = random.integer(1, 2 ** 31);
    const normal = (): number => {
      state ^= state << 13;
      state ^= state >>> 17;
      state ^= state << 5;
      return this.normals[state & (TABLE - 1)] as number;
    };
    const startMs = this.plan.waves[0]?.startMs ?? 0;
    let nowMs = startMs;
    let limitViolations = 0;
    const ends: Float64Array[] = [];
    for (const wave of this.waves) {
      const played = playWave(wave, nowMs, normal);
      ends.push(played.ends);
      nowMs = played.endMs;
      limitViolations += countOverLimits(this.generated, wave, played);
    }
    const judged = withLoad
      ? this.judge(ends, startMs, nowMs, run)
      : { budgetViolations: 0, overIslands: [] as readonly number[] };
    return { makespanMs: nowMs - startMs, limitViolations, ...judged };
  }

  /** Data moved, at the planned median times. */
  dataMoved(): DataMoved {
    const { fleet } = this.generated.input;
    const sources = new Map(fleet.workloads.map(({ name }, index) => [name, this.generated.sources[index]]));
    const bytesOf = new Map(fleet.workloads.map(({ name, transferBytes }) => [name, transferBytes ?? 0]));
    let busyBytes = 0;
    let bytes = 0;
    for (const wave of this.waves) {
      const played = playWave(wave, wave.wave.startMs, () => 0);
      wave.wave.steps.forEach((step, index) => {
        if (step.kind !== "stop-copy" && step.kind !== "hand-over" && step.kind !== "live-migrate") return;
        const moved = bytesOf.get(step.workload) ?? 0;
        const source = sources.get(step.workload);
        bytes += moved;
        if (source && isBusy(source, played.ends[index] as number)) busyBytes += moved;
      });
    }
    return { busyBytes, bytes };
  }

  /** Budgets at every change of what serves, and the load of every host at every change of what it carries. */
  private judge(
    ends: readonly Float64Array[],
    startMs: number,
    endMs: number,
    run: number,
  ): Pick<RunOutcome, "budgetViolations" | "overIslands"> {
    const { fleet } = this.generated.input;
    const { demand } = this.generated.input.forecast;
    const serving = new Map<string, ServingChange[]>();
    const stays = new Map<string, Stay>();
    for (const { id, workload, host } of fleet.replicas) {
      stays.set(id, {
        work: this.workOf.get(workload) ?? 0,
        host: this.hostOf.get(host) ?? 0,
        fromMs: startMs,
        toMs: endMs,
      });
    }
    const change = (workload: string, atMs: number, by: number): void => {
      const list = serving.get(workload);
      if (list) list.push({ atMs, by });
      else serving.set(workload, [{ atMs, by }]);
    };
    this.waves.forEach(({ wave }, index) => {
      wave.steps.forEach((step, at) => {
        const atMs = (ends[index] as Float64Array)[at] as number;
        switch (step.kind) {
          case "start-copy":
            stays.set(step.replica, {
              work: this.workOf.get(step.workload) ?? 0,
              host: this.hostOf.get(step.host) ?? 0,
              // It counts from its beginning on; it serves when it is admitted.
              fromMs: atMs,
              toMs: endMs,
            });
            return;
          case "admit":
            change(step.workload, atMs, 1);
            return;
          case "drain":
            // Out of traffic from the beginning of the drain on.
            change(step.workload, atMs - ((this.waves[index] as CompiledWave).lastTimes[at] as number), -1);
            return;
          case "stop-copy": {
            const stay = stays.get(step.replica);
            if (stay) stay.toMs = atMs;
            return;
          }
          case "hand-over": {
            const stay = stays.get(step.fromReplica);
            if (stay) stay.toMs = atMs;
            stays.set(step.toReplica, {
              work: this.workOf.get(step.workload) ?? 0,
              host: this.hostOf.get(step.toHost) ?? 0,
              fromMs: atMs,
              toMs: endMs,
            });
            return;
          }
          default:
            return;
        }
      });
    });
    let budgetViolations = 0;
    for (const workload of fleet.workloads) {
      const changes = serving.get(workload.name);
      if (changes) budgetViolations += countDeficits(workload, changes);
    }
    const path = this.generated.process.draw(900_000_007 + run * 7919);
    return {
      budgetViolations,
      overIslands: findOverIslands(this.generated, [...stays.values()], path, demand, startMs, endMs),
    };
  }
}

interface ServingChange {
  readonly atMs: number;
  readonly by: number;
}

interface Stay {
  readonly work: number;
  readonly host: number;
  readonly fromMs: number;
  toMs: number;
}

interface CompiledWave {
  readonly wave: Wave;
  readonly p50Ms: Float64Array;
  readonly spread: Float64Array;
  /** Steps that each waits for, as indexes. */
  readonly after: readonly Int32Array[];
  /** Lane of each step, -1: none. */
  readonly lane: Int32Array;
  readonly laneHosts: readonly string[];
  /** Steps of each lane, in order. */
  readonly laneSteps: readonly Int32Array[];
  /** Lanes that each lane waits for. */
  readonly laneAfter: readonly Int32Array[];
  readonly uses: readonly Int32Array[];
  readonly places: Int32Array;
  /** Lanes beside those with places that may start new copies, by limit; absent: none. */
  readonly ahead?: Int32Array;
  /** Duration of each step in the run that is being played. */
  readonly lastTimes: Float64Array;
}

function compileWave(wave: Wave): CompiledWave {
  const index = new Map(wave.steps.map(({ id }, at) => [id, at]));
  const after = wave.steps.map((step) => Int32Array.from(step.after.flatMap((id) => index.get(id) ?? [])));
  const fromOf = new Map(wave.moves.map(({ id, from }) => [id, from]));
  const laneHosts = wave.lanes ? wave.hosts : [];
  const laneOf = new Map(laneHosts.map((host, lane) => [host, lane]));
  const hostOfStep = (step: PlanStep): string | undefined =>
    "move" in step
      ? fromOf.get(step.move)
      : "host" in step
        ? step.host
        : step.kind === "soak"
          ? step.hosts[0]
          : undefined;
  const lane = Int32Array.from(wave.steps, (step) => laneOf.get(hostOfStep(step) ?? "") ?? -1);
  const laneSteps = groupSteps(lane, laneHosts.length);
  const names = Object.keys(wave.lanes?.limits ?? {});
  const numberOf = new Map(names.map((name, at) => [name, at]));
  return {
    wave,
    p50Ms: Float64Array.from(wave.steps, ({ expected }) => expected.p50Ms),
    spread: Float64Array.from(wave.steps, ({ expected: { p50Ms, p95Ms } }) =>
      p50Ms > 0 ? Math.log(Math.max(p95Ms, p50Ms) / p50Ms) / Z95 : 0,
    ),
    after,
    lane,
    laneHosts,
    laneSteps,
    laneAfter: laneSteps.map((steps, at) =>
      Int32Array.from(
        new Set(
          Array.from(steps).flatMap((step) =>
            Array.from(after[step] ?? [], (before) => lane[before] ?? -1).filter((other) => other >= 0 && other !== at),
          ),
        ),
      ),
    ),
    uses: laneHosts.map((host) =>
      Int32Array.from(wave.lanes?.uses[host]?.flatMap((name) => numberOf.get(name) ?? []) ?? []),
    ),
    places: Int32Array.from(names, (name) => wave.lanes?.limits[name] ?? 1),
    ...(wave.lanes?.ahead ? { ahead: Int32Array.from(names, (name) => wave.lanes?.ahead?.[name] ?? 0) } : {}),
    lastTimes: new Float64Array(wave.steps.length),
  };
}

/** Steps by lane in one pass: a filter for each lane would take as long as lanes times steps. */
function groupSteps(lane: Int32Array, count: number): readonly Int32Array[] {
  const lists: number[][] = Array.from({ length: count }, () => []);
  lane.forEach((at, step) => lists[at]?.push(step));
  return lists.map((list) => Int32Array.from(list));
}

interface PlayedWave {
  readonly endMs: number;
  /** End of each step, ms since the epoch. */
  readonly ends: Float64Array;
  /** By lane. */
  readonly laneStart: Float64Array;
  readonly laneEnd: Float64Array;
}

/** What ends next in a lane. */
type LaneEvent = { readonly lane: number; readonly endMs: number; readonly what: "ahead" | "placed" | "through" };

/** Carries a wave out as the executor does: what may begin does, lanes in the order of the list. */
function playWave(wave: CompiledWave, startMs: number, normal: () => number): PlayedWave {
  const { steps } = wave.wave;
  const ends = new Float64Array(steps.length);
  steps.forEach((step, at) => {
    const spread = wave.spread[at] as number;
    const drawn = (wave.p50Ms[at] as number) * (spread === 0 ? 1 : Math.exp(spread * normal()));
    // A drain is over at its deadline, one way or the other.
    wave.lastTimes[at] = step.kind === "drain" ? Math.min(drawn, step.deadlineMs) : drawn;
  });
  let endMs = startMs;
  const finish = (step: number, notBefore: number): number => {
    let begin = notBefore;
    for (const before of wave.after[step] as Int32Array) begin = Math.max(begin, ends[before] as number);
    const end = begin + (wave.lastTimes[step] as number);
    ends[step] = end;
    endMs = Math.max(endMs, end);
    return end;
  };
  const isAhead = (step: number): boolean =>
    wave.ahead !== undefined && (steps[step]?.kind === "start-copy" || steps[step]?.kind === "admit");
  const lanes = wave.laneHosts.length;
  const laneStart = new Float64Array(lanes);
  const laneEnd = new Float64Array(lanes);
  for (let step = 0; step < steps.length; step++) if ((wave.lane[step] as number) < 0) finish(step, startMs);
  const room = Int32Array.from(wave.places);
  const unbegun = Int32Array.from(wave.places, (places, use) => places + (wave.ahead?.[use] ?? 0));
  const done = new Uint8Array(lanes);
  const waiting = Array.from({ length: lanes }, (_, lane) => lane);
  const ready: number[] = [];
  const running: LaneEvent[] = [];
  let nowMs = lanes > 0 ? endMs : startMs;
  const usesOf = (lane: number): Int32Array => wave.uses[lane] as Int32Array;
  const take = (counts: Int32Array, lane: number, by: number): void => {
    for (const use of usesOf(lane)) counts[use] = (counts[use] as number) - by;
  };
  const hasRoom = (counts: Int32Array, lane: number): boolean =>
    usesOf(lane).every((use) => (counts[use] as number) > 0);
  const takeFirst = (list: number[], mayBegin: (lane: number) => boolean, begin: (lane: number) => void): void => {
    for (let at = 0; at < list.length;) {
      const lane = list[at] as number;
      if (!mayBegin(lane)) at++;
      else {
        list.splice(at, 1);
        begin(lane);
      }
    }
  };
  let unplaced = lanes;
  while (unplaced > 0) {
    takeFirst(
      ready,
      (lane) => hasRoom(room, lane),
      (lane) => {
        take(room, lane, 1);
        unplaced--;
        laneStart[lane] = nowMs;
        let end = nowMs;
        let through = nowMs;
        for (const step of wave.laneSteps[lane] as Int32Array) {
          if (isAhead(step)) continue;
          through = Math.max(through, finish(step, nowMs));
          // A host that soaks works again and holds no place; what waits for it waits for its soak.
          if (steps[step]?.kind !== "soak") end = Math.max(end, ends[step] as number);
        }
        laneEnd[lane] = end;
        insertByEnd(running, { lane, endMs: end, what: "placed" });
        insertByEnd(running, { lane, endMs: through, what: "through" });
      },
    );
    takeFirst(
      waiting,
      (lane) => hasRoom(unbegun, lane) && (wave.laneAfter[lane] as Int32Array).every((other) => done[other] === 1),
      (lane) => {
        take(unbegun, lane, 1);
        let end = nowMs;
        for (const step of wave.laneSteps[lane] as Int32Array)
          if (isAhead(step)) end = Math.max(end, finish(step, nowMs));
        insertByEnd(running, { lane, endMs: end, what: "ahead" });
      },
    );
    const next = running.shift();
    if (!next) {
      if (unplaced === 0) break;
      throw new Error(`wave ${String(wave.wave.index)}: ${String(unplaced)} lanes never begin`);
    }
    nowMs = next.endMs;
    if (next.what === "through") done[next.lane] = 1;
    else if (next.what === "ahead") {
      ready.push(next.lane);
      // The executor looks at lanes in the order of the plan.
      ready.sort((a, b) => a - b);
    } else {
      take(room, next.lane, -1);
      take(unbegun, next.lane, -1);
    }
  }
  return { endMs, ends, laneStart, laneEnd };
}

function insertByEnd<T extends { readonly endMs: number }>(sorted: T[], item: T): void {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((sorted[middle] as T).endMs <= item.endMs) low = middle + 1;
    else high = middle;
  }
  sorted.splice(low, 0, item);
}

/** Limits of the policy, counted anew from when hosts were under way. */
function countOverLimits({ input }: GeneratedFleet, { wave, laneHosts }: CompiledWave, played: PlayedWave): number {
  const { limits } = input.spec;
  if (wave.kind === "failback") return 0;
  const hosts = new Map(input.fleet.hosts.map((host) => [host.id, host]));
  const check = (names: readonly string[], limitOf: (name: string) => number): number => {
    const counts = new Map<string, number>();
    let over = 0;
    for (const name of names) {
      const count = (counts.get(name) ?? 0) + 1;
      counts.set(name, count);
      if (count > limitOf(name)) over++;
    }
    return over;
  };
  const limitOf = (name: string): number =>
    name === "hosts"
      ? limits.hostsAtOnce
      : name.startsWith("zone")
        ? limits.hostsPerZone
        : (limits.hostsPerRack ?? 1e9);
  const namesOf = (host: string): string[] => [
    "hosts",
    `zone/${hosts.get(host)?.zone ?? ""}`,
    `rack/${hosts.get(host)?.rack ?? ""}`,
  ];
  if (laneHosts.length === 0) return check(wave.hosts.flatMap(namesOf), limitOf);
  const events = laneHosts
    .flatMap((host, lane) => [
      { atMs: played.laneStart[lane] as number, by: 1, host },
      { atMs: played.laneEnd[lane] as number, by: -1, host },
    ])
    .sort((a, b) => a.atMs - b.atMs || a.by - b.by);
  const counts = new Map<string, number>();
  let over = 0;
  for (const { by, host } of events) {
    for (const name of namesOf(host)) {
      const count = (counts.get(name) ?? 0) + by;
      counts.set(name, count);
      if (by > 0 && count > limitOf(name)) over++;
    }
  }
  return over;
}

function countDeficits(workload: Workload, changes: ServingChange[]): number {
  const required = workload.exclusive ? 0 : workload.copies - workload.maxUnavailable;
  changes.sort((a, b) => a.atMs - b.atMs || b.by - a.by);
  let serving = workload.copies;
  let deficits = 0;
  for (const { by } of changes) {
    serving += by;
    if (by < 0 && serving < required) deficits++;
  }
  return deficits;
}

/**
 * Islands with a host over its share at some time. A copy counts with an equal part of its workload's demand from the
 * end of its start to the end of its stop.
 */
function findOverIslands(
  { input }: GeneratedFleet,
  stays: readonly Stay[],
  path: Float32Array,
  { startMs: gridMs, stepMs, steps }: DemandSpan,
  fromMs: number,
  toMs: number,
): readonly number[] {
  const { fleet } = input;
  const islandOf = new Map(fleet.islands.map(({ name }, index) => [name, index]));
  const islands = fleet.islands.length;
  const islandOfWork = fleet.workloads.map(({ island }) => islandOf.get(island) ?? 0);
  const copiesOf = fleet.workloads.map(({ copies }) => copies);
  const byCell: Stay[][] = Array.from({ length: fleet.hosts.length * islands }, () => []);
  for (const stay of stays) byCell[stay.host * islands + (islandOfWork[stay.work] as number)]?.push(stay);
  const first = Math.max(0, Math.floor((fromMs - gridMs) / stepMs));
  const last = Math.min(steps - 1, Math.floor((toMs - 1 - gridMs) / stepMs));
  const over = new Set<number>();
  byCell.forEach((list, cell) => {
    const island = cell % islands;
    if (list.length === 0 || over.has(island)) return;
    const limit =
      (fleet.hosts[Math.floor(cell / islands)]?.capacity.cpuMillis ?? 0) * (fleet.islands[island]?.share.cpu ?? 0) +
      0.5;
    const moments = new Set([fromMs]);
    for (let step = first + 1; step <= last; step++) moments.add(gridMs + step * stepMs);
    for (const { fromMs: begin } of list) if (begin > fromMs) moments.add(begin);
    for (const atMs of moments) {
      const step = Math.min(last, Math.max(first, Math.floor((atMs - gridMs) / stepMs)));
      let load = 0;
      for (const { work, fromMs: begin, toMs: end } of list) {
        if (begin <= atMs && atMs < end) load += (path[work * steps + step] as number) / (copiesOf[work] as number);
      }
      if (load > limit) {
        over.add(island);
        return;
      }
    }
  });
  return [...over].sort((a, b) => a - b);
}
