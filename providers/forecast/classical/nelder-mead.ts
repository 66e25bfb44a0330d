/**
 * Minimum of a function of a few numbers without its derivative, in a counted number of evaluations.
 *
 * Source: J. A. Nelder and R. Mead, "A simplex method for function minimization", The Computer Journal 7(4), 1965, with
 * the order of cases of Lagarias et al., SIAM Journal on Optimization 9(1), 1998.
 */

/** Where the least value was found. */
export interface Minimum {
  readonly at: Float64Array;
  readonly value: number;
}

interface Corner {
  readonly at: Float64Array;
  readonly value: number;
}

/** The search ends where all corners' values are this close, relative to the least. */
const TOLERANCE = 1e-8;

/**
 * @param loss may be infinite where a point is not allowed
 * @param moves first distance from the start along each coordinate, not 0
 * @param evaluations budget: equal input gives equal output on every machine
 */
export function minimize(
  loss: (at: Float64Array) => number,
  start: readonly number[],
  moves: readonly number[],
  evaluations: number,
): Minimum {
  const size = start.length;
  let left = evaluations;
  const corner = (at: Float64Array): Corner => {
    left--;
    const value = loss(at);
    return { at, value: Number.isNaN(value) ? Number.POSITIVE_INFINITY : value };
  };
  const first = Float64Array.from(start);
  const corners = [corner(first)];
  moves.forEach((move, k) => {
    corners.push(corner(first.map((value, i) => (i === k ? value + move : value))));
  });
  const byValue = (a: Corner, b: Corner): number => (a.value === b.value ? 0 : a.value < b.value ? -1 : 1);
  for (;;) {
    corners.sort(byValue);
    const [best, worst, second] = [corners[0], corners[size], corners[size - 1]];
    if (!best || !worst || !second) return { at: first, value: corners[0]?.value ?? Number.POSITIVE_INFINITY };
    if (left <= 0 || worst.value - best.value <= TOLERANCE * Math.abs(best.value)) return best;
    const centre = new Float64Array(size);
    for (let c = 0; c < size; c++)
      for (let i = 0; i < size; i++) centre[i] = (centre[i] ?? 0) + (corners[c]?.at[i] ?? 0) / size;
    const along = (share: number): Corner =>
      corner(centre.map((value, i) => value + share * ((worst.at[i] ?? 0) - value)));
    const reflected = along(-1);
    if (reflected.value < best.value) {
      const expanded = along(-2);
      corners[size] = expanded.value < reflected.value ? expanded : reflected;
    } else if (reflected.value < second.value) {
      corners[size] = reflected;
    } else {
      const contracted = reflected.value < worst.value ? along(-0.5) : along(0.5);
      if (contracted.value < Math.min(reflected.value, worst.value)) corners[size] = contracted;
      else {
        for (let c = 1; c <= size; c++) {
          const from = corners[c];
          if (from) corners[c] = corner(best.at.map((value, i) => value + 0.5 * ((from.at[i] ?? 0) - value)));
        }
      }
    }
  }
}
