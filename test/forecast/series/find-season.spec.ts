import { strict as assert } from "node:assert";
import fc from "fast-check";
import { describe, it } from "mocha";
import { ensemble } from "../../../providers/forecast/ensemble";
import { prepareSeries } from "../../../providers/forecast/prepare";
import { createRandom } from "../../../providers/forecast/random";
import { chooseSeasons } from "../../../providers/forecast/series/choose-seasons";
import { findSeason } from "../../../providers/forecast/series/find-season";
import { assertWellFormed } from "../model-contract";
import { HOUR_MS, seriesOf } from "../series-builders";

/** Hours of a load with a shape of `period` steps, noise that lasts, and some spikes. */
function periodic(period: number, seed: number, count = 840, noise = 0.25): Float64Array {
  const random = createRandom(seed);
  let wander = 0;
  return Float64Array.from({ length: count }, (_, i) => {
    wander = 0.9 * wander + 0.1 * random.normal();
    const shape = i % period < period / 3 ? 1.5 : 0;
    return 100 * Math.max(0, 4 + shape + noise * random.normal() + wander + (random.next() < 0.003 ? 8 : 0));
  });
}

function chosen(values: Float64Array): ReturnType<typeof chooseSeasons> {
  const series = seriesOf([...values], { stepMs: HOUR_MS });
  return chooseSeasons(prepareSeries(series, 24), HOUR_MS);
}

describe("seasons", () => {
  it("are found whatever their length, under noise, wandering levels and spikes", () => {
    for (const period of [5, 7, 8, 10, 12, 24, 36, 100, 168]) {
      for (let seed = 1; seed <= 4; seed++) {
        const found = findSeason(periodic(period, seed * 31 + period));
        const steps = found?.steps ?? 0;
        assert.ok(Math.abs(steps - period) <= Math.max(0, period / 25), `${String(steps)} for ${String(period)}`);
      }
    }
  });

  it("are hardly ever found where there are none", () => {
    for (const lasting of [0, 0.5, 0.9, 1]) {
      let found = 0;
      for (let seed = 1; seed <= 100; seed++) {
        const random = createRandom(seed);
        let wander = 0;
        const values = Float64Array.from({ length: 840 }, () => {
          wander = lasting * wander + random.normal();
          return 100 + wander;
        });
        if (findSeason(values)) found++;
      }
      assert.ok(found <= 4, `${String(found)} of 100 with persistence ${String(lasting)}`);
    }
    assert.equal(findSeason(new Float64Array(200).fill(7)), undefined);
    assert.equal(findSeason(Float64Array.of(1, 2, 1)), undefined);
    assert.equal(findSeason(Float64Array.from({ length: 300 }, (_, i) => i)), undefined);
  });

  it("do not depend on level and scale, and are no longer than a third of the values", () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 1000 }), { minLength: 0, maxLength: 150 }),
        fc.integer({ min: -3, max: 3 }),
        (raw, power) => {
          const values = Float64Array.from(raw);
          const found = findSeason(values);
          // Powers of two: nothing is rounded.
          assert.deepEqual(findSeason(values.map((value) => value * 2 ** power))?.steps, found?.steps);
          if (found) assert.ok(found.steps >= 3 && found.steps <= raw.length / 3 && found.strength <= 1);
        },
      ),
      { numRuns: 200 },
    );
  });

  it("of the day and the week stay those of the calendar", () => {
    const random = createRandom(3);
    const values = Float64Array.from({ length: 840 }, (_, i) => {
      const weekend = Math.floor(i / 24) % 7 >= 5 ? 0.5 : 1;
      return weekend * (1000 + 500 * Math.sin((2 * Math.PI * i) / 24)) + 50 * random.normal();
    });
    assert.deepEqual([chosen(values).seasons, chosen(values).note], [[24, 168], undefined]);
  });

  it("take the place of the day where work does not go by it, and stand beside it where the day holds them", () => {
    const batch = chosen(periodic(10, 4));
    assert.deepEqual(batch.seasons, [10]);
    assert.match(batch.note ?? "", /^a season of 10 h was found \(correlation 0\.\d\d\) and used in place of the day$/);
    const shifts = chosen(periodic(8, 5));
    assert.deepEqual(shifts.seasons, [24, 168]);
    assert.match(shifts.note ?? "", /^a season of 8 h was found .*, which the day holds$/);
    assert.ok(shifts.shapes.some(({ seasonSteps }) => seasonSteps === 8));
  });

  it("forecast a batch of every seven hours much better than the day does", () => {
    const levels = [0.1, 0.5, 0.9];
    let [own, day] = [0, 0];
    for (let seed = 1; seed <= 4; seed++) {
      const values = periodic(7, seed, 888);
      const series = seriesOf([...values.slice(0, 840)], { stepMs: HOUR_MS });
      const fitted = ensemble().fit(series);
      assert.ok((fitted.members ?? []).every(({ name }) => !/\b(day|week)/.test(name)));
      const forecast = fitted.predict(48, levels);
      assertWellFormed(forecast, 48);
      for (let h = 0; h < 48; h++) {
        own += Math.abs((forecast.rows[1]?.[h] ?? 0) - (values[840 + h] ?? 0));
        day += Math.abs((values[816 + (h % 24)] ?? 0) - (values[840 + h] ?? 0));
      }
    }
    assert.ok(own < 0.6 * day, `${String(own)} against ${String(day)}`);
  });

  it("are found on steps that no day is a whole number of", () => {
    const stepMs = 7 * 60_000;
    const values = Float64Array.from(periodic(206, 2, 1600));
    const found = chooseSeasons(prepareSeries(seriesOf([...values], { stepMs }), 0), stepMs);
    assert.ok(Math.abs((found.seasons[0] ?? 0) - 206) <= 6, String(found.seasons));
  });
});
