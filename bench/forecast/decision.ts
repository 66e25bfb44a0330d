/**
 * What a forecast is for: choosing the quietest slot for a maintenance and reserving capacity for it. Scored by what the
 * choice cost against the best slot, and by how often the load passed what was reserved.
 *
 * Not for: the quality of the quantiles themselves (scores.ts).
 */
import type { Rows } from "./forecasters";
import { LEVELS } from "./scores";

/** Means over the origins of a series. */
export interface DecisionScore {
  /** Load in the chosen slot above that in the best one, as a share of the mean load of the horizon. */
  readonly regret: number;
  /**
   * The same where the slot was chosen by the median. Choosing by P90 avoids slots that are uncertain, and pays for it
   * in mean load; a yardstick whose quantiles have one width all over chooses the same slot by either.
   */
  readonly regretByMedian: number;
  /** Share of origins at which the peak in the slot passed the reserved P99. */
  readonly exceeded: number;
  /** By what share of the reserve it passed it, mean over those origins; 0 without any. */
  readonly excess: number;
}

const CHOSEN_BY = LEVELS.indexOf(0.9);
const MEDIAN = LEVELS.indexOf(0.5);
const RESERVED_BY = LEVELS.indexOf(0.99);

/** Adds up one series' origins. */
export class DecisionScorer {
  private readonly sums = { regret: 0, regretByMedian: 0, exceeded: 0, excess: 0 };
  private count = 0;

  /** @param slotSteps length of the slot */
  constructor(private readonly slotSteps: number) {}

  add(rows: Rows, actual: Float64Array): void {
    const { slotSteps, sums } = this;
    const starts = Array.from({ length: actual.length - slotSteps + 1 }, (_, start) => start);
    const sumFrom = (values: ArrayLike<number>, start: number): number => {
      let sum = 0;
      for (let h = start; h < start + slotSteps; h++) sum += values[h] ?? 0;
      return sum;
    };
    const lowest = (values: ArrayLike<number>): number =>
      starts.reduce((best, start) => (sumFrom(values, start) < sumFrom(values, best) ? start : best), 0);
    const chosen = lowest(rows[CHOSEN_BY] ?? []);
    const mean = actual.reduce((sum, value) => sum + value, 0) / actual.length;
    const least = sumFrom(actual, lowest(actual));
    const regretOf = (start: number): number => (mean > 0 ? (sumFrom(actual, start) - least) / slotSteps / mean : 0);
    const reserve = Math.max(...(rows[RESERVED_BY] ?? []).slice(chosen, chosen + slotSteps));
    const peak = Math.max(...actual.subarray(chosen, chosen + slotSteps));
    sums.regret += regretOf(chosen);
    sums.regretByMedian += regretOf(lowest(rows[MEDIAN] ?? []));
    if (peak > reserve) {
      sums.exceeded += 1;
      sums.excess += reserve > 0 ? (peak - reserve) / reserve : 1;
    }
    this.count += 1;
  }

  result(): DecisionScore {
    const { regret, regretByMedian, exceeded, excess } = this.sums;
    return {
      regret: regret / this.count,
      regretByMedian: regretByMedian / this.count,
      exceeded: exceeded / this.count,
      excess: exceeded === 0 ? 0 : excess / exceeded,
    };
  }
}
