import { strict as assert } from "node:assert";
import { describe, it } from "mocha";
import { momentOf, parseUserText, readUserFile } from "../../providers/observe/user-file";

const START_MS = Date.UTC(2026, 10, 21, 2);
const HOUR_MS = 3_600_000;

function mistakesIn(text: string, name = "cpu.csv"): string {
  try {
    parseUserText(text, name);
  } catch (error) {
    return (error as Error).message;
  }
  return "";
}

describe("history that a user exported", () => {
  it("is read from time,value", () => {
    const [only] = parseUserText("time,cpu\n2026-11-21T02:00:00Z,17.5\n2026-11-21T03:00:00Z,18\n", "cpu.csv");
    assert.deepEqual(only?.series, {
      id: "cpu",
      unit: "requestsPerSecond",
      startMs: START_MS,
      stepMs: HOUR_MS,
      values: Float64Array.of(17.5, 18),
    });
    assert.deepEqual(only.notes, []);
  });

  it("is read from one column for each series, with semicolons, quotes, a byte order mark and gaps", () => {
    const text =
      '\uFEFF"Time";"check;out";ledger\r\n2026/11/21 02:00;1;\r\n2026/11/21 03:00;nan;5\r\n2026/11/21 04:00;3;6\r\n';
    const [first, second] = parseUserText(text, "cpu.csv");
    assert.equal(first?.series.id, "check;out");
    assert.deepEqual([...first.series.values], [1, Number.NaN, 3]);
    assert.deepEqual([...(second?.series.values ?? [])], [Number.NaN, 5, 6]);
  });

  it("is sorted, doubles are averaged, and steps without a sample are gaps; all of it is told", () => {
    const hours = [3, 0, 1, 1, 6, 7, 8];
    const rows = hours.map((hour, index) => `${String((START_MS + hour * HOUR_MS) / 1000)},${String(index)}`);
    const [only] = parseUserText(`epoch,cpu\n${rows.join("\n")}`, "cpu.csv");
    const gap = Number.NaN;
    assert.deepEqual([...(only?.series.values ?? [])], [1, 2.5, gap, 0, gap, gap, 4, 5, 6]);
    assert.match(only?.notes.join() ?? "", /were sorted,1 step holds several samples/);
  });

  it("is read from a CSV of the CloudWatch console, named by its labels", () => {
    const text = [
      "Full label,i-0abc CPUUtilization,i-0def CPUUtilization",
      "Label,CPUUtilization,CPUUtilization",
      "Period,300,300",
      "Statistic,Average,Average",
      "2026/11/21 02:00:00,11.5,20",
      "2026/11/21 02:05:00,12.5,21",
    ].join("\n");
    const found = parseUserText(text, "metrics.csv");
    assert.deepEqual(
      found.map(({ series }) => [series.id, series.stepMs, ...series.values]),
      [
        ["i-0abc CPUUtilization", 300_000, 11.5, 12.5],
        ["i-0def CPUUtilization", 300_000, 20, 21],
      ],
    );
  });

  it("is read from get-metric-data, newest first, in pages, two metrics of one label apart", () => {
    const result = (id: string, hours: readonly number[]): object => ({
      Id: id,
      Label: "CPUUtilization",
      Timestamps: hours.map((hour) => new Date(START_MS + hour * HOUR_MS).toISOString()),
      Values: hours,
      StatusCode: "Complete",
    });
    const text = JSON.stringify({
      MetricDataResults: [result("m1", [3, 2]), result("m1", [1, 0]), result("m2", [1, 0])],
    });
    assert.deepEqual(
      parseUserText(text, "metrics.json").map(({ series }) => [series.id, ...series.values]),
      [
        ["CPUUtilization (m1)", 0, 1, 2, 3],
        ["CPUUtilization (m2)", 0, 1],
      ],
    );
  });

  it("is read from get-metric-statistics and from Prometheus' query_range", () => {
    const point = (hour: number): object => ({
      Timestamp: new Date(START_MS + hour * HOUR_MS).toISOString(),
      Average: hour,
      Unit: "Percent",
    });
    const [statistics] = parseUserText(JSON.stringify({ Label: "CPU", Datapoints: [point(1), point(0)] }), "x.json");
    assert.deepEqual([statistics?.series.id, ...(statistics?.series.values ?? [])], ["CPU", 0, 1]);
    const metric = { __name__: "up", job: "api", instance: "a" };
    const values = [0, 1, 2].map((hour) => [START_MS / 1000 + hour * 3600, hour === 1 ? "NaN" : String(hour)]);
    const answer = { status: "success", data: { resultType: "matrix", result: [{ metric, values }] } };
    const [prometheus] = parseUserText(JSON.stringify(answer), "x.json");
    assert.equal(prometheus?.series.id, 'up{instance="a",job="api"}');
    assert.deepEqual([...prometheus.series.values], [0, Number.NaN, 2]);
  });

  it("is read from recorded metrics and from rows of values", () => {
    const [recorded] = parseUserText(
      "subject,unit,start_ms,step_ms,values\nworkload/a,cpuMillis,0,300000,1 2 nan",
      "x",
    );
    assert.equal(recorded?.series.id, "workload/a");
    const [row] = parseUserText("series_id,start_epoch_s,step_s,n,values\nvm1,1000000000,300,3,1 nan 3", "x");
    assert.deepEqual([row?.series.stepMs, ...(row?.series.values ?? [])], [300_000, 1, Number.NaN, 3]);
  });

  it("takes a given step, and means of the samples in it", () => {
    const rows = Array.from({ length: 12 }, (_, i) => `${String(START_MS / 1000 + i * 300)},${String(i)}`);
    const [only] = parseUserText(`time,cpu\n${rows.join("\n")}`, "cpu.csv", { stepMs: HOUR_MS });
    assert.deepEqual([...(only?.series.values ?? [])], [5.5]);
  });

  it("names every mistake with its line", () => {
    const message = mistakesIn("time,cpu\n2026-11-21T02:00:00Z,17.5\nyesterday,18\n2026-11-21T04:00:00Z,1.5.2\n");
    assert.match(message, /cpu\.csv:3 \("yesterday"\) must be a moment/);
    assert.match(message, /cpu\.csv:4 \("1\.5\.2"\) must be a number/);
  });

  for (const [what, text, expected] of [
    ["no moment at all", "a,b\n1,2\n", /must have a row that begins with a moment/],
    ["one moment alone", "time,cpu\n2026-11-21T02:00:00Z,1", /has fewer than two moments/],
    [
      "an infinite value",
      "time,cpu\n2026-11-21T02:00:00Z,1\n2026-11-21T03:00:00Z,Infinity",
      /is infinite at 2026-11-21T03/,
    ],
    ["nothing", "", /must have a row that begins with a moment/],
    ["JSON of another sort", '{"a":1}', /must be the JSON of get-metric-data/],
    ["broken JSON", '{"a":', /must be JSON that can be parsed/],
    [
      "a lone step of a second over years",
      `t,v\n${[0, 1, 2, 3e9].map((s) => `${String(1e9 + s)},1`).join("\n")}`,
      /name a longer --step/,
    ],
  ] as const) {
    it(`is refused with what to do: ${what}`, () => {
      assert.match(mistakesIn(text), expected);
    });
  }

  it("is refused when the file is not there", async () => {
    await assert.rejects(readUserFile("/nowhere/cpu.csv"), /must be a file that can be read/);
  });

  it("knows moments in many forms, and what is none", () => {
    for (const text of [
      "2026-11-21T02:00:00Z",
      "2026-11-21 02:00",
      "2026/11/21 2:00:00 UTC",
      "2026-11-21T03:00:00+01:00",
      "2026-11-21T03:00:00+0100",
      String(START_MS),
      String(START_MS / 1000),
    ]) {
      assert.equal(momentOf(text), START_MS, text);
    }
    for (const text of ["", "cpu", "17.5", "2026-13-41", "21.11.2026"]) assert.equal(momentOf(text), undefined, text);
  });
});
