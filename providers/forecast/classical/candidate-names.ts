/** Names by which classical models are asked for. Not for: the models, so that a command line needs none of them. */

/** All candidates' names. */
export const CANDIDATE_NAMES = [
  "theta",
  "optimised-theta",
  "damped-trend",
  "mstl-ets",
  "fourier",
  "arima",
  "croston",
  "sba",
  "tsb",
  "histogram",
] as const;

/** One of them. */
export type CandidateName = (typeof CANDIDATE_NAMES)[number];
