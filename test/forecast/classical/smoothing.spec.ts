import { strict as assert } from "node:assert";
import { describe, it } from "mocha";
import { fitSmoothing, smoothingModel, smoothTrend } from "../../../providers/forecast/classical/exponential-smoothing";
import { runTheta, thetaModel } from "../../../providers/forecast/classical/theta";
import { createRandom } from "../../../providers/forecast/random";
import { assertAllNear, ORACLE, VALUES } from "./oracle";

const LAST = VALUES.length - 1;
const AHEAD = Array.from({ length: 12 }, (_, i) => i + 1);

describe("exponential smoothing without a season", () => {
  it("gives what statsmodels gives for a damped trend", () => {
    const { speeds, start, squares, forecast } = ORACLE.damped;
    const states = smoothTrend(VALUES, speeds, start);
    assert.ok(Math.abs(states.squares / squares - 1) < 1e-9);
    const { damping } = speeds;
    assertAllNear(
      AHEAD.map(
        (h) => (states.level[LAST] ?? 0) + ((states.trend[LAST] ?? 0) * damping * (1 - damping ** h)) / (1 - damping),
      ),
      forecast,
      1e-8,
    );
  });

  it("finds the speed of a level that wanders", () => {
    const random = createRandom(3);
    let level = 100;
    const values = Float64Array.from({ length: 800 }, () => {
      const surprise = random.normal();
      const value = level + surprise;
      level += 0.35 * surprise;
      return value;
    });
    const { speeds } = fitSmoothing(values, "level") ?? { speeds: { level: 0 } };
    assert.ok(Math.abs(speeds.level - 0.35) < 0.07, String(speeds.level));
  });

  it("prefers a trend where there is one and none where there is not", () => {
    const random = createRandom(4);
    const noise = Float64Array.from({ length: 200 }, () => random.normal());
    const model = smoothingModel("any", ["level", "trend", "damped"]);
    assert.equal(model.fit(noise.map((value, t) => value + 2 * t))?.kind, "trend");
    assert.equal(model.fit(noise)?.kind, "level");
  });

  it("goes on with a straight line, and reads nothing after an origin", () => {
    const line = Float64Array.from({ length: 60 }, (_, t) => 5 + 3 * t);
    const model = smoothingModel("trend", ["trend"]);
    const fitted = model.fit(line);
    assert.ok(fitted);
    assert.ok(Math.abs(model.run(line, fitted)(59, 10) - (5 + 3 * 69)) < 1e-6);
    const changed = line.map((value, t) => (t > 40 ? 0 : value));
    assert.equal(model.run(changed, fitted)(40, 5), model.run(line, fitted)(40, 5));
  });

  it("is none for a handful of values", () => {
    assert.equal(fitSmoothing(Float64Array.of(1, 2, 3), "level"), undefined);
  });
});

describe("the Theta method", () => {
  it("gives what statsmodels gives for the same speed", () => {
    const { alpha, slope, forecast } = ORACLE.theta;
    assert.ok(Math.abs((runTheta(VALUES, alpha).slope[LAST] ?? 0) - slope) < 1e-9);
    const point = thetaModel(false).run(VALUES, { alpha, theta: 2 });
    assertAllNear(
      AHEAD.map((h) => point(LAST, h)),
      forecast,
      1e-6,
    );
  });

  it("drifts by half the slope of a line with theta 2, and hardly at all with a theta near 1", () => {
    const line = Float64Array.from({ length: 100 }, (_, t) => 7 * t);
    const drift = (theta: number): number => {
      const point = thetaModel(false).run(line, { alpha: 0.5, theta });
      return point(99, 11) - point(99, 10);
    };
    assert.ok(Math.abs(drift(2) - 3.5) < 1e-9);
    assert.ok(Math.abs(drift(1)) < 1e-9);
  });

  it("chooses a larger theta where the trend lasts than where there is none", () => {
    const random = createRandom(8);
    const noise = Float64Array.from({ length: 300 }, () => random.normal());
    const model = thetaModel(true);
    const lasting = model.fit(noise.map((value, t) => value + t))?.theta ?? 0;
    const none = model.fit(noise)?.theta ?? 9;
    assert.ok(lasting > none && lasting > 3, `${String(lasting)} and ${String(none)}`);
  });
});
