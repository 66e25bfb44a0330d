/**
 * Waves of the day and of the week by ridge regression, with an autoregression on what they leave: dynamic harmonic
 * regression.
 *
 * Invariant: an origin's waves come from values before the checkpoint that it lies behind.
 *
 * Sources: Hyndman and Athanasopoulos, "Forecasting: Principles and Practice", 3rd ed., section 10.5; regression with
 * autoregressive errors, D. Cochrane and G. H. Orcutt, JASA 44(245), 1949; ridge, Hoerl and Kennard, 1970.
 */
import { predictLinear, RidgeSums } from "../ridge";
import { fitAutoregression, forecastWeights } from "./autoregression";
import type { PointModel } from "./point-model";

/** Waves of the shortest season, and of the longer ones between them. */
const DAY_WAVES = 8;
const WEEK_WAVES = 6;
const MOST_LAGS = 12;
/** Strength of the prior that there are no waves, in values. */
const PRIOR_VALUES = 4;
const FIRST_CHECKPOINT = 0.35;
const CHECKPOINTS = 6;

/** @param seasons ascending; none: there is nothing to fit */
export function fourierModel(seasons: readonly number[]): PointModel {
  return { name: "waves with autoregressive errors", fit: (values) => fitFourier(values, seasons) };
}

function fitFourier(values: Float64Array, seasons: readonly number[]): ReturnType<PointModel["fit"]> {
  const frequencies = frequenciesOf(seasons);
  const count = values.length;
  if (frequencies.length === 0 || count < 2 * (seasons[0] ?? 1)) return undefined;
  const size = 1 + 2 * frequencies.length;
  const period = seasons.at(-1) ?? 1;
  const rows = waveRows(frequencies, period);
  const sums = new RidgeSums(size);
  const prior = new Float64Array(size);
  const borders = Array.from({ length: CHECKPOINTS }, (_, i) =>
    Math.round(count * (FIRST_CHECKPOINT + ((1 - FIRST_CHECKPOINT) * i) / (CHECKPOINTS - 1))),
  );
  // The mean is no wave: it is taken out first, and moves with the checkpoint like them.
  let t = 0;
  let total = 0;
  const states = borders.map((known) => {
    for (; t < known; t++) {
      sums.add(rows, (t % period) * size, values[t] ?? 0);
      total += values[t] ?? 0;
    }
    prior[0] = total / known;
    const beta = sums.solve(PRIOR_VALUES, prior);
    const waves = Float64Array.from({ length: period }, (_, place) => predictLinear(beta, rows, place * size));
    const left = new Float64Array(count);
    for (let i = 0; i < count; i++) left[i] = (values[i] ?? 0) - (waves[i % period] ?? 0);
    return { known, waves, left };
  });
  const weights = forecastWeights(fitAutoregression(states.at(-1)?.left ?? values, MOST_LAGS).coefficients);
  return {
    name: "waves with autoregressive errors",
    point: (origin, horizon) => {
      let index = 0;
      while (index + 1 < states.length && (states[index + 1]?.known ?? 0) <= origin + 1) index++;
      const state = states[index];
      const share = weights(horizon);
      let sum = state?.waves[(origin + horizon) % period] ?? 0;
      for (let i = 0; i < share.length; i++) sum += (share[i] ?? 0) * (state?.left[origin - i] ?? 0);
      return sum;
    },
  };
}

/** In radians per step; waves of a longer season that are those of a shorter one are left out. */
function frequenciesOf(seasons: readonly number[]): readonly number[] {
  const found: number[] = [];
  seasons.forEach((season, index) => {
    for (let wave = 1; wave <= Math.min(index === 0 ? DAY_WAVES : WEEK_WAVES, season >> 1); wave++) {
      const frequency = (2 * Math.PI * wave) / season;
      if (!found.some((other) => Math.abs(other - frequency) < 1e-9)) found.push(frequency);
    }
  });
  return found;
}

/** One row for each position in the longest season, the others being parts of it. */
function waveRows(frequencies: readonly number[], period: number): Float64Array {
  const size = 1 + 2 * frequencies.length;
  const rows = new Float64Array(size * period);
  for (let place = 0; place < period; place++) {
    rows[place * size] = 1;
    frequencies.forEach((frequency, k) => {
      rows[place * size + 1 + 2 * k] = Math.sin(frequency * place);
      rows[place * size + 2 + 2 * k] = Math.cos(frequency * place);
    });
  }
  return rows;
}
