/**
 * Smooth weighted round-robin: each candidate's turn comes in proportion to its weight, and turns of one candidate
 * are spread instead of bunched (the algorithm of nginx, commit 52327e0627f49dbda1e8db695e63a4b0af4448b1).
 *
 * Not for: who is a candidate (service.ts).
 */

/** What a choice needs to know and keeps of a candidate. */
export interface Weighted {
  /** Relative weight, > 0 for candidates. */
  readonly weight: number;
  /** Credit; starts at 0 and belongs to this algorithm. */
  credit: number;
}

/**
 * Chooses among candidates that are usable and whose weight is above 0. Undefined when there is none.
 * Over any `sum of weights` calls with the same candidates each is chosen exactly `weight` times.
 */
export function chooseWeighted<T extends Weighted>(
  candidates: readonly T[],
  isUsable: (candidate: T) => boolean,
): T | undefined {
  let total = 0;
  let best: T | undefined;
  for (const candidate of candidates) {
    if (candidate.weight <= 0 || !isUsable(candidate)) continue;
    total += candidate.weight;
    candidate.credit += candidate.weight;
    if (best === undefined || candidate.credit > best.credit) best = candidate;
  }
  if (best !== undefined) best.credit -= total;
  return best;
}
