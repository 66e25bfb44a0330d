import { strict as assert } from "node:assert";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "mocha";
import { fitDoubleSeasonal, smoothDoubleSeasonal } from "../../providers/forecast/double-seasonal";
import { createRandom } from "../../providers/forecast/random";

interface Oracle {
  readonly season: number;
  readonly values: readonly number[];
  readonly cases: readonly {
    readonly level: number;
    readonly day: number;
    /** One step ahead, from the beginning. */
    readonly fitted: readonly number[];
    readonly forecast: readonly number[];
  }[];
}

const FIXTURE = join(process.cwd(), "test", "forecast", "fixtures", "smoothing.json");
const DAY = 24;
const WEEK = 7 * DAY;

/** A daily wave, quiet at the end of each week, on a level. */
function weeklyWave(weeks: number, noise: number): Float64Array {
  const random = createRandom(5);
  return Float64Array.from({ length: weeks * WEEK }, (_, t) => {
    const quiet = Math.floor(t / DAY) % 7 >= 5 ? -20 : 0;
    return 100 + 30 * Math.sin((2 * Math.PI * t) / DAY) + quiet + noise * random.normal();
  });
}

describe("double-seasonal smoothing", () => {
  it("gives what statsmodels gives with one season and the same first states", () => {
    const { season, values, cases } = JSON.parse(readFileSync(FIXTURE, "utf8")) as Oracle;
    for (const { level, day, fitted, forecast } of cases) {
      const { point } = smoothDoubleSeasonal(Float64Array.from(values), season, 0, { level, day, week: 0, error: 0 });
      fitted.slice(1).forEach((expected, index) => {
        assert.ok(Math.abs(point(index, 1) - expected) < 1e-8, `after ${String(index)}`);
      });
      forecast.forEach((expected, index) => {
        // statsmodels forecasts the last value's place in the season from its state before that value.
        if ((index + 1) % season === 0) return;
        assert.ok(Math.abs(point(values.length - 1, index + 1) - expected) < 1e-8, `step ${String(index + 1)}`);
      });
    }
  });

  it("repeats a day and a week without noise for ever", () => {
    const values = weeklyWave(4, 0);
    const { point } = fitDoubleSeasonal(values, DAY, WEEK);
    for (const horizon of [1, 24, 100, 168, 300]) {
      const expected = values[(values.length - 1 + horizon) % WEEK] ?? 0;
      assert.ok(Math.abs(point(values.length - 1, horizon) - expected) < 1e-6, String(horizon));
    }
  });

  it("is better with the week where weeks differ", () => {
    const values = weeklyWave(5, 2);
    assert.ok(fitDoubleSeasonal(values, DAY, WEEK).loss < fitDoubleSeasonal(values, DAY, 0).loss);
  });

  it("finds how much of an error lasts", () => {
    const random = createRandom(11);
    let error = 0;
    const values = Float64Array.from({ length: 30 * DAY }, (_, t) => {
      error = 0.8 * error + 3 * random.normal();
      return 200 + 40 * Math.sin((2 * Math.PI * t) / DAY) + error;
    });
    const { speeds } = fitDoubleSeasonal(values, DAY, 0);
    assert.ok(speeds.error + speeds.level > 0.6 && speeds.error + speeds.level < 1.1, JSON.stringify(speeds));
  });

  it("scales and moves with its series, and reads nothing after an origin", () => {
    const values = weeklyWave(3, 3);
    const { point } = fitDoubleSeasonal(values, DAY, 0);
    const other = fitDoubleSeasonal(
      values.map((value) => 7 * value + 500),
      DAY,
      0,
    );
    assert.ok(Math.abs(other.point(400, 30) - (7 * point(400, 30) + 500)) < 1e-6);
    const speeds = { level: 0.2, day: 0.2, week: 0, error: 0.5 };
    const changed = values.map((value, t) => (t > 400 ? 0 : value));
    assert.equal(
      smoothDoubleSeasonal(values, DAY, 0, speeds).point(400, 30),
      smoothDoubleSeasonal(changed, DAY, 0, speeds).point(400, 30),
    );
  });
});
