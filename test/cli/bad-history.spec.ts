import * as assert from "node:assert/strict";
import * as fs from "node:fs/promises";
import * as os from "node:os";
import * as path from "node:path";
import { archipelago } from "./command-line";

const START_S = Date.UTC(2026, 10, 2) / 1000;
const HOUR_S = 3600;

/** Rows of two weeks of hours unless told otherwise. */
function rows(value: (index: number) => number | string, count = 336, stepS = HOUR_S): string[] {
  return Array.from({ length: count }, (_, index) => `${String(START_S + index * stepS)},${String(value(index))}`);
}

const load = (index: number): number =>
  Math.round(100 + 50 * Math.sin((2 * Math.PI * index) / 24) + ((index * 7) % 11));

/** What is wrong, the file, and what both commands have to say; `is: "told"` forecasts all the same. */
const CASES: readonly {
  readonly name: string;
  readonly text: readonly string[];
  readonly is: "refused" | "told";
  readonly says: RegExp;
}[] = [
  { name: "nothing", text: [], is: "refused", says: /must have a row that begins with a moment/ },
  { name: "one point", text: rows(load, 1), is: "refused", says: /has fewer than two moments.*export more of it/ },
  {
    name: "gaps only",
    text: rows(() => "nan"),
    is: "refused",
    says: /no measured value in any; check that its metric/,
  },
  {
    name: "an infinite value",
    text: rows((i) => (i === 9 ? "Infinity" : 5)),
    is: "refused",
    says: /is infinite at 2026-11-02T09:00/,
  },
  { name: "a word", text: rows((i) => (i === 9 ? "many" : 5)), is: "refused", says: /:11 \("many"\) must be a number/ },
  {
    name: "negative values",
    text: rows((i) => (i % 50 === 3 ? -5 : load(i))),
    is: "told",
    says: /7 negative values were taken as 0/,
  },
  {
    name: "unsorted times",
    text: rows(load).toReversed(),
    is: "told",
    says: /were not in the order of time and were sorted/,
  },
  {
    name: "doubled times",
    text: rows(load).flatMap((row) => [row, row]),
    is: "told",
    says: /336 steps hold several samples/,
  },
  {
    name: "a clock that was set back",
    text: [...rows(load, 100), ...rows(load).slice(95)],
    is: "told",
    says: /5 steps hold several samples/,
  },
  {
    name: "a clock that jumped ahead",
    text: [...rows(load), "2500000000,7"],
    is: "told",
    says: /far away from all others/,
  },
  {
    name: "steps of a second",
    text: rows(load, 100_000, 1),
    is: "told",
    says: /means of 1 min were taken of values every 1\.0 s/,
  },
  { name: "steps of a day", text: rows((i) => (i % 7 > 4 ? 30 : 90) + (i % 5), 120, 86_400), is: "told", says: /24 h/ },
  {
    name: "a counter with restarts",
    text: rows((i) => 50 * (i % 100) + 1),
    is: "told",
    says: /so it is a counter.*3 restarts of it taken out/,
  },
  {
    name: "hardly anything but 0",
    text: rows((i) => (i === 50 || i === 290 ? 5 : 0)),
    is: "told",
    says: /\d+ of \d+ values are 0/,
  },
  { name: "one value that never changes", text: rows(() => 5), is: "told", says: /every value is the same \(5\)/ },
];

describe("archipelago forecast and backtest of bad input", function () {
  this.timeout(60_000);

  let folder: string;

  before(async () => {
    folder = await fs.mkdtemp(path.join(os.tmpdir(), "archipelago-bad-"));
  });

  after(async () => {
    await fs.rm(folder, { recursive: true });
  });

  for (const { name, text, is, says } of CASES) {
    it(`${is === "told" ? "repair and tell" : "refuse with the remedy"}: ${name}`, async () => {
      const file = path.join(folder, `${name}.csv`);
      await fs.writeFile(file, `time,cpu\n${text.join("\n")}\n`);
      // Both read alike; what differs is tested where it may.
      const isTestedToo = /^(negative|gaps|a counter|hardly)/.test(name);
      for (const command of [["forecast"], ...(isTestedToo ? [["backtest", "--origins", "1"]] : [])]) {
        const { code, stdout, stderr } = await archipelago([...command, file]);
        assert.match(stdout + stderr, says);
        assert.doesNotMatch(stdout + stderr, /NaN|Infinity\b(?!")|undefined|\n\s+at \S+ \(/);
        assert.equal(code === 0, is === "told", stdout + stderr);
      }
    });
  }

  it("refuse a file of more points than can be held, with the remedy", async () => {
    const file = path.join(folder, "many.csv");
    const block = Buffer.from(`${rows(() => 5, 100_000, 1).join("\n")}\n`);
    const handle = await fs.open(file, "w");
    await handle.write("time,cpu\n");
    for (let written = 0; written < 21; written++) await handle.write(block);
    await handle.close();
    const { code, stderr } = await archipelago(["forecast", file]);
    assert.notEqual(code, 0);
    assert.match(stderr, /must have at most 2,000,000 lines; export it on a longer step/);
  });
});
