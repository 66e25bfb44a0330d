/**
 * Adds up how right one forecaster was over several origins: error, calibration, what it reserved, and the slot that it
 * chose.
 *
 * Not for: making forecasts (backtest.ts).
 *
 * Invariant: values that were not measured do not count, and an origin with a gap in its horizon does not count for
 * the slot.
 */

/** Scores of one forecaster. */
export interface ForecastScore {
  /** Twice the mean pinball loss over the deciles, per mean load. */
  readonly wql: number;
  /** Mean absolute error of the median, per that of the last season in the known part; NaN where that is 0. */
  readonly mase: number;
  /** Shares of values inside the central 80 and 95 %, and above P90 and P99. */
  readonly c80: number;
  readonly c95: number;
  readonly u90: number;
  readonly u99: number;
  /** What a reservation for the whole horizon at P95 and P99 would have been. */
  readonly reserve: { readonly p95: ReserveScore; readonly p99: ReserveScore };
  /** The slot that was chosen for its least P90. */
  readonly slot: SlotScore;
}

/** A reservation: the highest quantile of the horizon, held from its begin to its end. */
export interface ReserveScore {
  /** Mean of what was reserved, in the unit of the series. */
  readonly mean: number;
  /** Share of the horizons in which the load passed it. */
  readonly exceeded: number;
  /** By how much the load passed it then, mean and worst, as shares of it. */
  readonly meanExcess: number;
  readonly worstExcess: number;
  /** What was reserved and never used, as a share of the highest load, mean. */
  readonly idle: number;
}

/** A choice of the calmest slot. */
export interface SlotScore {
  /** Mean load in the chosen slot above that in the best one, as a share of the mean load. */
  readonly regret: number;
  /** Share of the horizons in which the chosen slot was the best one. */
  readonly hit: number;
  /** Share of the slots in which the load passed the P99 reserved for it, and by how much then, mean. */
  readonly exceeded: number;
  readonly meanExcess: number;
}

const LOSS_LEVELS: readonly number[] = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9];
/** Two slots whose loads differ by less than this share are the same choice. */
const SAME_SLOT = 0.01;

interface ReserveSum {
  reserved: number;
  exceeded: number;
  excess: number;
  worst: number;
  idle: number;
}

/** A sum of scores. */
export class ScoreSum {
  private readonly sums = { pinball: 0, actual: 0, error: 0, c80: 0, c95: 0, u90: 0, u99: 0 };
  private readonly reserves: Readonly<Record<"p95" | "p99", ReserveSum>> = {
    p95: { reserved: 0, exceeded: 0, excess: 0, worst: 0, idle: 0 },
    p99: { reserved: 0, exceeded: 0, excess: 0, worst: 0, idle: 0 },
  };
  private readonly slots = { regret: 0, hits: 0, exceeded: 0, excess: 0, count: 0 };
  private count = 0;
  private horizons = 0;

  /**
   * @param levels quantile levels of all rows that come
   * @param scale what an absolute error of 1 MASE is
   */
  constructor(
    private readonly levels: readonly number[],
    private readonly scale: number,
    private readonly slotSteps: number,
  ) {}

  /** One forecast beside what came; NaN was not measured. */
  add(rows: readonly (readonly number[])[], actual: Float64Array): void {
    const row = (level: number): readonly number[] => rows[this.levels.indexOf(level)] ?? [];
    this.addSteps(row, actual);
    const measured = actual.filter((value) => !Number.isNaN(value));
    if (measured.length === 0) return;
    this.horizons++;
    const peak = measured.reduce((high, value) => Math.max(high, value), 0);
    addReserve(this.reserves.p95, row(0.95), peak);
    addReserve(this.reserves.p99, row(0.99), peak);
    if (measured.length === actual.length) this.addSlot(row(0.9), row(0.99), actual);
  }

  result(): ForecastScore {
    const { sums, count, slots } = this;
    const per = (sum: number, whole: number): number => (whole === 0 ? 0 : sum / whole);
    const reserve = ({ reserved, exceeded, excess, worst, idle }: ReserveSum): ReserveScore => ({
      mean: per(reserved, this.horizons),
      exceeded: per(exceeded, this.horizons),
      meanExcess: per(excess, exceeded),
      worstExcess: worst,
      idle: per(idle, this.horizons),
    });
    return {
      wql: per(sums.pinball, sums.actual),
      mase: this.scale > 0 ? per(sums.error, count) / this.scale : Number.NaN,
      c80: per(sums.c80, count),
      c95: per(sums.c95, count),
      u90: per(sums.u90, count),
      u99: per(sums.u99, count),
      reserve: { p95: reserve(this.reserves.p95), p99: reserve(this.reserves.p99) },
      slot: {
        regret: per(slots.regret, slots.count),
        hit: per(slots.hits, slots.count),
        exceeded: per(slots.exceeded, slots.count),
        meanExcess: per(slots.excess, slots.exceeded),
      },
    };
  }

  private addSteps(row: (level: number) => readonly number[], actual: Float64Array): void {
    const { sums } = this;
    actual.forEach((value, h) => {
      if (Number.isNaN(value)) return;
      const at = (level: number): number => row(level)[h] ?? 0;
      for (const level of LOSS_LEVELS) {
        const error = value - at(level);
        sums.pinball += (2 * Math.max(level * error, (level - 1) * error)) / LOSS_LEVELS.length;
      }
      sums.actual += Math.abs(value);
      sums.error += Math.abs(value - at(0.5));
      if (value >= at(0.1) && value <= at(0.9)) sums.c80++;
      if (value >= at(0.025) && value <= at(0.975)) sums.c95++;
      if (value > at(0.9)) sums.u90++;
      if (value > at(0.99)) sums.u99++;
      this.count++;
    });
  }

  private addSlot(p90: readonly number[], p99: readonly number[], actual: Float64Array): void {
    const { slots, slotSteps } = this;
    const starts = actual.length - slotSteps + 1;
    if (starts < 1) return;
    const meanFrom = (values: ArrayLike<number>, start: number): number => {
      let sum = 0;
      for (let step = start; step < start + slotSteps; step++) sum += values[step] ?? 0;
      return sum / slotSteps;
    };
    let [chosen, best] = [0, 0];
    for (let start = 1; start < starts; start++) {
      if (meanFrom(p90, start) < meanFrom(p90, chosen)) chosen = start;
      if (meanFrom(actual, start) < meanFrom(actual, best)) best = start;
    }
    const level = actual.reduce((sum, value) => sum + value, 0) / actual.length;
    const regret = level > 0 ? (meanFrom(actual, chosen) - meanFrom(actual, best)) / level : 0;
    slots.count++;
    slots.regret += regret;
    if (regret <= SAME_SLOT) slots.hits++;
    const peak = Math.max(...actual.subarray(chosen, chosen + slotSteps));
    const reserved = Math.max(...p99.slice(chosen, chosen + slotSteps));
    if (peak > reserved) {
      slots.exceeded++;
      slots.excess += reserved > 0 ? peak / reserved - 1 : 1;
    }
  }
}

function addReserve(sum: ReserveSum, quantiles: readonly number[], peak: number): void {
  const reserved = quantiles.reduce((high, value) => Math.max(high, value), 0);
  sum.reserved += reserved;
  if (peak > reserved) {
    const excess = reserved > 0 ? peak / reserved - 1 : 1;
    sum.exceeded++;
    sum.excess += excess;
    sum.worst = Math.max(sum.worst, excess);
  } else if (peak > 0) {
    sum.idle += reserved / peak - 1;
  }
}
