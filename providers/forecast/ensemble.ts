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
import { Blend } from "./blend";
import type { CandidateName } from "./classical/candidate-names";
import { ORIGINS_PER_HORIZON } from "./bucket-errors";
import { createMembers } from "./members";
import type { FittedModel, Model } from "./model";
import { prepareSeries } from "./prepare";
import { renderForecast } from "./render-forecast";
import { seasonalNaive } from "./seasonal-naive";
import { chooseSeasons } from "./series/choose-seasons";
import { cycleSteps, fitShape, wholeSteps } from "./shape-model";

const DAY_MS = 86_400_000;
/** Fewer values than this cannot tell members apart. */
const FEWEST_VALUES = 12;
const TESTED_SEASONS = 4;

/** Settings of the ensemble. */
export interface EnsembleSetting {
  /** Classical models that are candidates too; those that do not pay on a series are left out of its blend. @default [] */
  readonly also?: readonly CandidateName[];
}

/** Creates the model. */
export function ensemble({ also = [] }: EnsembleSetting = {}): Model {
  return { name: "ensemble", fit: (series) => fit(series, also) };
}

function fit(series: Series, candidates: readonly CandidateName[]): FittedModel {
  const daySteps = wholeSteps(DAY_MS, series.stepMs);
  const prepared = prepareSeries(series, daySteps, { isRepaired: true });
  const count = prepared.values.length;
  if (count < FEWEST_VALUES) return seasonalNaive().fit(series);
  const { seasons, shapes: tried, note } = chooseSeasons(prepared, series.stepMs);
  const shapes = tried.map((shape) => fitShape(prepared, shape, TESTED_SEASONS, ORIGINS_PER_HORIZON));
  const created = createMembers({ prepared, shapes, seasons, stepMs: series.stepMs, candidates });
  const hasDay = seasons[0] === undefined || seasons[0] === daySteps;
  const members = hasDay ? created : created.map((member) => ({ ...member, name: withoutDays(member.name) }));
  const blend = new Blend(prepared, members, seasons[0] ?? 0);
  const middle = Math.max(1, Math.round((seasons[0] ?? count / 4) / 2));
  const notes = [...prepared.notes, ...(note === undefined ? [] : [note]), describe(blend.speakersAt(middle))];
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
    residualCycles:
      (shapes[blend.bestOf(shapes.length, middle)] ?? shapes[0])?.residualCycles(cycleSteps(count, daySteps)) ?? [],
  };
}

/** Members of another season than the day are called after the season. */
function withoutDays(name: string): string {
  return name
    .replaceAll(/\bday(s?)\b/g, "season$1")
    .replaceAll(/\bweeks?\b/g, "seasons")
    .replace(/\bhour(s?)\b/, "time$1");
}

/** Who speaks, for people. */
function describe(speakers: ReturnType<Blend["speakersAt"]>): string {
  const named = speakers.slice(0, 3).map(({ name, weight }) => `${name} (${String(Math.round(100 * weight))} %)`);
  const others = speakers.length - named.length;
  return `blend of ${named.join(", ")}${others > 0 ? ` and ${String(others)} more` : ""}`;
}
