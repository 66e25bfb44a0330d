import { strict as assert } from "node:assert";
import { describe, it } from "mocha";
import type { Series } from "../../sdk/model";
import { seriesEndMs } from "../../sdk/model";
import {
  describeGeneratedHistory,
  generateHistory,
  renderRecordedCsv,
} from "../../providers/observe/history-generator";
import { parseRecordedCsv } from "../../providers/observe/recorded";

const END_MS = Date.UTC(2026, 10, 23, 2, 1);
const WORKLOADS = [
  { name: "front", peakCpuMillis: 2000, memoryBytes: 1e8 },
  { name: "ledger", peakCpuMillis: 300, memoryBytes: 2e8 },
];

function generate(seed = 1): readonly Series[] {
  return generateHistory({ workloads: WORKLOADS, endMs: END_MS, seed });
}

function meanOf(values: Float64Array): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Mean load at an hour (UTC) over working days or weekends. */
function meanAt({ values, startMs, stepMs }: Series, hour: number, isWeekend: boolean): number {
  const chosen = values.filter((_, index) => {
    const time = new Date(startMs + index * stepMs);
    return time.getUTCHours() === hour && [0, 6].includes(time.getUTCDay()) === isWeekend;
  });
  return meanOf(chosen);
}

describe("generated history", () => {
  it("is two weeks of five minutes up to the end, CPU and memory for each workload", () => {
    const series = generate();
    assert.deepEqual(
      series.map(({ id, unit }) => `${id} ${unit}`),
      [
        "workload/front cpuMillis",
        "workload/front memoryBytes",
        "workload/ledger cpuMillis",
        "workload/ledger memoryBytes",
      ],
    );
    for (const one of series) {
      assert.equal(one.values.length, 14 * 288);
      assert.equal(seriesEndMs(one), Date.UTC(2026, 10, 23, 2, 0));
      assert.ok(one.values.every((value) => Number.isInteger(value) && value >= 0));
    }
  });

  it("is the same for the same seed, and adding a workload changes no other", () => {
    assert.deepEqual(generate(5), generate(5));
    assert.notDeepEqual(generate(5), generate(6));
    const more = [...WORKLOADS, { name: "new", peakCpuMillis: 1, memoryBytes: 1 }];
    assert.deepEqual(generateHistory({ workloads: more, endMs: END_MS, seed: 5 }).slice(0, 4), generate(5));
  });

  it("has a day, a weekend and a peak near the one that was asked for", () => {
    const [front] = generate();
    assert.ok(front);
    assert.ok(meanAt(front, 14, false) > 2 * meanAt(front, 2, false));
    assert.ok(meanAt(front, 14, true) < 0.85 * meanAt(front, 14, false));
    assert.ok(Math.abs(meanAt(front, 14, false) - 2000) < 400);
  });

  it("survives being written and read, with its disclosure", () => {
    const series = generate();
    const text = renderRecordedCsv(series, describeGeneratedHistory(1));
    const parsed = parseRecordedCsv(text, "history.csv");
    assert.deepEqual(parsed.series, series);
    assert.equal(parsed.disclosure, "load history generated with seed 1, not measured");
  });

  it("writes gaps as nan", () => {
    const gap: Series = { id: "a", unit: "cpuMillis", startMs: 0, stepMs: 1, values: Float64Array.of(1, Number.NaN) };
    assert.match(renderRecordedCsv([gap]), /\na,cpuMillis,0,1,1 nan\n$/);
  });
});
