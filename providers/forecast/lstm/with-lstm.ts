/**
 * A model with an LSTM beside it, which speaks only where it beat the model on rolling origins of the series itself.
 *
 * Not for: the network (residual-lstm.ts). It costs about a second of CPU a series, most series have nothing to learn
 * beyond what closed forms say, and so it is asked for, never a default.
 *
 * Invariants
 * 1. Both are judged on origins after everything that either has seen.
 * 2. Where the gate stays shut, forecasts are those of the model, bit by bit.
 */
import type { QuantileForecast, Series } from "../../../sdk/model";
import type { FittedModel, Model } from "../model";
import { prepareSeries, type PreparedSeries } from "../prepare";
import { renderForecast } from "../render-forecast";
import type { QuantilesAt } from "../shape-model";
import { wholeSteps } from "../shape-model";
import { fitResidualLstm, type ResidualLstm } from "./residual-lstm";

const DAY_MS = 86_400_000;
/** Fewer values than this are not learned from. */
const FEWEST_VALUES = 300;
/** Shares of the series after which errors are measured, and after which both are judged. */
const TRAINED_SHARE = 0.7;
const JUDGED_SHARE = 0.85;
const ORIGINS = 6;
const JUDGED_LEVELS: readonly number[] = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9];
/** The LSTM speaks when its loss is this share of the model's or less, */
const LARGEST_LOSS = 0.97;
/** and when it won at so many of the origins: one lucky day is no reason. */
const FEWEST_WINS = 4;
/** How sharply its weight falls with its loss. */
const SHARPNESS = 3;

/** @param base the model that is beaten or speaks alone */
export function withLstm(base: Model): Model {
  return {
    name: `${base.name} + LSTM`,
    fit: (series) => {
      const fitted = base.fit(series);
      const prepared = prepareSeries(series, wholeSteps(DAY_MS, series.stepMs));
      const verdict = judge(base, series, prepared);
      const notes = [...fitted.notes, verdict.note];
      if (verdict.kind === "shut") return { ...fitted, notes };
      return blend(series, prepared, { ...fitted, notes }, verdict);
    },
  };
}

type Verdict =
  | { readonly kind: "shut"; readonly note: string }
  | { readonly kind: "open"; readonly note: string; readonly weight: number; readonly lstm: ResidualLstm };

/** Trains the network on the first part of the series and compares it with the model on the last one. */
function judge(base: Model, series: Series, prepared: PreparedSeries): Verdict {
  const shut = (why: string): Verdict => ({ kind: "shut", note: `LSTM: not used, ${why}` });
  const { values, measured } = prepared;
  const count = values.length;
  if (count < FEWEST_VALUES) return shut(`${String(count)} values are too few to train one`);
  const startMs = series.startMs + (series.values.length - prepared.missingAtEnd - count) * series.stepMs;
  const clean: Series = { ...series, startMs, values };
  const lstm = fitResidualLstm({ prepared, startMs, stepMs: series.stepMs }, Math.floor(count * TRAINED_SHARE));
  if (lstm === undefined) return shut("there is nothing to learn");
  if (lstm.record.bestEpoch === 0) return shut("it learned nothing that holds on what came after");

  const horizon = Math.max(1, Math.min(wholeSteps(DAY_MS, series.stepMs) || WINDOW_STEPS, Math.floor(count / 12)));
  const first = Math.floor(count * JUDGED_SHARE) - 1;
  const last = count - 1 - horizon;
  const totals = { base: 0, lstm: 0 };
  let wins = 0;
  for (let turn = 0; turn < ORIGINS; turn++) {
    const origin = Math.round(first + ((last - first) * turn) / (ORIGINS - 1));
    const { rows } = base.fit({ ...clean, values: values.subarray(0, origin + 1) }).predict(horizon, JUDGED_LEVELS);
    const said = lstm.at(JUDGED_LEVELS, origin);
    const losses = { base: 0, lstm: 0 };
    for (let h = 1; h <= horizon; h++) {
      if (measured[origin + h] === 0) continue;
      const actual = values[origin + h] ?? 0;
      losses.base += pinball((l) => rows[l]?.[h - 1] ?? 0, actual);
      const quantiles = said(origin, h);
      losses.lstm += pinball((l) => Math.max(0, quantiles[l] ?? 0), actual);
    }
    totals.base += losses.base;
    totals.lstm += losses.lstm;
    if (losses.lstm < losses.base) wins++;
  }
  const ratio = totals.base > 0 ? totals.lstm / totals.base : 1;
  const compared = `${describeRatio(ratio, base.name)} over ${String(ORIGINS)} origins, of which it won ${String(wins)}`;
  if (ratio > LARGEST_LOSS || wins < FEWEST_WINS) return shut(compared);
  const weight = 1 / (1 + ratio ** SHARPNESS);
  return {
    kind: "open",
    weight,
    lstm,
    note: `LSTM: ${String(Math.round(100 * weight))} % of the forecast, ${compared}`,
  };
}

/** Steps judged where there is no day. */
const WINDOW_STEPS = 24;

function describeRatio(ratio: number, base: string): string {
  const percent = Math.round(100 * Math.abs(1 - ratio));
  if (percent === 0) return `as good as the ${base}`;
  return `its loss is ${String(percent)} % ${ratio < 1 ? "below" : "above"} that of the ${base}`;
}

/** Quantiles of both, averaged by weight. */
function blend(
  series: Series,
  prepared: PreparedSeries,
  fitted: FittedModel,
  { lstm, weight }: Extract<Verdict, { kind: "open" }>,
): FittedModel {
  const { notes } = fitted;
  const origin = prepared.values.length - 1;
  return {
    ...fitted,
    predict: (horizon, levels, skip = 0): QuantileForecast => {
      const base = fitted.predict(horizon, levels, skip);
      const said: QuantilesAt = lstm.at(levels, origin);
      const quantilesAt = (ahead: number): readonly number[] => {
        const step = ahead - prepared.missingAtEnd - 1 - skip;
        const own = said(origin, ahead);
        return levels.map((_, l) => (1 - weight) * (base.rows[l]?.[step] ?? 0) + weight * Math.max(0, own[l] ?? 0));
      };
      return {
        ...renderForecast(series, prepared, { name: base.model, notes }, { horizon, levels, skip }, quantilesAt),
      };
    },
  };
}

function pinball(quantile: (l: number) => number, actual: number): number {
  let loss = 0;
  JUDGED_LEVELS.forEach((level, l) => {
    const error = actual - quantile(l);
    loss += Math.max(level * error, (level - 1) * error);
  });
  return loss;
}
