import { strict as assert } from "node:assert";
import { describe, it } from "mocha";
import { fourierModel } from "../../../providers/forecast/classical/fourier-regression";
import { smoothingModel } from "../../../providers/forecast/classical/exponential-smoothing";
import { adjustSeasons, fitAdjusted } from "../../../providers/forecast/classical/seasonal-adjustment";
import { decomposeSeason, decomposeSeasons } from "../../../providers/forecast/classical/stl";
import { createRandom } from "../../../providers/forecast/random";
import { assertAllNear, ORACLE, VALUES } from "./oracle";

const DAY = 24;
const WEEK = 7 * DAY;

function every(values: Float64Array, step: number): Float64Array {
  return values.filter((_, t) => t % step === 0);
}

function weekly(weeks: number, noise: number): Float64Array {
  const random = createRandom(5);
  return Float64Array.from({ length: weeks * WEEK }, (_, t) => {
    const week = 20 * Math.sin((2 * Math.PI * t) / WEEK);
    return 100 + 30 * Math.sin((2 * Math.PI * t) / DAY) + week + noise * random.normal();
  });
}

describe("seasonal-trend decomposition", () => {
  it("gives what statsmodels' STL gives", () => {
    const { trend, seasonal } = decomposeSeason(VALUES, { season: ORACLE.season, window: 11, jumpPart: 1 });
    assertAllNear(every(trend, ORACLE.stl.every), ORACLE.stl.trend, 1e-7);
    assertAllNear(every(seasonal, ORACLE.stl.every), ORACLE.stl.seasonal, 1e-7);
  });

  it("gives what statsmodels' MSTL gives for two seasons", () => {
    const { seasons, trend, seasonals, every: step } = ORACLE.mstl;
    const parts = decomposeSeasons(VALUES, seasons, 1);
    assertAllNear(every(parts.trend, step), trend, 1e-7);
    seasonals.forEach((expected, k) => {
      assertAllNear(every(parts.seasonals[k] ?? VALUES, step), expected, 1e-7);
    });
  });

  it("is hardly changed by lines between computed points", () => {
    const values = weekly(4, 2);
    const whole = decomposeSeason(values, { season: DAY, window: 11, jumpPart: 1 });
    const lines = decomposeSeason(values, { season: DAY, window: 11, jumpPart: 10 });
    whole.trend.forEach((value, t) => {
      assert.ok(Math.abs(value - (lines.trend[t] ?? 0)) < 0.6, String(t));
    });
  });

  it("scales and moves with its series", () => {
    const values = weekly(2, 3);
    const { trend, seasonal } = decomposeSeason(values, { season: DAY, window: 11, jumpPart: 10 });
    const other = decomposeSeason(
      values.map((value) => 3 * value + 50),
      { season: DAY, window: 11, jumpPart: 10 },
    );
    values.forEach((_, t) => {
      assert.ok(Math.abs((other.seasonal[t] ?? 0) - 3 * (seasonal[t] ?? 0)) < 1e-6);
      assert.ok(Math.abs((other.trend[t] ?? 0) - (3 * (trend[t] ?? 0) + 50)) < 1e-6);
    });
  });
});

describe("models on adjusted series", () => {
  it("repeat a day and a week without noise", () => {
    const values = weekly(6, 0);
    const fitted = fitAdjusted(adjustSeasons(values, [DAY, WEEK]), smoothingModel("level", ["level"]));
    for (const horizon of [1, 10, 24, 100]) {
      const expected =
        100 +
        30 * Math.sin((2 * Math.PI * (values.length - 1 + horizon)) / DAY) +
        20 * Math.sin((2 * Math.PI * (values.length - 1 + horizon)) / WEEK);
      assert.ok(Math.abs((fitted?.point(values.length - 1, horizon) ?? 0) - expected) < 4, String(horizon));
    }
  });

  it("know the season of the past only", () => {
    const values = weekly(4, 2);
    const origin = 3 * WEEK;
    const changed = values.map((value, t) => (t > origin ? value + 500 * Math.sin(t) : value));
    const parameters = {
      kind: "level",
      speeds: { level: 0.2, trend: 0, damping: 0 },
      start: { level: 0, trend: 0 },
      criterion: 0,
    } as const;
    const model = { ...smoothingModel("level", ["level"]), fit: () => parameters };
    const at = (series: Float64Array): number | undefined =>
      fitAdjusted(adjustSeasons(series, [DAY]), model)?.point(origin, 12);
    assert.equal(at(values), at(changed));
  });
});

describe("waves with autoregressive errors", () => {
  it("repeat waves of the day and of the week", () => {
    const values = weekly(6, 0);
    const fitted = fourierModel([DAY, WEEK]).fit(values);
    for (const horizon of [1, 13, 30, 100]) {
      const t = values.length - 1 + horizon;
      const expected = 100 + 30 * Math.sin((2 * Math.PI * t) / DAY) + 20 * Math.sin((2 * Math.PI * t) / WEEK);
      assert.ok(Math.abs((fitted?.point(values.length - 1, horizon) ?? 0) - expected) < 1, String(horizon));
    }
  });

  it("forget an error as fast as errors die out", () => {
    const random = createRandom(2);
    let error = 0;
    const values = Float64Array.from({ length: 60 * DAY }, (_, t) => {
      error = 0.8 * error + random.normal();
      return 50 + 10 * Math.sin((2 * Math.PI * t) / DAY) + error;
    });
    const last = values.length - 1;
    const moved = values.map((value, t) => (t === last ? value + 8 : value));
    const change = (horizon: number): number =>
      (fourierModel([DAY]).fit(moved)?.point(last, horizon) ?? 0) -
      (fourierModel([DAY]).fit(values)?.point(last, horizon) ?? 0);
    assert.ok(change(1) > 5 && change(1) < 7.5, String(change(1)));
    assert.ok(Math.abs(change(40)) < 0.5, String(change(40)));
  });

  it("are none without a season", () => {
    assert.equal(fourierModel([]).fit(VALUES), undefined);
  });
});
