/**
 * One try at a whole schedule: the waves that update hosts, then the failback, with times.
 *
 * Not for: how many standby hosts to reserve (reserve.ts) and which opening to take (fit.ts).
 */
import type { DurationQuantiles, Move, PlanStep, Wave, Workload } from "../../sdk/model";

import { createIslandTotals, createLoads, peakQuantile, stepRange, type CellLoad, type StepRange } from "./capacity";
import { totalDuration, waveDuration, type StepDurations } from "./durations";
import type { Overload, Placement } from "./placement";
import type { PlanInput } from "./plan-input";
import type { Problem } from "./problem";
import type { StepOptions, WorkloadMove } from "./steps";
import type { PlacedMove, Stuck } from "./wave-search";

/** What all tries share. */
export interface ScheduleContext {
  readonly input: PlanInput;
  readonly problem: Problem;
  readonly durations: StepDurations;
  /** When the first wave begins, ms since the epoch. */
  readonly startMs: number;
  /** Loads before anything moves, by cell; and demand by island. */
  readonly loads: readonly CellLoad[];
  readonly totals: readonly CellLoad[];
  /** Quantile at which loads are compared and shown: the pool's. */
  readonly quantile: number;
}

/** A schedule that keeps the promise. */
export interface Schedule {
  readonly waves: readonly Wave[];
  /** Standby hosts in use: those held already and those still to be reserved. */
  readonly reserve: readonly string[];
  /** Why so many. */
  readonly reserveReason: string;
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

/** Makes what all tries share. */
export function createScheduleContext(
  input: PlanInput,
  problem: Problem,
  durations: StepDurations,
  startMs: number,
): ScheduleContext {
  return {
    input,
    problem,
    durations,
    startMs,
    loads: createLoads(problem),
    totals: createIslandTotals(problem),
    quantile: input.spec.pool?.quantile ?? DEFAULT_QUANTILE,
  };
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
  ): void {
    const { startMs } = this.context;
    const index = this.nextIndex;
    const before = this.total;
    const duration = waveDuration(steps);
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
      overCapacityShare: this.placement.overShareInWave(),
      ...this.capacityAndDemand(range),
    });
  }

  /** Of the island where demand comes closest to capacity. */
  private capacityAndDemand(range: StepRange): Pick<Wave, "capacityCpuMillis" | "demandCpuMillis"> {
    const { problem, totals, quantile } = this.context;
    let tightest = { capacityCpuMillis: 0, demandCpuMillis: 0 };
    let highest = -1;
    totals.forEach((total, island) => {
      const capacityCpuMillis = Math.round(this.placement.capacityOf(island));
      const demandCpuMillis = Math.round(peakQuantile(problem, total, range, quantile));
      const ratio = demandCpuMillis / Math.max(1, capacityCpuMillis);
      if (ratio > highest) {
        highest = ratio;
        tightest = { capacityCpuMillis, demandCpuMillis };
      }
    });
    return tightest;
  }
}

/** Options of steps for a context. */
export function stepOptions({ input, durations }: ScheduleContext): StepOptions {
  return { spec: input.spec, durations };
}

/** Moves with their workloads, for the steps. */
export function withWorkloads(problem: Problem, moves: readonly PlacedMove[]): WorkloadMove[] {
  return moves.map(({ move, gone }: { readonly move: Move; readonly gone: PlacedMove["gone"] }) => ({
    move,
    workload: problem.works[gone.work]?.workload as Workload,
  }));
}

/** Ends a wave in the placement: what moved is where it went, what was shed is back. */
export function settleMoves(placement: Placement, moves: readonly PlacedMove[]): void {
  placement.endWave(
    moves.map(({ gone }) => gone),
    moves.filter(({ move }) => move.method === "shed").map(({ arrived }) => arrived),
  );
}
