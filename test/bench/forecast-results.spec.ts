import { strict as assert } from "node:assert";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { after, before, describe, it } from "mocha";
import { mergeRows, printOfForecasts } from "../../bench/forecast/results-file";

describe("bench/forecast/results-file", () => {
  let folder = "";
  before(() => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), "archipelago-results-"));
  });
  after(() => {
    fs.rmSync(folder, { recursive: true });
  });
  const stamp = { version: "1.0.0", forecasts: "now" };
  const rowOf = (relPin: number): object => ({ relPin });
  const read = (file: string): object => JSON.parse(fs.readFileSync(file, "utf8")) as object;

  it("keeps the rows of tasks that were not run, in the tasks' order, and names those of other forecasts", () => {
    const file = path.join(folder, "a", "forecast.json");
    assert.deepEqual(
      mergeRows(file, { ...stamp, forecasts: "then" }, { T2: rowOf(2), T3: rowOf(3) }, ["T1", "T2"]),
      [],
    );
    assert.deepEqual(mergeRows(file, stamp, { T1: rowOf(1), T2: rowOf(2.5) }, ["T1", "T2", "T3"]), ["T3"]);
    assert.deepEqual(read(file), {
      tasks: {
        T1: { relPin: 1, stamp },
        T2: { relPin: 2.5, stamp },
        T3: { relPin: 3, stamp: { version: "1.0.0", forecasts: "then" } },
      },
    });
    assert.equal(Object.keys((read(file) as { tasks: object }).tasks).join(), "T1,T2,T3");
  });

  it("takes rows without a stamp as those of other forecasts", () => {
    const file = path.join(folder, "old.json");
    fs.writeFileSync(file, JSON.stringify({ tasks: { T5: rowOf(5) } }));
    assert.deepEqual(mergeRows(file, stamp, { T6: rowOf(6) }, ["T5", "T6"]), ["T5"]);
  });

  it("does not overwrite a file that holds something else", () => {
    const file = path.join(folder, "broken.json");
    fs.writeFileSync(file, "{");
    assert.throws(() => mergeRows(file, stamp, {}, []), /is not a file of results/);
    assert.equal(fs.readFileSync(file, "utf8"), "{");
  });

  it("gives the same forecasts the same print", () => {
    assert.match(printOfForecasts(), /^[0-9a-f]{12}$/);
    assert.equal(printOfForecasts(), printOfForecasts());
  });
});
