/**
 * The middle of what several members say: for each quantile, the mean of theirs between the trimmed shares of weight on
 * both sides.
 *
 * Not for: who has which weight (blend.ts).
 *
 * Source: Jose, Grushka-Cockayne and Lichtendahl, "Trimmed Opinion Pools and the Crowd's Calibration Problem",
 * Management Science 60(2), 2014.
 */

/** Share of the weight on each side that is trimmed off: what is left lies between the weighted median and mean. */
const TRIMMED = 0.3;

/** Averages rows of quantiles, one row for each member, in arrays of its own: it runs thousands of times a fit. */
export class TrimmedQuantiles {
  /** Members that speak, in the order of what they say. */
  private readonly order: Int32Array;
  private readonly values: Float64Array;

  /** @param members most of them */
  constructor(members: number) {
    this.order = new Int32Array(members);
    this.values = new Float64Array(members);
  }

  /**
   * Sorts by insertion: there are about twenty members, and who says more at one quantile does so at the next one.
   * @param rows of `size` values each and one after the other, the first at `from`
   * @param weights shares of the members
   * @param places that are wanted of the rows
   * @param result is written, one value for each place
   */
  write(
    result: Float64Array,
    rows: Float64Array,
    from: number,
    size: number,
    weights: Float64Array,
    places: readonly number[],
  ): void {
    const { order, values } = this;
    let speaking = 0;
    for (let m = 0; m < weights.length; m++) if ((weights[m] as number) > 0) order[speaking++] = m;
    for (let p = 0; p < places.length; p++) {
      const at = from + (places[p] as number);
      for (let next = 0; next < speaking; next++) {
        const member = order[next] as number;
        const value = rows[at + member * size] as number;
        let place = next;
        // Equal ones stay in the order of the members, so that a sum does not depend on where the sorting began.
        for (; place > 0; place--) {
          const before = values[place - 1] as number;
          if (before < value || (before === value && (order[place - 1] as number) < member)) break;
          values[place] = before;
          order[place] = order[place - 1] as number;
        }
        values[place] = value;
        order[place] = member;
      }
      result[p] = this.middleMean(weights, speaking);
    }
  }

  private middleMean(weights: Float64Array, speaking: number): number {
    const { order, values } = this;
    let before = 0;
    let sum = 0;
    for (let i = 0; i < speaking; i++) {
      const after = before + (weights[order[i] as number] as number);
      const share = Math.min(after, 1 - TRIMMED) - Math.max(before, TRIMMED);
      if (share > 0) sum += share * (values[i] as number);
      before = after;
    }
    return sum / (1 - 2 * TRIMMED);
  }
}
