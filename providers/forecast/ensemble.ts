/**
 * The forecast that is used unless another model is asked for: a blend of many kinds of forecasts, weighted for each
 * horizon by how well each did on the series itself. What does not pay is left out.
 *
 * Not for: the members (members.ts) and how they are blended (blend.ts).
 *
 * Invariants
 * 1. Quantile rows never cross, hold no NaN and are >= 0.
 * 2. Pure: the same series gives the same numbers, whatever the machine and in whatever order horizons are asked for.
 */
import type { Series } from "../../sdk/model";
import { Blend, type Member, type Speaker } from "./blend";
import type { CandidateName } from "./classical/candidate-names";
import { chooseWithinWork, describeLeftOut } from "./classical/work-budget";
import { ORIGINS_PER_HORIZON } from "./bucket-errors";
import { createMembers, keysOfShapes, type KeyedShape } from "./members";
import type { FittedModel, Model } from "./model";
import { prepareSeries, type PreparedSeries } from "./prepare";
import { renderForecast } from "./render-forecast";
import { seasonalNaive } from "./seasonal-naive";
import { chooseSeasons, type ChosenSeasons } from "./series/choose-seasons";
import { cycleSteps, fitShape, wholeSteps } from "./shape-model";

const DAY_MS = 86_400_000;
/** Fewer values than this cannot tell members apart. */
const FEWEST_VALUES = 12;
const TESTED_SEASONS = 4;

/** Settings of the ensemble. */
export interface EnsembleSetting {
  /** Classical models that are candidates too; those that do not pay on a series are left out of its blend. @default [] */
  readonly also?: readonly CandidateName[];
  /**
   * How many times the work of the blend without candidates they may take together, counted and not timed: those that do
   * not fit are not tried, and a note says so.
   * @default infinite: all are tried
   */
  readonly work?: number;
}

/** Creates the model. */
export function ensemble({ also = [], work = Number.POSITIVE_INFINITY }: EnsembleSetting = {}): Model {
  return { name: "ensemble", fit: (series) => fit(series, also, work) };
}

function fit(series: Series, also: readonly CandidateName[], work: number): FittedModel {
  const parts = assemble(series, also, work);
  if (parts === undefined) return seasonalNaive().fit(series);
  const { prepared, members, shapes, blend, middle } = parts;
  const count = prepared.values.length;
  const untried = describeLeftOut(parts.untried, work);
  const notes = [
    ...notesOf(prepared, parts.seasons.note, blend.speakersAt(middle)),
    ...(untried === undefined ? [] : [untried]),
  ];
  return {
    name: "ensemble",
    notes,
    warnings: prepared.warnings,
    predict: (horizon, levels, skip = 0) =>
      renderForecast(series, prepared, { name: "ensemble", notes }, { horizon, levels, skip }, blend.at(levels)),
    members: members.map(({ name, key, at }, index) => ({
      name,
      key,
      weight: blend.weightsAt(middle)[index] ?? 0,
      predict: (horizon, levels, skip = 0) => {
        const quantilesAt = at(levels);
        const request = { horizon, levels, skip };
        return renderForecast(series, prepared, { name, notes }, request, (ahead) => quantilesAt(count - 1, ahead));
      },
    })),
    residualCycles: (shapes[bestShape(parts)] ?? shapes[0])?.model.residualCycles(cyclesOf(series, prepared)) ?? [],
  };
}

/** An ensemble before anything is asked of it. */
export interface EnsembleParts {
  readonly prepared: PreparedSeries;
  readonly seasons: ChosenSeasons;
  readonly shapes: readonly KeyedShape[];
  readonly members: readonly Member[];
  readonly blend: Blend;
  /** Horizon that stands for all where one is enough. */
  readonly middle: number;
  /** Candidates that did not fit into the budget of work. */
  readonly untried: readonly CandidateName[];
}

/** Prepares a series and makes all members; undefined: too few values to tell them apart. */
export function assemble(
  series: Series,
  also: readonly CandidateName[],
  work = Number.POSITIVE_INFINITY,
): EnsembleParts | undefined {
  const prepared = prepareForEnsemble(series);
  const count = prepared.values.length;
  if (count < FEWEST_VALUES) return undefined;
  const chosen = chooseSeasons(prepared, series.stepMs);
  const { seasons } = chosen;
  const shapes = fitShapes(prepared, chosen, series.stepMs);
  const { taken: candidates, leftOut: untried } = chooseWithinWork(also, work, seasons.length > 0);
  const members = nameMembers(createMembers({ prepared, shapes, seasons, stepMs: series.stepMs, candidates }), {
    seasons,
    stepMs: series.stepMs,
  });
  const blend = new Blend(prepared, members, seasons[0] ?? 0);
  const middle = Math.max(1, Math.round((seasons[0] ?? count / 4) / 2));
  return { prepared, seasons: chosen, shapes, members, blend, middle, untried };
}

/** A series as the ensemble looks at it. @throws SeriesError see prepareSeries */
export function prepareForEnsemble(series: Series): PreparedSeries {
  return prepareSeries(series, wholeSteps(DAY_MS, series.stepMs), { isRepaired: true });
}

/** Fits shapes, or those of them that are wanted. */
export function fitShapes(
  prepared: PreparedSeries,
  { shapes }: ChosenSeasons,
  stepMs: number,
  isWanted: (key: string) => boolean = () => true,
): readonly KeyedShape[] {
  const keys = keysOfShapes(shapes, stepMs);
  return shapes.flatMap((shape, index) => {
    const key = keys[index] ?? "";
    return isWanted(key) ? [{ key, model: fitShape(prepared, shape, TESTED_SEASONS, ORIGINS_PER_HORIZON) }] : [];
  });
}

/** Place of the shape whose residuals speak for the ensemble's. */
export function bestShape({ blend, shapes, middle }: EnsembleParts): number {
  return blend.bestOf(shapes.length, middle);
}

/** Length of a cycle of residuals. */
export function cyclesOf({ stepMs }: Series, { values }: PreparedSeries): number {
  return cycleSteps(values.length, wholeSteps(DAY_MS, stepMs));
}

/** Members of another season than the day are called after the season. */
export function nameMembers(
  members: readonly Member[],
  { seasons, stepMs }: { readonly seasons: readonly number[]; readonly stepMs: number },
): readonly Member[] {
  const hasDay = seasons[0] === undefined || seasons[0] === wholeSteps(DAY_MS, stepMs);
  return hasDay ? members : members.map((member) => ({ ...member, name: withoutDays(member.name) }));
}

/** What was repaired, which season was found, and who speaks; for people. */
export function notesOf(
  { notes }: PreparedSeries,
  season: string | undefined,
  speakers: readonly Speaker[],
): readonly string[] {
  return [...notes, ...(season === undefined ? [] : [season]), describe(speakers)];
}

function withoutDays(name: string): string {
  return name
    .replaceAll(/\bday(s?)\b/g, "season$1")
    .replaceAll(/\bweeks?\b/g, "seasons")
    .replace(/\bhour(s?)\b/, "time$1");
}

/** Who speaks, for people. */
function describe(speakers: readonly Speaker[]): string {
  const named = speakers.slice(0, 3).map(({ name, weight }) => `${name} (${String(Math.round(100 * weight))} %)`);
  const others = speakers.length - named.length;
  return `blend of ${named.join(", ")}${others > 0 ? ` and ${String(others)} more` : ""}`;
}
