/**
 * The ensemble for forecasts that are made again and again as a series grows: who speaks how loudly is weighed only at
 * some moments, at multiples of a pace, and what was weighed then is used until the next one. The members themselves
 * always know the newest value, but only those are made that speak.
 *
 * Not for: where weights are kept (providers/forecast-cache); a single forecast, which the plain ensemble makes cheaper.
 *
 * Invariants
 * 1. An update is the fit from nothing, bit by bit: weights follow from the values between two multiples of the pace,
 *    whether they were kept or are made anew, and from nothing else. A memory changes what it costs, never what is said.
 * 2. Weights are never older than one pace, at most a sixteenth of the series, and the oldest values that they do not
 *    look at are no more than that.
 * 3. Where the values since then are not what was foreseen, everything is weighed anew: the plain ensemble speaks.
 */
import type { Series } from "../../sdk/model";
import { isKind, seriesEndMs } from "../../sdk/model";
import { Blend, judgedHorizons, nearestPlace, type Speaker, type Tuning } from "./blend";
import {
  assemble,
  bestShape,
  cyclesOf,
  ensemble,
  fitShapes,
  nameMembers,
  notesOf,
  prepareForEnsemble,
  type EnsembleParts,
} from "./ensemble";
import { createMembers } from "./members";
import type { FittedModel, Model } from "./model";
import type { PreparedSeries } from "./prepare";
import { renderForecast } from "./render-forecast";
import type { ChosenSeasons } from "./series/choose-seasons";
import type { QuantilesAt } from "./shape-model";

/** What was weighed at one moment; plain data that may be kept and cross threads. */
export interface EnsembleTuning {
  /** Values that were weighed on, gaps filled. */
  readonly count: number;
  readonly seasons: ChosenSeasons;
  /** Key of the shape whose residuals stand for the ensemble's. */
  readonly bestShape: string;
  /** Horizon that stands for all where one is enough. */
  readonly middle: number;
  /** Members that speak at some horizon. */
  readonly speakers: readonly { readonly key: string; readonly name: string }[];
  /** By judged horizon. */
  readonly horizons: readonly HorizonTuning[];
}

/** Weights and widths at one horizon; `shares` by place among the speakers. */
export interface HorizonTuning {
  readonly horizon: number;
  readonly shares: readonly number[];
  readonly widths: Omit<Tuning, "weights">;
}

/** Where weights are kept, by the content that they were weighed on. */
export interface TuningMemory {
  read(weighed: Series): EnsembleTuning | undefined;
  write(weighed: Series, tuning: EnsembleTuning): void;
}

/** A pace is at most this share of the series. */
const PACES_PER_SERIES = 16;
/** So many new values tell whether they were foreseen: more than half of them outside the middle 95 % were not. */
const FEWEST_JUDGED = 6;
const SURPRISING_SHARE = 0.5;
const FORESEEN_LEVELS = [0.025, 0.975] as const;
const NAME = "paced ensemble";

/** @param memory @default nothing is kept */
export function pacedEnsemble(memory: TuningMemory = { read: () => undefined, write: () => undefined }): Model {
  return { name: NAME, fit: (series) => fit(series, memory) };
}

/** The part of a series that its weights follow from; undefined: too short, all of it is weighed each time. */
export function weighedPart(series: Series): Series | undefined {
  const { startMs, stepMs, values } = series;
  if (values.length < 2 * PACES_PER_SERIES) return undefined;
  // A power of two: the pace does not change with each value of a series that grows.
  const pace = 2 ** Math.floor(Math.log2(values.length / PACES_PER_SERIES));
  const first = Math.round(startMs / stepMs);
  const from = Math.ceil(first / pace) * pace - first;
  const until = Math.floor((first + values.length) / pace) * pace - first;
  return { ...series, startMs: startMs + from * stepMs, values: values.slice(from, until) };
}

function fit(series: Series, memory: TuningMemory): FittedModel {
  const part = weighedPart(series);
  const prepared = prepareForEnsemble(series);
  const source = part === undefined ? undefined : openTuning(part, memory);
  if (part === undefined || source === undefined) return ensemble().fit(series);
  const { seasons, bestShape: best, middle } = source.tuning();
  const [shape] = fitShapes(prepared, seasons, series.stepMs, (key) => key === best);
  const newSteps = Math.round((seriesEndMs(series) - seriesEndMs(part)) / series.stepMs) - prepared.missingAtEnd;
  if (shape === undefined || isSurprising(prepared, newSteps, shape.model.at(FORESEEN_LEVELS))) {
    return ensemble().fit(series);
  }
  const notes = notesOf(prepared, seasons.note, source.speakersAt(middle));
  return {
    name: NAME,
    notes,
    warnings: prepared.warnings,
    predict: (horizon, levels, skip = 0) => {
      const request = { horizon, levels, skip };
      const blend = blendFor(series, prepared, source, [skip, horizon]);
      return renderForecast(series, prepared, { name: NAME, notes }, request, blend.at(levels));
    },
    residualCycles: shape.model.residualCycles(cyclesOf(series, prepared)),
  };
}

/** Whether most of the newest values lie outside of what was foreseen before them. */
function isSurprising({ values, measured }: PreparedSeries, newSteps: number, foreseen: QuantilesAt): boolean {
  const origin = values.length - 1 - newSteps;
  let judged = 0;
  let outside = 0;
  for (let horizon = 1; horizon <= newSteps; horizon++) {
    const value = values[origin + horizon] ?? 0;
    if (measured[origin + horizon] === 0) continue;
    const [low = 0, high = 0] = Array.from(foreseen(origin, horizon));
    judged++;
    if (value < low || value > high) outside++;
  }
  return judged >= FEWEST_JUDGED && outside > judged * SURPRISING_SHARE;
}

/** The members that speak within a range of horizons, on all that is known now. */
function blendFor(
  series: Series,
  prepared: PreparedSeries,
  source: TuningSource,
  [skip, horizon]: readonly [number, number],
): Blend {
  const { stepMs } = series;
  const chosen = source.tuning().seasons;
  const { seasons } = chosen;
  const wanted = source.keysWithin(skip + 1 + prepared.missingAtEnd, horizon + prepared.missingAtEnd);
  const isWanted = (key: string): boolean => wanted.has(key);
  const shapes = fitShapes(prepared, chosen, stepMs, isWanted);
  const members = createMembers({ prepared, shapes, seasons, stepMs, candidates: [], isWanted });
  const keys = members.map(({ key }) => key);
  return new Blend(prepared, nameMembers(members, { seasons, stepMs }), seasons[0] ?? 0, (ahead) =>
    source.tuningOf(keys, ahead),
  );
}

/** What was weighed on a part of a series, from a memory as far as it goes. */
class TuningSource {
  private parts: EnsembleParts | undefined;
  private readonly grid: readonly number[];

  constructor(
    private readonly part: Series,
    private readonly memory: TuningMemory,
    private known: EnsembleTuning,
    parts?: EnsembleParts,
  ) {
    this.parts = parts;
    this.grid = judgedHorizons(known.count);
  }

  tuning(): EnsembleTuning {
    return this.known;
  }

  /** Who speaks at a horizon, loudest first. */
  speakersAt(horizon: number): readonly Speaker[] {
    const { shares } = this.at(horizon);
    return this.known.speakers
      .map(({ name }, index) => ({ name, weight: shares[index] ?? 0 }))
      .filter(({ weight }) => weight > 0)
      .sort((a, b) => b.weight - a.weight);
  }

  /** Keys of the members that speak anywhere from one horizon to another. */
  keysWithin(from: number, to: number): ReadonlySet<string> {
    const places = [nearestPlace(this.grid, from), nearestPlace(this.grid, to)] as const;
    const keys = new Set<string>();
    for (let place = places[0]; place <= places[1]; place++) {
      const { shares } = this.at(this.grid[place] ?? 1);
      this.known.speakers.forEach(({ key }, index) => {
        if ((shares[index] ?? 0) > 0) keys.add(key);
      });
    }
    return keys;
  }

  /** Weights of members at a horizon, in the order of their keys; those that speak are among them. */
  tuningOf(keys: readonly string[], horizon: number): Tuning {
    const { shares, widths } = this.at(horizon);
    const byKey = new Map(this.known.speakers.map(({ key }, index) => [key, shares[index] ?? 0]));
    const weights = Float64Array.from(keys, (key) => byKey.get(key) ?? 0);
    // A member that the whole series does not have leaves its share to the others.
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    return { ...widths, weights: total > 0 ? weights.map((weight) => weight / total) : weights.fill(1 / keys.length) };
  }

  private at(horizon: number): HorizonTuning {
    const judged = this.grid[nearestPlace(this.grid, horizon)] ?? 1;
    return this.known.horizons.find((one) => one.horizon === judged) ?? this.weigh(judged);
  }

  private weigh(horizon: number): HorizonTuning {
    this.parts ??= assemble(this.part, []);
    if (this.parts === undefined) throw new RangeError("a part that was weighed once can be weighed again");
    const { members, blend } = this.parts;
    const { weights, ...widths } = blend.tuningAt(horizon);
    const speakers = [...this.known.speakers];
    const shares = new Array<number>(speakers.length).fill(0);
    members.forEach(({ key, name }, index) => {
      const weight = weights[index] ?? 0;
      if (weight === 0) return;
      const place = speakers.findIndex((speaker) => speaker.key === key);
      shares[place < 0 ? speakers.push({ key, name }) - 1 : place] = weight;
    });
    const tuned = { horizon, shares, widths };
    this.known = { ...this.known, speakers, horizons: [...this.known.horizons, tuned] };
    this.memory.write(this.part, this.known);
    return tuned;
  }
}

/** @returns undefined where the part cannot be weighed, for it is all gaps or almost empty */
function openTuning(part: Series, memory: TuningMemory): TuningSource | undefined {
  const kept = memory.read(part);
  if (kept !== undefined) return new TuningSource(part, memory, kept);
  const parts = assemblePart(part);
  if (parts === undefined) return undefined;
  const { prepared, seasons, shapes, middle } = parts;
  const best = shapes[bestShape(parts)] ?? shapes[0];
  const bare = {
    count: prepared.values.length,
    seasons,
    bestShape: best?.key ?? "",
    middle,
    speakers: [],
    horizons: [],
  };
  return new TuningSource(part, memory, bare, parts);
}

function assemblePart(part: Series): EnsembleParts | undefined {
  try {
    return assemble(part, []);
  } catch (error) {
    if (!isKind(error, "SeriesError")) throw error;
    return undefined;
  }
}
