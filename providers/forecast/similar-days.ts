/**
 * Forecasts that are what came after the past days most like the last one, moved to the present level and weighted by
 * how alike they are: holidays, batch days and quiet days find their own kind.
 *
 * Invariant: a forecast from an origin reads no value after it.
 *
 * Source: nearest-neighbour (analogue) forecasts, E. N. Lorenz, "Atmospheric Predictability as Revealed by Naturally
 * Occurring Analogues", J. Atmos. Sci. 26, 1969; for seasonal load, F. Martinez et al., "A methodology for applying
 * k-nearest neighbor to time series forecasting", Artificial Intelligence Review 52, 2019.
 */
import { argsort } from "./argsort";
import { weightedQuantiles } from "./empirical";
import { cumulativeSums, meanBetween } from "./running";
import type { QuantilesAt } from "./shape-model";

/** Seasons looked back at most. */
const MOST_SEASONS = 21;
/** Parts of a season by which two of them are compared. */
const PARTS = 12;
/** The newest parts count double: what is going on now matters more than what was yesterday. */
const NEWEST_PARTS = 3;
const NEWEST_WEIGHT = 2;
/** A different level counts like this share of as different a shape. */
const LEVEL_WEIGHT = 0.5;
/** A day with the median distance weighs e^-SHARPNESS of one that is the same. */
const SHARPNESS = 3;
/** Age in seasons at which a day counts e times less. */
const AGE_SEASONS = 20;
/** How far around the same time values are taken from, as a part of the season. */
const REACH_PART = 96;
const SMALLEST_DISTANCE = 1e-300;

/** One past season, as seen from an origin. */
interface Analogue {
  readonly stepsBack: number;
  readonly weight: number;
  /** Level at the origin minus level then. */
  readonly lift: number;
}

/** @param values at least two seasons */
export function similarDays(values: Float64Array, seasonSteps: number): (levels: readonly number[]) => QuantilesAt {
  const sums = cumulativeSums(values);
  const found = new Map<number, readonly Analogue[]>();
  const analoguesAt = (origin: number): readonly Analogue[] => {
    const known = found.get(origin) ?? findAnalogues(sums, origin, seasonSteps);
    found.set(origin, known);
    return known;
  };
  const reach = Math.max(1, Math.round(seasonSteps / REACH_PART));
  return (levels) => (origin, horizon) => {
    const analogues = analoguesAt(origin);
    const seen = new Float64Array(analogues.length * (2 * reach + 1));
    const weights = new Float64Array(seen.length);
    let count = 0;
    let total = 0;
    for (const { stepsBack, weight, lift } of analogues) {
      const middle = origin - stepsBack + horizon;
      if (middle > origin) continue;
      for (let index = middle - reach; index <= Math.min(origin, middle + reach); index++) {
        if (index < 0) continue;
        seen[count] = (values[index] ?? 0) + lift;
        const near = weight / (1 + Math.abs(index - middle));
        weights[count++] = near;
        total += near;
      }
    }
    if (count === 0) return new Float64Array(levels.length).fill(values[origin] ?? 0);
    const order = argsort(seen.subarray(0, count));
    const ascending = new Float64Array(count);
    const ordered = new Float64Array(count);
    for (let i = 0; i < count; i++) {
      ascending[i] = seen[order[i] ?? 0] ?? 0;
      ordered[i] = weights[order[i] ?? 0] ?? 0;
    }
    return weightedQuantiles(ascending, ordered, total, levels);
  };
}

function findAnalogues(sums: Float64Array, origin: number, seasonSteps: number): readonly Analogue[] {
  const now = profileOf(sums, origin, seasonSteps);
  const candidates: { stepsBack: number; distance: number; lift: number }[] = [];
  for (let season = 1; season <= MOST_SEASONS && origin - season * seasonSteps >= seasonSteps; season++) {
    const then = profileOf(sums, origin - season * seasonSteps, seasonSteps);
    let distance = Math.abs(now.level - then.level) * PARTS * LEVEL_WEIGHT;
    now.parts.forEach((part, i) => {
      const apart = Math.abs(part - now.level - ((then.parts[i] ?? 0) - then.level));
      distance += i < NEWEST_PARTS ? apart * NEWEST_WEIGHT : apart;
    });
    candidates.push({ stepsBack: season * seasonSteps, distance, lift: now.level - then.level });
  }
  const distances = candidates.map(({ distance }) => distance).sort((a, b) => a - b);
  const typical = (distances[distances.length >> 1] ?? 0) + SMALLEST_DISTANCE;
  return candidates.map(({ stepsBack, distance, lift }) => ({
    stepsBack,
    lift,
    weight: Math.exp((-SHARPNESS * distance) / typical - stepsBack / seasonSteps / AGE_SEASONS),
  }));
}

/** Means of the parts of the season that ends at `origin`, newest first, and its level. */
function profileOf(
  sums: Float64Array,
  origin: number,
  seasonSteps: number,
): { readonly level: number; readonly parts: Float64Array } {
  const width = seasonSteps / PARTS;
  const parts = new Float64Array(PARTS);
  for (let i = 0; i < PARTS; i++) {
    parts[i] = meanBetween(sums, Math.round(origin - (i + 1) * width + 1), Math.round(origin - i * width));
  }
  return {
    level: meanBetween(sums, origin - seasonSteps + 1, origin),
    parts,
  };
}
