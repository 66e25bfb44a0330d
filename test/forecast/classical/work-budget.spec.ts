import { strict as assert } from "node:assert";
import * as fc from "fast-check";
import { describe, it } from "mocha";
import { CANDIDATE_NAMES } from "../../../providers/forecast/classical/candidate-names";
import { chooseWithinWork } from "../../../providers/forecast/classical/work-budget";
import { ensemble } from "../../../providers/forecast/ensemble";
import { dailySeries } from "../series-builders";

const SERIES = dailySeries({ days: 10, seed: 1 });

describe("a budget of counted work", () => {
  it("takes the cheapest first and pays once for taking the seasons out", () => {
    assert.deepEqual(chooseWithinWork(["arima", "theta", "fourier"], 0.25, true).taken, ["fourier"]);
    assert.deepEqual(chooseWithinWork(["arima", "theta", "optimised-theta"], 1.2, true).taken, [
      "theta",
      "optimised-theta",
    ]);
    assert.deepEqual(chooseWithinWork(["arima", "theta", "optimised-theta"], 1.19, true).taken, ["theta"]);
    assert.deepEqual(chooseWithinWork(["arima", "theta"], 1, false), { taken: ["theta"], leftOut: ["arima"] });
    assert.deepEqual(chooseWithinWork(CANDIDATE_NAMES, 0, true).taken, []);
    assert.deepEqual(chooseWithinWork(CANDIDATE_NAMES, Number.POSITIVE_INFINITY, true).leftOut, []);
  });

  it("takes more the more there is, never what nobody asked for, and leaves nothing unsaid", () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.constantFrom(...CANDIDATE_NAMES)),
        fc.double({ min: 0, max: 5, noNaN: true }),
        fc.double({ min: 0, max: 5, noNaN: true }),
        fc.boolean(),
        (wanted, work, more, hasSeasons) => {
          const less = chooseWithinWork(wanted, work, hasSeasons);
          const all = [...less.taken, ...less.leftOut].sort();
          assert.deepEqual(all, [...wanted].sort());
          const other = chooseWithinWork(wanted, work + more, hasSeasons);
          assert.ok(other.taken.length >= less.taken.length);
        },
      ),
    );
  });

  it("gives the same forecast for the same budget, that of the candidates it took, and names those it did not try", () => {
    const fitted = ensemble({ also: ["histogram", "fourier", "arima"], work: 0.4 }).fit(SERIES);
    const again = ensemble({ also: ["arima", "fourier", "histogram"], work: 0.4 }).fit(SERIES);
    const same = ensemble({ also: ["fourier", "histogram"] }).fit(SERIES);
    const rows = (model: typeof fitted): object => model.predict(24, [0.1, 0.5, 0.9]).rows;
    assert.deepEqual(rows(fitted), rows(again));
    assert.deepEqual(rows(fitted), rows(same));
    assert.ok(fitted.notes.includes("not tried within 0.4 times the work of the blend itself: arima"));
    assert.ok(!same.notes.some((note) => note.startsWith("not tried")));
  });
});
