import { strict as assert } from "node:assert";
import fc from "fast-check";
import { describe, it } from "mocha";
import { countUp } from "../../providers/observe/counters";
import { coarsen, gridSamples, type Sample } from "../../providers/observe/samples";

const STEP_MS = 60_000;

/** Counts up by `rate` a second, and from 0 again at some samples. */
function counter(rates: readonly number[], resets: readonly number[] = []): Sample[] {
  let count = 5_000;
  return rates.map((rate, index) => {
    count = resets.includes(index) ? rate * 60 : count + rate * 60;
    return { timeMs: index * STEP_MS, value: count };
  });
}

const RATES = Array.from({ length: 60 }, (_, index) => 10 + (index % 7));

describe("counters", () => {
  it("become rates, across restarts that are told", () => {
    const { samples, notes } = countUp("jobs", counter(RATES, [20, 41]), "find out");
    assert.deepEqual(
      samples.map(({ value }) => value),
      RATES.slice(1).map((rate, index) => (index === 19 || index === 40 ? Number.NaN : rate)),
    );
    assert.match(
      notes.join(),
      /only grows and then begins near 0 again, so it is a counter.*2 restarts of it taken out/,
    );
  });

  it("are known by name, or declared, without a restart", () => {
    assert.match(countUp("http_requests_total", counter(RATES), "find out").notes.join(), /is a counter by its name/);
    assert.match(countUp('seconds_sum{job="a"}', counter(RATES), "find out").notes.join(), /by its name/);
    assert.match(countUp("jobs", counter(RATES), "yes").notes.join(), /as declared/);
    assert.deepEqual(countUp("jobs_total", counter(RATES), "no"), { samples: counter(RATES), notes: [] });
  });

  it("are not what fills up, goes up and down, or hardly moves", () => {
    const full = counter(RATES);
    const grown = countUp("disk", full, "find out");
    assert.deepEqual(grown.samples, full);
    assert.match(grown.notes.join(), /if it is a counter, say so with --counter yes/);
    const load = RATES.map((value, index) => ({ timeMs: index * STEP_MS, value }));
    assert.deepEqual(countUp("load_total", load, "find out").samples, load);
    const batch = Array.from({ length: 60 }, (_, index) => ({
      timeMs: index * STEP_MS,
      value: index % 20 === 0 ? 9 : 0,
    }));
    assert.deepEqual(countUp("batch", batch, "find out").samples, batch);
  });

  it("have no negative values, nor negative rates, whatever they are given", () => {
    const samples = counter(RATES).map((sample, index) => (index === 30 ? { ...sample, value: -4 } : sample));
    const { samples: rates, notes } = countUp("jobs_total", samples, "find out");
    assert.match(notes.join(), /1 negative value of the counter left out/);
    assert.equal(rates.length, 58);
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fc.constant(Number.NaN), fc.integer({ min: -9, max: 999 })), { maxLength: 60 }),
        (values) => {
          const all = values.map((value, index) => ({ timeMs: index * STEP_MS, value }));
          for (const choice of ["yes", "find out"] as const) {
            const found = countUp("x_total", all, choice);
            if (found.samples !== all) assert.ok(found.samples.every(({ value }) => !(value < 0)));
          }
        },
      ),
    );
  });
});

describe("samples on a grid", () => {
  const minutes = (count: number, from = 0): Sample[] =>
    Array.from({ length: count }, (_, index) => ({ timeMs: from + index * STEP_MS, value: 5 }));

  it("leave out steps at the ends that are not whole, and say so", () => {
    const { series, notes } = gridSamples("cpu", minutes(57, 50 * STEP_MS), { stepMs: 20 * STEP_MS });
    assert.deepEqual([...series.values], [Number.NaN, 5, 5, Number.NaN]);
    assert.deepEqual(notes.slice(1), [
      "the first step holds 10 of 20 samples and was left out",
      "the newest step holds 7 of 20 samples and was left out",
    ]);
    const late = gridSamples("cpu", minutes(63), { stepMs: 20 * STEP_MS });
    assert.deepEqual([...late.series.values], [5, 5, 5, Number.NaN]);
    assert.match(late.notes.join(), /the newest step holds 3 of 20 samples and was left out/);
  });

  it("leave out what a wrong clock wrote, at either end", () => {
    const year = 365 * 86_400_000;
    const stray = { timeMs: 20 * year, value: 1 };
    const { series, notes } = gridSamples("cpu", [...minutes(200, 10 * year), stray]);
    assert.equal(series.values.length, 200);
    assert.match(notes.join(), /1 sample far away from all others \(1989-.*\) were left out: a clock was wrong/);
    assert.equal(gridSamples("cpu", [{ timeMs: 0, value: 1 }, ...minutes(200, 10 * year)]).series.values.length, 200);
    // Too many for a mistake: two weeks with nothing between them.
    assert.throws(() => gridSamples("cpu", [...minutes(100), ...minutes(100, 100 * year)]), /spans \d+ steps/);
  });

  it("are averaged where the steps are too short for a horizon", () => {
    const seconds = Array.from({ length: 7200 }, (_, index) => ({ timeMs: index * 1000, value: (index * 7) % 60 }));
    const { series, notes } = coarsen(gridSamples("cpu", seconds), 86_400_000, 20_000);
    assert.deepEqual([series.stepMs, series.values.length, series.values[7]], [STEP_MS, 120, 29.5]);
    assert.match(notes.join(), /means of 1 min were taken of values every 1\.0 s; --step takes others/);
    const kept = gridSamples("cpu", minutes(50));
    assert.deepEqual(coarsen(kept, 86_400_000, 20_000), kept);
  });
});
