import { strict as assert } from "node:assert";
import { describe, it } from "mocha";
import { empiricalQuantiles, sortValues } from "../../providers/forecast/empirical";
import { prepareSeries } from "../../providers/forecast/prepare";
import { seriesOf } from "./series-builders";

const EQUAL = { ageSteps: 1e9, seasonSteps: 1, widthSteps: 0 };

describe("empirical forecasts", () => {
  it("are the quantiles of what was seen, each value in the middle of its weight", () => {
    const sorted = sortValues(prepareSeries(seriesOf([40, 10, 30, 20]), 0));
    const at = empiricalQuantiles(sorted, EQUAL, [0.01, 0.125, 0.25, 0.5, 0.875, 0.99]);
    assert.deepEqual(
      Array.from(at(3, 1), (value) => Math.round(value * 1e6) / 1e6),
      [10, 10, 15, 25, 40, 40],
    );
  });

  it("see nothing after their origin", () => {
    const values = [5, 6, 7, 8, 1000, 2000];
    const sorted = sortValues(prepareSeries(seriesOf(values), 0));
    assert.deepEqual(
      Array.from(empiricalQuantiles(sorted, EQUAL, [0.5, 0.99])(3, 2), (value) => Math.round(value * 1e6) / 1e6),
      [6.5, 8],
    );
  });

  it("weigh new values more", () => {
    const sorted = sortValues(prepareSeries(seriesOf([...Array<number>(50).fill(1), ...Array<number>(5).fill(9)]), 0));
    const old = empiricalQuantiles(sorted, EQUAL, [0.5])(54, 1)[0];
    const fresh = empiricalQuantiles(sorted, { ...EQUAL, ageSteps: 2 }, [0.5])(54, 1)[0];
    assert.deepEqual([old, fresh], [1, 9]);
  });

  it("know the time of day, around midnight too", () => {
    const values = Array.from({ length: 96 }, (_, hour) => (hour % 24 >= 23 || hour % 24 <= 1 ? 100 : 10));
    const sorted = sortValues(prepareSeries(seriesOf(values), 24));
    const at = empiricalQuantiles(sorted, { ageSteps: 240, seasonSteps: 24, widthSteps: 1 }, [0.01, 0.5]);
    assert.deepEqual(Array.from(at(95, 1)), [100, 100], "00:00 is like 23:00 and 01:00");
    assert.deepEqual(Array.from(at(95, 13)), [10, 10]);
  });

  it("leave out gaps that were filled", () => {
    const sorted = sortValues(prepareSeries(seriesOf([1, Number.NaN, 9]), 0));
    assert.deepEqual([...sorted.values], [1, 9]);
  });
});
