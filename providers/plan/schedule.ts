/**
 * One try at a whole schedule: the waves that update hosts, then the failback, with times.
 *
 * Not for: how many standby hosts to reserve (reserve.ts) and which opening to take (fit.ts).
 */
import type {
  DurationQuantiles,
  IslandRoom,
  MigrationScore,
  Move,
  PlanStep,
  Wave,
  WaveLanes,
  Workload,
} from "../../sdk/model";

import { createIslandTotals, peakQuantile, stepRange, type CellLoad, type StepRange } from "./capacity";
import { longestMove, sumDurations, totalDuration, waveDuration, type StepDurations } from "./durations";
import { DependencyOrder } from "./dependency-order";
import { laneDuration, lanesDuration, type Lane } from "./lanes";
import { byHostLeft, longestTransferTime, transferTimes, type PossibleMove } from "./links";
import type { Overload, Placement } from "./placement";
import type { PlanInput } from "./plan-input";
import type { Problem } from "./problem";
import { createBusiness, createTransfers, type Business } from "./quiet";
import type { WorkloadMove } from "./move-steps";
import type { UpdateStepOptions } from "./steps";
import type { PlacedMove, Stuck } from "./wave-search";

/** Each is a bounded one; tight fleets would be searched for every size of the reserve. */
const MOST_ROOM_SEARCHES = 8;

/** What all tries share. */
export interface ScheduleContext {
  readonly input: PlanInput;
  readonly problem: Problem;
  readonly durations: StepDurations;
  /** When the first wave begins, ms since the epoch. */
  readonly startMs: number;
  /** Demand by island. */
  readonly totals: readonly CellLoad[];
  /** How busy islands are, and what each host's copies would carry over the network; absent: nothing. */
  readonly business: Business;
  readonly transfers: Float64Array | undefined;
  /** Who calls whom among the workloads. */
  readonly dependencies: DependencyOrder;
  /** Quantile at which loads are compared and shown: the pool's. */
  readonly quantile: number;
  /** Whether lanes are put together by several rules, and destinations improved, or by the usual rules and one by one alone. */
  readonly comparesLanes: boolean;
  /** What was tried for the same input and opening before, so that a closer look need not try it again. Absent: nothing is kept. */
  readonly tried?: TriedSchedules;
  /** Whether functions may stand in for copies, and whether functions of workloads may be refused. */
  readonly mayBurst: boolean;
  readonly mayRefuse: boolean;
  /** Filled while waves are planned: scores of copies that may stay while their host is updated, as last judged. */
  readonly stays: Map<string, MigrationScore>;
  /** Searches that may still be made for room by moving copies of other hosts: what is counted, not timed, can be repeated. */
  readonly rooms: { left: number };
}

/** A schedule that keeps the promise. */
export interface Schedule {
  readonly waves: readonly Wave[];
  /** Standby hosts in use: those held already and those still to be reserved. */
  readonly reserve: readonly string[];
  /** Why so many. */
  readonly reserveReason: string;
  /** Why functions stand in for copies; absent: none does. */
  readonly burstReason?: string;
  readonly warnings: readonly string[];
  readonly total: DurationQuantiles;
}

/** Why a try ended without one. */
export interface ScheduleFailure {
  /** A cell that is over its share before anything moves, or a copy without a target. */
  readonly cause:
    { readonly kind: "overload"; readonly overload: Overload } | { readonly kind: "stuck"; readonly stuck: Stuck };
  /** Hosts that were left when it ended. */
  readonly left: readonly string[];
  /** Waves until then. */
  readonly waves: readonly Wave[];
}

/** A schedule or why there is none. */
export type ScheduleResult = { readonly schedule: Schedule } | { readonly failure: ScheduleFailure };

/** A schedule, or why there is none; `regrets`: the wave before which hosts were given back that were needed again. */
export type TryResult =
  { readonly schedule: Schedule; readonly regrets: number | undefined } | { readonly failure: ScheduleFailure };

/** Results of tries by all that they depend on beside input, opening and the searches for room that were left then. */
export type TriedSchedules = Map<string, TryResult>;

/** Makes what all tries share. */
export function createScheduleContext(
  input: PlanInput,
  problem: Problem,
  durations: StepDurations,
  startMs: number,
): ScheduleContext {
  const totals = createIslandTotals(problem);
  return {
    input,
    problem,
    durations,
    startMs,
    totals,
    business: createBusiness({ problem, totals }),
    transfers: createTransfers(problem),
    dependencies: new DependencyOrder(input.fleet.workloads),
    quantile: quantileOfPool(input),
    comparesLanes: true,
    mayBurst: false,
    mayRefuse: false,
    rooms: { left: MOST_ROOM_SEARCHES },
    stays: new Map(),
  };
}

/** Quantile at which loads are compared and shown. */
export function quantileOfPool({ spec }: Pick<PlanInput, "spec">): number {
  return spec.pool?.quantile ?? DEFAULT_QUANTILE;
}

/** Without a pool there is no quantile to buy for; loads are still compared at a high one. */
const DEFAULT_QUANTILE = 0.95;

/** Waves as they are planned one after the other, with the time that they take. */
export class Timeline {
  readonly waves: Wave[] = [];
  private readonly durations: DurationQuantiles[] = [];

  constructor(
    private readonly context: ScheduleContext,
    private readonly placement: Placement,
  ) {}

  /** Index of the next wave. */
  get nextIndex(): number {
    return (this.context.input.progress?.waveOffset ?? 0) + this.waves.length + 1;
  }

  /** Time of all waves so far. */
  get total(): DurationQuantiles {
    return totalDuration(this.durations);
  }

  /** Steps of demand in which the next wave can lie when it takes `expected` at most. */
  rangeOfNext(expected: DurationQuantiles): StepRange {
    const { startMs, problem } = this.context;
    const end = totalDuration([...this.durations, expected]);
    return stepRange(problem.demand, startMs + this.total.p50Ms, startMs + end.p95Ms);
  }

  /** Appends the next wave; the placement is still in it. */
  append(
    kind: Wave["kind"],
    hosts: readonly string[],
    moves: readonly PlacedMove[],
    steps: readonly PlanStep[],
    range: StepRange,
    lanes?: WaveLanes,
  ): void {
    const { startMs } = this.context;
    const index = this.nextIndex;
    const before = this.total;
    const duration = lanes ? durationOfLanes(moves, steps, lanes) : waveDuration(steps);
    this.durations.push(duration);
    this.waves.push({
      index,
      kind,
      hosts,
      startMs: startMs + before.p50Ms,
      endMs: startMs + before.p50Ms + duration.p50Ms,
      endP95Ms: startMs + this.total.p95Ms,
      moves: moves.map(({ move }) => move),
      steps,
      ...(lanes ? { lanes } : {}),
      overCapacityShare: this.placement.overShareInWave(),
      // In a failback no host is missing.
      ...this.capacityAndDemand(
        range,
        lanes && kind === "update" ? new Set(hosts) : undefined,
        lanes?.limits["hosts"] ?? 0,
      ),
    });
  }

  /** Takes all waves from the one at `place` on off again; the placement is not changed. */
  cutAt(place: number): void {
    this.waves.length = Math.min(place, this.waves.length);
    this.durations.length = this.waves.length;
  }

  /**
   * Of the island where demand comes closest to capacity, and of each. With lanes, the largest hosts of the wave that can
   * be under way at once are missing.
   */
  private capacityAndDemand(
    range: StepRange,
    following: ReadonlySet<string> | undefined,
    atOnce: number,
  ): Pick<Wave, "capacityCpuMillis" | "demandCpuMillis" | "islands"> {
    const { problem, totals, quantile } = this.context;
    const islands = totals.map((total, island): IslandRoom => {
      const missing = following ? largestCells(problem, island, following, atOnce) : 0;
      return {
        island: problem.islands[island] ?? "",
        capacityCpuMillis: Math.max(0, Math.round(this.placement.capacityOf(island) - missing)),
        demandCpuMillis: Math.round(peakQuantile(problem, total, range, quantile)),
      };
    });
    const ratioOf = (room: IslandRoom): number => room.demandCpuMillis / Math.max(1, room.capacityCpuMillis);
    const [first, ...others] = islands;
    if (!first) return { capacityCpuMillis: 0, demandCpuMillis: 0 };
    const { capacityCpuMillis, demandCpuMillis } = others.reduce(
      (tightest, room) => (ratioOf(room) > ratioOf(tightest) ? room : tightest),
      first,
    );
    return { capacityCpuMillis, demandCpuMillis, ...(others.length === 0 ? {} : { islands }) };
  }
}

function largestCells(problem: Problem, island: number, hosts: ReadonlySet<string>, count: number): number {
  return problem.cells
    .filter((cell) => cell.island === island && hosts.has(problem.sites[cell.site]?.host.id ?? ""))
    .map(({ cpuMillis }) => cpuMillis)
    .sort((a, b) => b - a)
    .slice(0, count)
    .reduce((sum, cpuMillis) => sum + cpuMillis, 0);
}

/** Time of a wave whose hosts follow each other: what belongs to no lane, then the lanes. */
function durationOfLanes(
  moves: readonly PlacedMove[],
  steps: readonly PlanStep[],
  lanes: WaveLanes,
): DurationQuantiles {
  const stepsOf = new Map<string, PlanStep[]>();
  const fromOf = new Map(moves.map(({ move }) => [move.id, move.from]));
  const others: PlanStep[] = [];
  for (const step of steps) {
    const host =
      "move" in step ? fromOf.get(step.move) : "host" in step ? step.host : "hosts" in step ? step.hosts[0] : undefined;
    if (host === undefined || lanes.uses[host] === undefined || step.kind === "reserve" || step.kind === "release") {
      others.push(step);
      continue;
    }
    const own = stepsOf.get(host);
    if (own) own.push(step);
    else stepsOf.set(host, [step]);
  }
  const laneOf = new Map<string, string>();
  for (const [host, own] of stepsOf) for (const { id } of endsOfLane(own)) laneOf.set(id, host);
  const timed = [...stepsOf].map(([host, own]): Lane => {
    // The steps of a lane wait for each other; for other lanes its first one does.
    const after = new Set(own[0]?.after.flatMap((id) => laneOf.get(id) ?? []));
    return { host, uses: lanes.uses[host] ?? [], after: [...after], duration: laneDuration(own) };
  });
  return sumDurations([waveDuration(others), lanesDuration(timed, lanes)]);
}

/** Steps that other lanes may wait for: the soak where there is one. */
function endsOfLane(steps: readonly PlanStep[]): readonly PlanStep[] {
  const soak = steps.findLast(({ kind }) => kind === "soak");
  return soak ? [soak] : steps;
}

/** Options of steps for a context; with `moves` the time of their transfers, all at once, by the host that they leave. */
export function stepOptions(
  { input, problem, durations, dependencies }: ScheduleContext,
  moves: readonly PlacedMove[] = [],
): UpdateStepOptions {
  const transferMs = transferTimes(problem, input.fleet, byHostLeft(moves));
  return {
    spec: input.spec,
    durations,
    // A host without a way has a blocker, and is in no wave.
    wayOf: (host) => problem.sites[problem.siteOf.get(host) ?? -1]?.way ?? "in-place",
    dependencies,
    transferOf: (host) => transferMs.get(host) ?? 0,
  };
}

/** Upper bound of the time of one move of whatever method where so many of these go at once. */
export function longestOfMoves(
  { problem, input, durations }: ScheduleContext,
  moves: readonly PossibleMove[],
  most = moves.length,
): DurationQuantiles {
  const transferMs = longestTransferTime(problem, input.fleet, moves, most);
  return sumDurations([longestMove({ durations }), { p50Ms: transferMs, p95Ms: transferMs }]);
}

/** Moves with their workloads, for the steps. */
export function withWorkloads(problem: Problem, moves: readonly PlacedMove[]): WorkloadMove[] {
  return moves.map(({ move, gone }: { readonly move: Move; readonly gone: PlacedMove["gone"] }) => ({
    move,
    workload: problem.works[gone.work]?.workload as Workload,
    ...(move.method === "end" && gone.endsInMs !== undefined ? { endsInMs: gone.endsInMs } : {}),
  }));
}

/** Ends a wave in the placement: what moved is where it went, what was shed or restarted is back, what was left to end is gone. */
export function settleMoves(placement: Placement, moves: readonly PlacedMove[]): void {
  placement.endWave(
    moves.map(({ gone }) => gone),
    moves.filter(({ move }) => move.to === undefined && move.method !== "end").map(({ arrived }) => arrived),
  );
}
