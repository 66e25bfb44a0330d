/**
 * The members of the blend: every kind of forecast that has paid on some kind of load, each made for one series.
 *
 * Not for: weighting them (blend.ts).
 */
import type { Member } from "./blend";
import { measureErrors, quantilesAround } from "./bucket-errors";
import type { RegressionInput } from "./direct-regression";
import { fitDirectRegression } from "./direct-regression";
import { fitDoubleSeasonal } from "./double-seasonal";
import type { EmpiricalKernel } from "./empirical";
import { empiricalQuantiles, sortValues } from "./empirical";
import { createBuckets } from "./horizon-errors";
import type { CandidateName } from "./classical/candidate-names";
import { createCandidates } from "./classical/candidates";
import { createLocalScale } from "./local-scale";
import type { PreparedSeries } from "./prepare";
import type { Shape } from "./seasonal-shape";
import type { ShapeModel } from "./shape-model";
import { describeShape } from "./shape-model";
import { similarDays } from "./similar-days";

/** What members are made from. */
export interface MembersInput {
  readonly prepared: PreparedSeries;
  readonly shapes: readonly KeyedShape[];
  /** Steps of a day and of a week (or of the seasons in their place), ascending; empty: none. */
  readonly seasons: readonly number[];
  readonly stepMs: number;
  /** Classical models that are candidates too. */
  readonly candidates: readonly CandidateName[];
  /** Whether a member of this key is to be made. @default all are */
  readonly isWanted?: (key: string) => boolean;
}

/** A shape's model under the key of its member. */
export interface KeyedShape {
  readonly key: string;
  readonly model: ShapeModel;
}

/** Longest horizon with a model of its own, in seasons; beyond it errors grow. */
const FITTED_SEASONS = 2;
/** Parts of a series without a season that count as "now". */
const PARTS_WITHOUT_SEASON = 8;
/** Errors are judged after this share of the series. */
const WARM_UP_SHARE = 0.35;
/** What is added before the logarithm, as a share of the mean: an idle minute is not infinitely far from a busy one. */
const LOG_OFFSET_SHARE = 0.05;
/** A level that is off today is partly back tomorrow. */
const HALF_LIFTED = 0.5;
/**
 * Belief in members of which nothing is fitted, beside those whose error quantiles were measured on the past that judges
 * them too, and who look better there than they are.
 */
const UNFITTED_PRIOR = 2;
/** A logarithmic forecast may not pass the largest value seen by more than this factor. */
const LARGEST_RISE = 4;

/** Keys of shapes' members. Levels look at a share of the series: their number of values grows with it. */
export function keysOfShapes(shapes: readonly Shape[], stepMs: number): readonly string[] {
  return shapes.map((shape, index) =>
    shape.seasonSteps === 1 ? `level ${String(shapes.length - index)}` : describeShape(shape, stepMs),
  );
}

/** Shapes first, in their order. */
export function createMembers(input: MembersInput): readonly Member[] {
  const { shapes, stepMs, isWanted } = input;
  const all = [
    ...shapes.map(({ key, model }) => ({
      key,
      name: describeShape(model.shape, stepMs),
      at: (levels: readonly number[]) => model.at(levels),
    })),
    ...createOthers(input).map((member) => ({ ...member, key: member.key ?? member.name })),
  ];
  return isWanted === undefined ? all : all.filter(({ key }) => isWanted(key));
}

/** A member that is known by its name unless it has a key. */
type Unkeyed = Omit<Member, "key"> & { readonly key?: string };

/** Those that cost something to make are made only where they are wanted. */
function createOthers(input: MembersInput): readonly Unkeyed[] {
  const { prepared, seasons } = input;
  const sorted = sortValues(prepared);
  return [
    ...kernelsFor(prepared.values.length, seasons[0] ?? 0).map(({ name, kernel, prior = 1 }) => ({
      name,
      prior,
      at: (levels: readonly number[]) => empiricalQuantiles(sorted, kernel, levels),
    })),
    ...createRegressions(input),
    ...createSimilarDays(input),
    ...createDoubleSeasonal(input),
    ...createClassical(input),
  ];
}

function createSimilarDays({ prepared, seasons }: MembersInput): readonly Unkeyed[] {
  const [seasonSteps, longSteps = 0] = seasons;
  if (seasonSteps === undefined) return [];
  const like = similarDays(prepared.values, { seasonSteps, longSteps });
  return [
    { name: "days like the last", prior: UNFITTED_PRIOR, at: like(1) },
    { name: "days like the last, half scaled to its level", prior: UNFITTED_PRIOR, at: like(HALF_LIFTED) },
  ];
}

function createClassical({ prepared, seasons, candidates }: MembersInput): readonly Member[] {
  if (candidates.length === 0) return [];
  const { values, measured } = prepared;
  const unitSteps = unitOf(values.length, seasons);
  const input = {
    values,
    measured,
    seasons,
    unitSteps,
    spread: createLocalScale(values, unitSteps).spread,
    buckets: createBuckets(longestFitted(values.length, seasons), unitSteps),
    firstOrigin: Math.min(
      Math.floor(values.length / 2),
      Math.max(Math.floor(values.length * WARM_UP_SHARE), seasons[0] ?? 0),
    ),
  };
  return createCandidates(input, candidates);
}

/** Names of the regressions: they are their keys too. */
const REGRESSIONS = {
  plain: "regression on levels and shapes",
  median: "median regression on levels",
  logarithmic: "median regression of the logarithm",
} as const;

function createRegressions({ prepared, seasons, isWanted = () => true }: MembersInput): readonly Unkeyed[] {
  const { values, measured } = prepared;
  const base: RegressionInput = {
    values,
    measured,
    seasons,
    unitSteps: unitOf(values.length, seasons),
    longest: longestFitted(values.length, seasons),
    largest: 10,
    isMedian: false,
  };
  const robust = { largest: 5, isMedian: true } as const;
  const fits = [
    { name: REGRESSIONS.plain, fit: () => fitDirectRegression(base) },
    // With a season the others know all that it does.
    ...(seasons.length > 0
      ? []
      : [{ name: REGRESSIONS.median, fit: () => fitDirectRegression({ ...base, ...robust }) }]),
    { name: REGRESSIONS.logarithmic, fit: () => fitLogarithmic({ ...base, ...robust }) },
  ];
  return fits.flatMap(({ name, fit }) => {
    const at = isWanted(name) ? fit() : undefined;
    return at === undefined ? [] : [{ name, at }];
  });
}

/** The regression of the logarithm of a series, back on its scale. */
function fitLogarithmic(input: RegressionInput): Member["at"] | undefined {
  const { values } = input;
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const offset = mean > 0 ? mean * LOG_OFFSET_SHARE : 1;
  const ceiling = values.reduce((most, value) => Math.max(most, value), 0) * LARGEST_RISE;
  const logarithmic = fitDirectRegression({ ...input, values: values.map((value) => Math.log(value + offset)) });
  if (logarithmic === undefined) return undefined;
  return (levels) => {
    const at = logarithmic(levels);
    const row = new Float64Array(levels.length);
    return (origin, horizon) => {
      const quantiles = at(origin, horizon);
      for (let l = 0; l < row.length; l++) row[l] = Math.min(ceiling, Math.exp(quantiles[l] ?? 0) - offset);
      return row;
    };
  };
}

function createDoubleSeasonal({ prepared, seasons, isWanted = () => true }: MembersInput): readonly Unkeyed[] {
  const { values, measured } = prepared;
  const [daySteps, weekSteps = 0] = seasons;
  const name = weekSteps > 0 ? "smoothed level, day and week" : "smoothed level and day";
  if (daySteps === undefined || !isWanted(name)) return [];
  const count = values.length;
  const { point } = fitDoubleSeasonal(values, daySteps, weekSteps);
  const { spread } = createLocalScale(values, daySteps);
  const warmUp = Math.min(Math.floor(count / 2), Math.max(Math.floor(count * WARM_UP_SHARE), weekSteps, daySteps));
  const buckets = createBuckets(longestFitted(count, seasons), daySteps);
  const fitted = measureErrors(values, measured, { point, spread, buckets, firstOrigin: warmUp });
  if (fitted.length === 0) return [];
  return [{ name, at: (levels) => quantilesAround(point, spread, fitted, levels) }];
}

function unitOf(count: number, seasons: readonly number[]): number {
  return seasons[0] ?? Math.max(4, Math.floor(count / PARTS_WITHOUT_SEASON));
}

function longestFitted(count: number, seasons: readonly number[]): number {
  return Math.max(1, Math.min(Math.floor(count / 4), seasons[0] === undefined ? count : FITTED_SEASONS * seasons[0]));
}

function kernelsFor(
  count: number,
  season: number,
): readonly { readonly name: string; readonly kernel: EmpiricalKernel; readonly prior?: number }[] {
  const any = (name: string, ageSteps: number, prior = 1) => ({
    name,
    prior,
    kernel: { ageSteps, seasonSteps: 1, widthSteps: 0 },
  });
  if (season === 0) {
    return [any("newest values", count / 12), any("recent values", count / 4), any("all values", count)];
  }
  const daily = (name: string, days: number, widthSteps: number) => ({
    name,
    kernel: { ageSteps: days * season, seasonSteps: season, widthSteps: Math.max(1, Math.round(widthSteps)) },
  });
  return [
    any("values of the last hours", season / 4, UNFITTED_PRIOR),
    any("values of the last day", season, UNFITTED_PRIOR),
    any("values of the last weeks", 30 * season),
    daily("that hour in the last days", 3, season / 16),
    daily("that hour in the last weeks", 10, season / 16),
  ];
}
