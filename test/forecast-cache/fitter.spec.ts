import { strict as assert } from "node:assert";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { describe, it } from "mocha";
import { ensemble } from "../../providers/forecast/ensemble";
import { forecastFleet, listFits, type ForecastFleetInput } from "../../providers/forecast/forecast-fleet";
import { pacedEnsemble } from "../../providers/forecast/paced-ensemble";
import { remembered, type FitMemory } from "../../providers/forecast/remembered";
import { openFitCache } from "../../providers/forecast-cache/fit-cache";
import { createFitPool } from "../../providers/forecast-cache/fit-pool";
import { carryOut, type FitOrder } from "../../providers/forecast-cache/fit-worker";
import { createFitter } from "../../providers/forecast-cache/fitter";
import type { Series } from "../../sdk/model";
import { DAY_MS, HOUR_MS, dailySeries, seriesOf } from "../forecast/series-builders";

const LEVELS = [0.1, 0.5, 0.9];
const ASKED = [{ horizon: 24, levels: LEVELS, skip: 0 }];
const NOTHING: FitMemory = { read: () => undefined, write: () => undefined };

function orders(count: number): readonly FitOrder[] {
  return Array.from({ length: count }, (_, seed) => ({ series: dailySeries({ days: 6, seed }), asked: ASKED }));
}

describe("kept fits", () => {
  let folder: string;

  beforeEach(() => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), "archipelago-fits-"));
  });

  afterEach(() => {
    fs.rmSync(folder, { recursive: true });
  });

  const open = (more: { readonly version?: string; readonly mostBytes?: number } = {}) =>
    openFitCache({ folder, version: "1", ...more });

  it("say what a fresh fit says, bit by bit, also of what is asked for the first time", () => {
    const series = dailySeries({ days: 10, seed: 1 });
    const ask = (memory: FitMemory): readonly unknown[] => {
      const fitted = remembered(ensemble(), memory).fit(series);
      return [fitted.notes, fitted.residualCycles, fitted.predict(24, LEVELS), fitted.predict(30, [0.5], 6)];
    };
    const fresh = ask(NOTHING);
    const first = open();
    assert.deepEqual(ask(first), fresh);
    first.flush();
    const second = open();
    assert.deepEqual(ask(second), fresh);
    assert.deepEqual(second.counts, { found: 1, missed: 0 });
    const more = remembered(ensemble(), second).fit(series).predict(5, [0.3]).rows;
    assert.deepEqual(more, remembered(ensemble(), NOTHING).fit(series).predict(5, [0.3]).rows);
  });

  it("are known by content: another value, time or version is another fit, another name is the same", () => {
    const series = dailySeries({ days: 6, seed: 2 });
    const cache = open();
    remembered(ensemble(), cache).fit(series).predict(3, LEVELS);
    cache.flush();
    const isKnown = (one: Series, version = "1"): boolean => open({ version }).read(one, "ensemble") !== undefined;
    assert.equal(isKnown({ ...series, id: "workload/other" }), true);
    assert.equal(isKnown({ ...series, values: series.values.map((value, i) => (i === 5 ? value + 1 : value)) }), false);
    assert.equal(isKnown({ ...series, startMs: series.startMs + HOUR_MS }), false);
    assert.equal(isKnown(series, "2"), false);
  });

  it("are made anew where a file is cut off, changed, or not one of these", () => {
    const series = dailySeries({ days: 6, seed: 3 });
    const cache = open();
    const { rows } = remembered(ensemble(), cache).fit(series).predict(3, LEVELS);
    cache.flush();
    const file = path.join(folder, fs.readdirSync(folder)[0] ?? "");
    const whole = fs.readFileSync(file);
    for (const bytes of [
      whole.subarray(0, whole.length - 7),
      Buffer.from("no fit"),
      Buffer.alloc(0),
      Buffer.alloc(64),
    ]) {
      fs.writeFileSync(file, bytes);
      assert.equal(open().read(series, "ensemble"), undefined);
      assert.deepEqual(remembered(ensemble(), open()).fit(series).predict(3, LEVELS).rows, rows);
    }
  });

  it("take no more room than they may: what was not used for longest goes first", () => {
    const cache = open();
    const list = orders(12);
    for (const { series } of list) remembered(ensemble(), cache).fit(series).predict(24, LEVELS);
    cache.flush();
    const size = fs.statSync(path.join(folder, fs.readdirSync(folder)[0] ?? "")).size;
    const used = list[4]?.series ?? seriesOf([]);
    for (const name of fs.readdirSync(folder)) fs.utimesSync(path.join(folder, name), 1, 1);
    // Reading marks it as used.
    assert.ok(open().read(used, "ensemble"));
    const small = open({ mostBytes: 6.5 * size });
    remembered(ensemble(), small)
      .fit(dailySeries({ days: 6, seed: 99 }))
      .predict(24, LEVELS);
    small.flush();
    assert.equal(fs.readdirSync(folder).length, 5);
    assert.ok(open().read(used, "ensemble"));
  });

  it("harm nobody where nothing can be written", () => {
    const blocked = path.join(folder, "file");
    fs.writeFileSync(blocked, "");
    const cache = openFitCache({ folder: path.join(blocked, "below"), version: "1" });
    const forecast = remembered(ensemble(), cache)
      .fit(dailySeries({ days: 6, seed: 1 }))
      .predict(3, LEVELS);
    cache.flush();
    assert.equal(forecast.rows.length, 3);
  });

  it("are made by threads as by this one, each told once; a series that cannot be fitted as nothing", async function () {
    this.timeout(60_000);
    const list = [...orders(10), { series: seriesOf([Number.NaN, Number.NaN]), asked: ASKED }];
    const pool = createFitPool(2);
    const told = new Map<FitOrder, unknown>();
    try {
      await pool.fit(list, (order, fit) => {
        assert.ok(!told.has(order));
        told.set(order, fit);
      });
    } finally {
      await pool.close();
    }
    for (const order of list) assert.deepEqual(told.get(order), carryOut(order));
    assert.deepEqual(told.get(list.at(-1) ?? { series: seriesOf([]), asked: [] }), { fit: undefined });
  });

  it("cover all that a fleet's forecast asks, so that the second one fits nothing", async function () {
    this.timeout(60_000);
    const names = Array.from({ length: 9 }, (_, index) => `w${String(index)}`);
    const request = { cpuMillis: 500, memoryBytes: 2 ** 28 };
    const input = {
      histories: names.map((workload, seed) => ({
        workload,
        cpu: dailySeries({ days: 7, seed }),
        memory: dailySeries({ days: 7, seed: seed + 100 }),
      })),
      workloads: names.map((name) => ({ name, island: "shop", copies: 2, request, dependsOn: [] })),
      fromMs: dailySeries({ days: 7, seed: 0 }).startMs + 7 * DAY_MS + 3 * HOUR_MS,
      horizonMs: 3 * HOUR_MS,
      stepMs: HOUR_MS,
      seed: 1,
    } as unknown as ForecastFleetInput;
    const plain = forecastFleet({ ...input, model: remembered(ensemble(), NOTHING) });
    for (const expected of [0, 18]) {
      const fitter = createFitter({ folder, version: "1", threads: 2 });
      const known = fs.readdirSync(folder).length;
      const model = await fitter.prepare(listFits(input));
      assert.deepEqual(forecastFleet({ ...input, model }), plain);
      fitter.flush();
      await fitter.close();
      assert.equal(known, expected);
    }
    assert.equal(fs.readdirSync(folder).length, 18);
    const cache = openFitCache({ folder: path.join(folder, "none"), version: "1" });
    let fits = 0;
    const counting = { name: "ensemble", fit: (series: Series) => (fits++, ensemble().fit(series)) };
    for (const { series, asked } of listFits(input)) {
      const { fit } = carryOut({ series, asked });
      if (fit) cache.write(series, "ensemble", fit);
    }
    forecastFleet({ ...input, model: remembered(counting, cache) });
    assert.equal(fits, 0);
  });

  it("of series that grow take the weights of before until the next pace, in threads as in this one", async function () {
    this.timeout(60_000);
    const whole = Array.from({ length: 16 }, (_, seed) => dailySeries({ days: 12, seed }));
    // From 10 days on: the pace is 8 values, and 250 and 255 lie between two multiples of it with 248.
    const grownTo = (count: number): readonly FitOrder[] =>
      whole.map((series) => ({ series: { ...series, values: series.values.slice(0, count) }, asked: ASKED }));
    const weights = (): number => fs.readdirSync(folder).filter((name) => name.endsWith(".tuning")).length;
    for (const [count, expected] of [
      [257, 16],
      [263, 16],
      [265, 32],
    ] as const) {
      const fitter = createFitter({ folder, version: "1", threads: 2 });
      const model = await fitter.prepare(grownTo(count), { isRepeated: true });
      for (const { series } of grownTo(count).slice(0, 3)) {
        const fresh = remembered(pacedEnsemble(), NOTHING).fit(series);
        assert.deepEqual(model.fit(series).predict(24, LEVELS), fresh.predict(24, LEVELS));
      }
      fitter.flush();
      await fitter.close();
      assert.equal(weights(), expected);
    }
    const [first = ""] = fs.readdirSync(folder).filter((name) => name.endsWith(".tuning"));
    fs.writeFileSync(path.join(folder, first), "{");
    for (const { series } of grownTo(264).slice(0, 3)) {
      const { rows } = remembered(pacedEnsemble(open().tunings), NOTHING).fit(series).predict(24, LEVELS);
      assert.deepEqual(rows, remembered(pacedEnsemble(), NOTHING).fit(series).predict(24, LEVELS).rows);
    }
  });
});
