import { strict as assert } from "node:assert";
import { describe, it } from "mocha";
import { ensemble } from "../../../providers/forecast/ensemble";
import { fitResidualLstm } from "../../../providers/forecast/lstm/residual-lstm";
import { withLstm } from "../../../providers/forecast/lstm/with-lstm";
import { prepareSeries } from "../../../providers/forecast/prepare";
import { createRandom } from "../../../providers/forecast/random";
import { seasonalNaive } from "../../../providers/forecast/seasonal-naive";
import type { QuantileForecast, Series } from "../../../sdk/model";
import { assertWellFormed } from "../model-contract";
import { HOUR_MS, dailySeries, seriesOf } from "../series-builders";

const LEVELS = [0.05, 0.5, 0.95];
const HORIZON = 12;

/** A heap that fills at its own pace until it is collected: no season, and what comes next is no sum of what was. */
function sawtooth(seed: number, count: number): Series {
  const random = createRandom(seed);
  let level = 100;
  let pace = 10;
  const values = Array.from({ length: count }, () => {
    level += pace * (1 + 0.1 * random.normal());
    if (level > 900) {
      level = 100 + 20 * random.next();
      pace = 15 + 15 * random.next();
    }
    return level;
  });
  return seriesOf(values, { stepMs: HOUR_MS });
}

/** The logistic map: each value follows from the one before it, and none is correlated with another. */
function chaoticLoad(seed: number, count: number): Series {
  const random = createRandom(seed);
  let state = random.next();
  const values = Array.from({ length: count }, () => {
    state = 3.9999 * state * (1 - state);
    return 100 + 400 * state + 5 * random.normal();
  });
  return seriesOf(values, { stepMs: HOUR_MS });
}

function correlation(values: Float64Array, mean: number, lag: number): number {
  let product = 0;
  let squares = 0;
  values.forEach((value, index) => {
    squares += (value - mean) ** 2;
    if (index >= lag) product += (value - mean) * ((values[index - lag] ?? 0) - mean);
  });
  return product / squares;
}

function cut(series: Series, count: number): Series {
  return { ...series, values: series.values.slice(0, count) };
}

function medianError({ rows }: QuantileForecast, { values }: Series, from: number): number {
  const median = rows[1] ?? [];
  return median.reduce((sum, value, h) => sum + Math.abs(value - (values[from + h] ?? 0)), 0) / median.length;
}

describe("an LSTM beside a model", () => {
  it("learns a pattern that no sum of past values forecasts, within 5 s of CPU", function () {
    this.timeout(60_000);
    const series = chaoticLoad(2, 840);
    const { values } = series;
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    for (let lag = 1; lag <= 48; lag++) assert.ok(Math.abs(correlation(values, mean, lag)) < 0.2, `lag ${String(lag)}`);
    const before = process.cpuUsage();
    const input = { prepared: prepareSeries(series, 24), startMs: series.startMs, stepMs: series.stepMs };
    const lstm = fitResidualLstm(input, 588);
    const { user, system } = process.cpuUsage(before);
    assert.ok(lstm);
    const median = lstm.at([0.5], values.length - 1);
    let own = 0;
    let ofMean = 0;
    for (let origin = lstm.firstOrigin; origin < values.length - 1; origin++) {
      const actual = values[origin + 1] ?? 0;
      own += Math.abs(actual - (median(origin, 1)[0] ?? 0));
      ofMean += Math.abs(actual - mean);
    }
    assert.ok(own < 0.5 * ofMean, `error ${String(own / ofMean)} of the mean's`);
    assert.ok(user + system <= 5e6, `${String((user + system) / 1000)} ms of CPU`);
  });

  it("reads nothing of what follows an origin", function () {
    this.timeout(60_000);
    const series = chaoticLoad(3, 400);
    const changed = { ...series, values: series.values.map((value, index) => (index > 350 ? 5000 - value : value)) };
    const said = [series, changed].map(({ values }) => {
      const prepared = prepareSeries({ ...series, values }, 24);
      return fitResidualLstm({ prepared, startMs: series.startMs, stepMs: series.stepMs }, 300)?.at(LEVELS, 350);
    });
    for (const horizon of [1, 7, 24, 40]) assert.deepEqual(said[0]?.(350, horizon), said[1]?.(350, horizon));
  });

  it("opens its gate where it beats the model beside it, says so, and lowers the error there", function () {
    this.timeout(60_000);
    const whole = sawtooth(3, 840 + 2 * HORIZON);
    const errors = { base: 0, lstm: 0 };
    for (let turn = 0; turn < 2; turn++) {
      const count = 840 + turn * HORIZON;
      const known = cut(whole, count);
      errors.base += medianError(seasonalNaive().fit(known).predict(HORIZON, LEVELS), whole, count);
      const fitted = withLstm(seasonalNaive()).fit(known);
      assert.match(
        fitted.notes.join("\n"),
        /LSTM: \d+ % of the forecast, its loss is \d+ % below that of the seasonal-naive/,
      );
      const forecast = fitted.predict(HORIZON, LEVELS);
      assertWellFormed(forecast, HORIZON);
      assert.deepEqual(
        fitted.predict(HORIZON, LEVELS, 5).rows,
        forecast.rows.map((row) => row.slice(5)),
      );
      errors.lstm += medianError(forecast, whole, count);
    }
    assert.ok(errors.lstm < 0.9 * errors.base, `${String(errors.lstm)} against ${String(errors.base)}`);
  });

  it("keeps its gate shut where a season is all there is, and changes no number then", function () {
    this.timeout(60_000);
    const series = dailySeries({ days: 21, seed: 4 });
    const fitted = withLstm(ensemble()).fit(series);
    assert.match(fitted.notes.join("\n"), /LSTM: not used, /);
    assert.deepEqual(fitted.predict(24, LEVELS).rows, ensemble().fit(series).predict(24, LEVELS).rows);
  });

  it("gives the same forecast for the same series", function () {
    this.timeout(60_000);
    const series = sawtooth(2, 420);
    const forecast = (): QuantileForecast => withLstm(ensemble()).fit(series).predict(24, LEVELS);
    assert.deepEqual(forecast(), forecast());
  });

  it("says that short and constant series leave nothing to learn", () => {
    const notesOf = (values: readonly number[]): string =>
      withLstm(ensemble())
        .fit(seriesOf(values, { stepMs: HOUR_MS }))
        .notes.join("\n");
    assert.match(
      notesOf(Array.from({ length: 100 }, (_, i) => 100 + (i % 7))),
      /LSTM: not used, 100 values are too few/,
    );
    assert.match(notesOf(new Array<number>(600).fill(42)), /LSTM: not used, there is nothing to learn/);
  });
});
