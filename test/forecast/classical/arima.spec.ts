import { strict as assert } from "node:assert";
import { describe, it } from "mocha";
import type { ArimaOrder } from "../../../providers/forecast/classical/arima";
import { fitArima, forecastArima, isStationary, startValues } from "../../../providers/forecast/classical/arima";
import { kpss, searchArima, seasonStrength } from "../../../providers/forecast/classical/arima-search";
import {
  fitAutoregression,
  forecastWeights,
  solveYuleWalker,
} from "../../../providers/forecast/classical/autoregression";
import { createRandom } from "../../../providers/forecast/random";
import { assertAllNear, centred, ORACLE, VALUES } from "./oracle";

const NONE = { p: 0, d: 0, q: 0, seasonalP: 0, seasonalD: 0, seasonalQ: 0, season: 1 };

/** phi 0.7, theta 0.4. */
function simulate(count: number, seed: number): Float64Array {
  const random = createRandom(seed);
  let [value, before] = [0, 0];
  return Float64Array.from({ length: count }, () => {
    const error = random.normal();
    value = 0.7 * value + error + 0.4 * before;
    before = error;
    return value;
  });
}

describe("autoregression", () => {
  it("gives what statsmodels' Yule-Walker gives", () => {
    const { coefficients, variance } = ORACLE.yuleWalker;
    const solved = solveYuleWalker(centred(VALUES), 4).at(-1);
    assertAllNear(solved?.coefficients ?? [], coefficients, 1e-9);
    assert.ok(Math.abs((solved?.variance ?? 0) / variance - 1) < 1e-9);
  });

  it("finds the order that made the values, and weighs the last ones for any horizon", () => {
    const random = createRandom(1);
    const values = new Float64Array(4000);
    for (let t = 2; t < values.length; t++) {
      values[t] = 0.5 * (values[t - 1] ?? 0) + 0.3 * (values[t - 2] ?? 0) + random.normal();
    }
    const { coefficients } = fitAutoregression(values, 10);
    assert.ok(Math.abs((coefficients[0] ?? 0) - 0.5) < 0.06 && Math.abs((coefficients[1] ?? 0) - 0.3) < 0.06);
    const weights = forecastWeights(Float64Array.of(0.5, 0.3));
    assertAllNear(weights(2), [0.55, 0.15], 1e-12);
    assertAllNear(weights(3), [0.5 * 0.55 + 0.15, 0.3 * 0.55], 1e-12);
  });
});

describe("ARIMA", () => {
  for (const { order, isCentred, coefficients, forecast, fitted } of ORACLE.arima) {
    const name = JSON.stringify(Object.values(order));
    const values = isCentred ? centred(VALUES) : VALUES;

    it(`forecasts what statsmodels' Kalman filter forecasts, ${name}`, () => {
      const point = forecastArima(values, order, { at: Float64Array.from(coefficients), mean: 0 });
      // The filter knows the first values' distribution, this one does not: what is left of it after 240 values.
      assertAllNear(
        forecast.map((_, h) => point(values.length - 1, h + 1)),
        forecast,
        0.02,
      );
    });

    it(`leaves no larger errors than the coefficients of maximum likelihood, ${name}`, () => {
      const fit = fitArima(values, order);
      assert.ok(fit);
      const likeliest = forecastArima(values, order, { at: Float64Array.from(fitted), mean: 0 });
      let squares = 0;
      for (let t = values.length - fit.count; t < values.length; t++) {
        squares += ((values[t] ?? 0) - likeliest(t - 1, 1)) ** 2;
      }
      assert.ok(fit.squares < 1.01 * squares, `${String(fit.squares)} against ${String(squares)}`);
    });
  }

  it("starts from what statsmodels' Hannan-Rissanen gives", () => {
    const start = startValues(centred(VALUES), { ...NONE, p: 2, q: 1 });
    assertAllNear(start, ORACLE.hannanRissanen.coefficients, 0.15);
  });

  it("recovers the coefficients of simulated values", () => {
    const { at } = fitArima(simulate(2000, 3), { ...NONE, p: 1, q: 1 })?.coefficients ?? { at: [] };
    assert.ok(Math.abs((at[0] ?? 0) - 0.7) < 0.08 && Math.abs((at[1] ?? 0) - 0.4) < 0.08, String(at));
  });

  it("goes on with a line and a season when both are differenced", () => {
    const values = Float64Array.from({ length: 96 }, (_, t) => 3 * t + 10 * (t % 8));
    const point = forecastArima(
      values,
      { ...NONE, d: 1, seasonalD: 1, season: 8 },
      { at: new Float64Array(0), mean: 0 },
    );
    for (const h of [1, 5, 8, 20]) assert.ok(Math.abs(point(95, h) - (3 * (95 + h) + 10 * ((95 + h) % 8))) < 1e-9);
  });

  it("reads nothing after an origin", () => {
    const order: ArimaOrder = { ...NONE, p: 1, d: 1, q: 1 };
    const coefficients = { at: Float64Array.of(0.5, -0.3), mean: 0 };
    const changed = VALUES.map((value, t) => (t > 150 ? 0 : value));
    assert.equal(
      forecastArima(VALUES, order, coefficients)(150, 9),
      forecastArima(changed, order, coefficients)(150, 9),
    );
  });

  it("tells stationary coefficients from others", () => {
    assert.ok(isStationary(Float64Array.of(0.5, 0.3)));
    assert.ok(!isStationary(Float64Array.of(0.8, 0.3)));
    assert.ok(!isStationary(Float64Array.of(1)));
  });
});

describe("the search for an order", () => {
  it("has statsmodels' KPSS statistic", () => {
    assert.ok(Math.abs(kpss(VALUES) - ORACLE.kpss.statistic) < 1e-9);
  });

  it("differences a walk once and noise not at all", () => {
    const random = createRandom(6);
    const noise = Float64Array.from({ length: 300 }, () => random.normal());
    let sum = 0;
    const walk = noise.map((value) => (sum += value));
    assert.equal(searchArima(noise, 0)?.order.d, 0);
    assert.equal(searchArima(walk, 0)?.order.d, 1);
  });

  it("differences a strong season", () => {
    const random = createRandom(7);
    const values = Float64Array.from(
      { length: 240 },
      (_, t) => 20 * Math.sin((2 * Math.PI * t) / 12) + random.normal(),
    );
    assert.ok(seasonStrength(values, 12) > 0.9);
    const fit = searchArima(values, 12);
    assert.ok(fit);
    assert.equal(fit.order.seasonalD, 1);
    const expected = 20 * Math.sin((2 * Math.PI * 246) / 12);
    assert.ok(Math.abs(fit.point(239, 7) - expected) < 3);
  });
});
