/**
 * Which of the wanted candidates run within a budget of counted work: the cheapest next one as long as it fits. Work is
 * counted by a list of prices, never timed, so that the same series with the same budget gives the same forecast on any
 * machine and under any load.
 *
 * Not for: judging them; those that run are weighted by their losses as all members are (blend.ts). No worth is put before
 * the price: over the loads of the benchmark none of them changes the loss by more than 2 %, either way, so that what one
 * is worth is known only once it is judged.
 */
import { CANDIDATE_NAMES, type CandidateName } from "./candidate-names";

/** What runs and what does not. */
export interface WorkChoice {
  /** In the order of all candidates' names. */
  readonly taken: readonly CandidateName[];
  readonly leftOut: readonly CandidateName[];
}

/**
 * Prices in hundredths of the work of the blend without candidates, each fitted and judged: measured at 840 hourly values,
 * rounded. At 4,032 values of five minutes they are between half and twice as high.
 */
const PRICES: Readonly<Record<CandidateName, number>> = {
  theta: 10,
  "optimised-theta": 10,
  "damped-trend": 20,
  "mstl-ets": 20,
  fourier: 20,
  arima: 200,
  croston: 10,
  sba: 10,
  tsb: 10,
  histogram: 20,
};
/** Candidates that are fitted to a series without its seasons: taking those out is paid once for all of them. */
const ADJUSTED: ReadonlySet<CandidateName> = new Set(["theta", "optimised-theta", "damped-trend", "mstl-ets"]);
const ADJUSTMENT_PRICE = 100;
const HUNDREDTHS = 100;

/**
 * @param wanted candidates that were asked for
 * @param work how many times the work of the blend without candidates they may take together; infinite: all run
 * @param hasSeasons whether there are seasons to take out
 */
export function chooseWithinWork(wanted: readonly CandidateName[], work: number, hasSeasons: boolean): WorkChoice {
  let left = work * HUNDREDTHS;
  let isAdjusted = !hasSeasons;
  const taken = new Set<CandidateName>();
  const priceOf = (name: CandidateName): number =>
    PRICES[name] + (ADJUSTED.has(name) && !isAdjusted ? ADJUSTMENT_PRICE : 0);
  const ordered = CANDIDATE_NAMES.filter((name) => wanted.includes(name));
  for (;;) {
    const next = ordered
      .filter((name) => !taken.has(name) && priceOf(name) <= left)
      .reduce<CandidateName | undefined>(
        (best, name) => (best === undefined || priceOf(name) < priceOf(best) ? name : best),
        undefined,
      );
    if (next === undefined) break;
    left -= priceOf(next);
    taken.add(next);
    isAdjusted ||= ADJUSTED.has(next);
  }
  return {
    taken: ordered.filter((name) => taken.has(name)),
    leftOut: ordered.filter((name) => !taken.has(name)),
  };
}

/** What was left out, for people; undefined: nothing. */
export function describeLeftOut(leftOut: readonly CandidateName[], work: number): string | undefined {
  if (leftOut.length === 0) return undefined;
  return `not tried within ${String(work)} times the work of the blend itself: ${leftOut.join(", ")}`;
}
