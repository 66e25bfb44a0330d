/**
 * Chooses the order of an ARIMA: differences by tests, the rest by steps to the neighbour with the least corrected
 * Akaike criterion.
 *
 * Invariant: at most a counted number of orders is fitted.
 *
 * Sources: R. J. Hyndman and Y. Khandakar, "Automatic Time Series Forecasting: The forecast Package for R", Journal of
 * Statistical Software 27(3), 2008; whether differences are needed, D. Kwiatkowski et al. (KPSS), Journal of
 * Econometrics 54, 1992; strength of a season, Wang, Smith and Hyndman, Data Mining and Knowledge Discovery 13, 2006.
 */
import type { ArimaFit, ArimaOrder } from "./arima";
import { difference, fitArima } from "./arima";
import { correctedAkaike } from "./exponential-smoothing";
import type { PointModel } from "./point-model";
import { decomposeSeason } from "./stl";

/** Orders fitted at most. */
const MOST_FITS = 12;
const MOST_ORDER = 3;
const MOST_SEASONAL_ORDER = 1;
/** 5 % point of the KPSS statistic of a level (Kwiatkowski et al., table 1). */
const KPSS_POINT = 0.463;
const MOST_DIFFERENCES = 2;
/** A season stronger than this is differenced (Wang et al.; the bound of the forecast package). */
const STRONG_SEASON = 0.64;
/** Seasons longer than this are left to models that need no lag of that length. */
const LONGEST_SEASON = 200;
const SEASON_WINDOW = 11;
const JUMP_PART = 10;

/** @param season steps; 0: none */
export function arimaModel(season: number): PointModel {
  return { name: "ARIMA", fit: (values) => searchArima(values, season) };
}

/** The best order that the steps come to. */
export function searchArima(values: Float64Array, season: number): ArimaFit | undefined {
  const usable = season >= 2 && season <= LONGEST_SEASON && values.length >= 4 * season ? season : 1;
  const seasonalD = usable > 1 && seasonStrength(values, usable) > STRONG_SEASON ? 1 : 0;
  const base = { seasonalD, season: usable, seasonalP: 0, seasonalQ: 0, p: 0, q: 0 };
  let d = 0;
  while (d < MOST_DIFFERENCES - seasonalD && kpss(difference(values, { ...base, d })) > KPSS_POINT) d++;
  const tried = new Map<string, { readonly fit: ArimaFit; readonly criterion: number } | undefined>();
  const attempt = (order: Pick<ArimaOrder, "p" | "q" | "seasonalP" | "seasonalQ">) => {
    const key = [order.p, order.q, order.seasonalP, order.seasonalQ].join(",");
    if (tried.has(key) || tried.size >= MOST_FITS) return tried.get(key);
    const fit = fitArima(values, { ...base, d, ...order });
    const size = order.p + order.q + order.seasonalP + order.seasonalQ + (d + seasonalD === 0 ? 2 : 1);
    const judged = fit && { fit, criterion: correctedAkaike(fit.squares, fit.count, size) };
    tried.set(key, judged);
    return judged;
  };
  const seasonal = usable > 1 ? 1 : 0;
  const starts = [
    { p: 2, q: 2, seasonalP: 0, seasonalQ: seasonal },
    { p: 0, q: 0, seasonalP: 0, seasonalQ: 0 },
    { p: 1, q: 0, seasonalP: seasonal, seasonalQ: 0 },
    { p: 0, q: 1, seasonalP: 0, seasonalQ: seasonal },
  ];
  let best = starts.reduce<ReturnType<typeof attempt>>((least, order) => lesser(least, attempt(order)), undefined);
  for (let isBetter = best !== undefined; isBetter && best;) {
    const { order } = best.fit;
    const before = best;
    for (const neighbour of neighboursOf(order)) best = lesser(best, attempt(neighbour));
    isBetter = best !== before;
  }
  return best?.fit;
}

/** KPSS statistic of a level, with the short rule for lags, as forecast for R takes it. */
export function kpss(values: Float64Array): number {
  const count = values.length;
  const mean = values.reduce((sum, value) => sum + value, 0) / count;
  const lags = Math.trunc(4 * (count / 100) ** 0.25);
  let [partial, squares] = [0, 0];
  const centred = values.map((value) => value - mean);
  let variance = 0;
  for (const value of centred) {
    partial += value;
    squares += partial * partial;
    variance += value * value;
  }
  for (let lag = 1; lag <= lags; lag++) {
    let sum = 0;
    for (let t = lag; t < count; t++) sum += (centred[t] ?? 0) * (centred[t - lag] ?? 0);
    variance += 2 * sum * (1 - lag / (lags + 1));
  }
  return variance <= 0 ? 0 : squares / (count * variance);
}

/** 1 - variance of the remainder over that of season and remainder, at least 0. */
export function seasonStrength(values: Float64Array, season: number): number {
  const { trend, seasonal } = decomposeSeason(values, { season, window: SEASON_WINDOW, jumpPart: JUMP_PART });
  const remainder = values.map((value, t) => value - (trend[t] ?? 0) - (seasonal[t] ?? 0));
  const both = values.map((value, t) => value - (trend[t] ?? 0));
  const whole = varianceOf(both);
  return whole === 0 ? 0 : Math.max(0, 1 - varianceOf(remainder) / whole);
}

function lesser<Judged extends { readonly criterion: number }>(
  one: Judged | undefined,
  other: Judged | undefined,
): Judged | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  return other.criterion < one.criterion ? other : one;
}

function neighboursOf(order: ArimaOrder): readonly Pick<ArimaOrder, "p" | "q" | "seasonalP" | "seasonalQ">[] {
  const { p, q, seasonalP, seasonalQ, season } = order;
  const seasonal = season > 1 ? [-1, 1] : [];
  const moves = [
    ...[-1, 1].flatMap((step) => [
      { p: p + step, q, seasonalP, seasonalQ },
      { p, q: q + step, seasonalP, seasonalQ },
    ]),
    ...seasonal.flatMap((step) => [
      { p, q, seasonalP: seasonalP + step, seasonalQ },
      { p, q, seasonalP, seasonalQ: seasonalQ + step },
    ]),
  ];
  return moves.filter(
    (move) =>
      Math.min(move.p, move.q, move.seasonalP, move.seasonalQ) >= 0 &&
      Math.max(move.p, move.q) <= MOST_ORDER &&
      Math.max(move.seasonalP, move.seasonalQ) <= MOST_SEASONAL_ORDER,
  );
}

function varianceOf(values: Float64Array): number {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
}
