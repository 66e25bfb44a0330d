import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DemandPath, Forecast } from "../../sdk/model";
import { openSlotCache } from "../../providers/forecast-cache/slot-cache";

function forecastOf(...cpuMillis: readonly DemandPath[]): Forecast {
  return {
    demand: { startMs: 0, stepMs: 60_000, steps: 2, workloads: ["ä"], cpuMillis, memoryBytes: [5] },
    bands: [],
    missing: [],
  };
}

function pathsOf(forecast: Forecast | undefined): readonly (readonly number[])[] | undefined {
  return forecast?.demand.cpuMillis.map((path) => Array.from(path));
}

describe("forecasts of a slot", () => {
  let folder = "";
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "archipelago-slot-"));
  });
  afterEach(async () => {
    await rm(folder, { recursive: true });
  });

  it("come back number by number, as floats where these are exact", () => {
    const cache = openSlotCache(folder, "1");
    for (const paths of [
      [
        [1, 2],
        [3, 4],
      ],
      [[0.1, 2 ** 40 + 1]],
      [],
    ]) {
      cache.write({ paths }, forecastOf(...paths));
      const again = cache.read({ paths });
      assert.deepEqual(pathsOf(again), paths);
      assert.deepEqual(again?.demand.workloads, ["ä"]);
    }
  });

  it("are others for other facts and another version of the code", () => {
    openSlotCache(folder, "1").write({ slot: 1 }, forecastOf([1, 2]));
    assert.equal(openSlotCache(folder, "1").read({ slot: 2 }), undefined);
    assert.equal(openSlotCache(folder, "2").read({ slot: 1 }), undefined);
    assert.ok(openSlotCache(folder, "1").read({ slot: 1 }));
  });

  it("are unknown where the file breaks off, and nothing fails where none can be written", async () => {
    const cache = openSlotCache(folder, "1");
    cache.write(1, forecastOf([1, 2]));
    const [name = ""] = await readdir(folder);
    const whole = await readFile(join(folder, name));
    for (let length = 0; length < whole.length; length += 7) {
      await writeFile(join(folder, name), whole.subarray(0, length));
      assert.equal(cache.read(1), undefined);
    }
    openSlotCache(join(folder, name, "below-a-file"), "1").write(1, forecastOf([1, 2]));
  });

  it("are removed once their slot is over", async () => {
    const cache = openSlotCache(folder, "1");
    cache.write(1, forecastOf([1, 2]));
    const [name = ""] = await readdir(folder);
    const past = new Date(Date.now() - 7_200_000);
    await utimes(join(folder, name), past, past);
    cache.write(2, forecastOf([1, 2]));
    assert.equal(cache.read(1), undefined);
    assert.ok(cache.read(2));
  });
});
