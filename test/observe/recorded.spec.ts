import { strict as assert } from "node:assert";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "mocha";
import { MistakeError } from "../../sdk/model";
import { createRecordedSource, parseRecordedCsv } from "../../providers/observe/recorded";

const SIGNAL = new AbortController().signal;
const WIDE = "subject,unit,start_ms,step_ms,values";
const LONG = "time,subject,unit,value";

/** The message of the mistakes in a file. */
function mistakesOf(...lines: readonly string[]): string {
  try {
    parseRecordedCsv(lines.join("\n"), "load.csv");
  } catch (error) {
    assert.ok(error instanceof MistakeError, String(error));
    return error.message;
  }
  return assert.fail("the file was taken");
}

describe("recorded metrics", () => {
  let folder = "";
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "archipelago-recorded-"));
  });
  after(async () => {
    await rm(folder, { recursive: true });
  });

  it("reads series with gaps, comments and the disclosure", () => {
    const { series, disclosure } = parseRecordedCsv(
      ["# a comment", "# disclosure: made up for this test", WIDE, "workload/a,cpuMillis,0,1000,1 nan 3", ""].join(
        "\r\n",
      ),
      "load.csv",
    );
    assert.equal(disclosure, "made up for this test");
    assert.deepEqual(series, [
      { id: "workload/a", unit: "cpuMillis", startMs: 0, stepMs: 1000, values: Float64Array.of(1, Number.NaN, 3) },
    ]);
  });

  it("reads one sample a row in any order, with times in either form", () => {
    const { series } = parseRecordedCsv(
      [
        LONG,
        "1970-01-01T00:00:02Z,workload/a,cpuMillis,30",
        "0,workload/a,cpuMillis,10",
        "4000,workload/a,cpuMillis,50",
        "6000,workload/a,cpuMillis,nan",
        "0,workload/b,memoryBytes,1",
        "5000,workload/b,memoryBytes,2",
        "15000,workload/b,memoryBytes,4",
      ].join("\n"),
      "load.csv",
    );
    assert.deepEqual(
      series.map(({ id, stepMs, values }) => [id, stepMs, Array.from(values)]),
      [
        ["workload/a", 2000, [10, 30, 50, Number.NaN]],
        ["workload/b", 5000, [1, 2, Number.NaN, 4]],
      ],
    );
  });

  it("answers on the asked grid, and with undefined for what it does not have", async () => {
    const file = join(folder, "load.csv");
    await writeFile(file, [WIDE, "workload/a,cpuMillis,0,1000,1 3 5 7"].join("\n"));
    const source = await createRecordedSource(file);
    const [found, unknown, otherUnit] = await source.query(
      [
        { subject: "workload/a", unit: "cpuMillis" },
        { subject: "workload/b", unit: "cpuMillis" },
        { subject: "workload/a", unit: "memoryBytes" },
      ],
      { fromMs: 0, toMs: 6000 },
      2000,
      SIGNAL,
    );
    assert.deepEqual(Array.from(found?.values ?? []), [2, 6, Number.NaN]);
    assert.deepEqual([unknown, otherUnit], [undefined, undefined]);
  });

  it("names a file that cannot be read", async () => {
    const file = join(folder, "absent.csv");
    await assert.rejects(createRecordedSource(file), (error: unknown) => {
      assert.ok(error instanceof MistakeError);
      assert.match(error.message, /metrics\.file .*absent\.csv.*must be a file that can be read.*ENOENT/);
      return true;
    });
  });

  it("reads a file once for all who open it unchanged, and anew after it has changed or was mended", async () => {
    const file = join(folder, "shared.csv");
    await writeFile(file, "no header");
    await assert.rejects(createRecordedSource(file), MistakeError);
    await writeFile(file, `${WIDE}\nworkload/a,cpuMillis,0,1000,1`);
    const [one, other] = await Promise.all([createRecordedSource(file), createRecordedSource(file)]);
    assert.equal(one, other);
    await writeFile(file, `${WIDE}\nworkload/a,cpuMillis,0,1000,1 2`);
    const changed = await createRecordedSource(file);
    const [series] = await changed.query(
      [{ subject: "workload/a", unit: "cpuMillis" }],
      { fromMs: 0, toMs: 2000 },
      1000,
      SIGNAL,
    );
    assert.deepEqual(Array.from(series?.values ?? []), [1, 2]);
  });

  it("names all mistakes at once, each with its line and what to do", () => {
    const message = mistakesOf(
      WIDE,
      "# fine",
      "workload/a,cpuMilis,0,1000,1",
      "workload/b,cpuMillis,0,0,1",
      "workload/c,cpuMillis,0,1000,1 x -3",
      "workload/d,cpuMillis,0,1000",
      "workload/e,cpuMillis,0,1000,",
      "workload/f,cpuMillis,0,1000,1",
      "workload/f,cpuMillis,0,1000,1",
    );
    assert.match(message, /load\.csv:3 \("cpuMilis"\) must be a known unit; did you mean "cpuMillis"\?/);
    assert.match(message, /load\.csv:4 \("0,0"\) must be a whole start_ms and step_ms > 0/);
    assert.match(message, /load\.csv:5 \("x"\) must be a number >= 0/);
    assert.match(message, /load\.csv:5 \("-3"\) must be a number >= 0/);
    assert.match(message, /load\.csv:6 .* must have 5 cells/);
    assert.match(message, /load\.csv:7 .* must have at least one value/);
    assert.match(message, /load\.csv:9 .* must be there once, and line 8 has it/);
  });

  it("names mistakes of the long form", () => {
    const message = mistakesOf(
      LONG,
      "yesterday,workload/a,cpuMillis,1",
      "0,workload/b,cpuMillis,1",
      "0,workload/b,cpuMillis,2",
      "0,workload/c,cpuMillis,Infinity",
      "0;workload/c;cpuMillis;1",
    );
    assert.match(message, /load\.csv:2 \("yesterday"\) must be a time/);
    assert.match(message, /load\.csv:4 .*must be there once for workload\/b/);
    assert.match(message, /load\.csv:5 \("Infinity"\)/);
    assert.match(message, /load\.csv:6 .*must have 4 cells/);
  });

  it("refuses an empty file, an unknown header, and a header without rows", () => {
    assert.match(mistakesOf(""), /must hold a header/);
    assert.match(mistakesOf("time;value", "0;1"), /load\.csv:1 .*must be the header/);
    assert.match(mistakesOf(WIDE), /must be followed by rows/);
  });

  it("refuses samples so irregular that their grid would not end", () => {
    const rows = ["0,w,cpuMillis,1", "1,w,cpuMillis,1", "9000000000,w,cpuMillis,1"];
    assert.match(mistakesOf(LONG, ...rows), /must be regular/);
  });
});
