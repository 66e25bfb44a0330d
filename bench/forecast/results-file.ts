/**
 * The file of results: rows of several runs, each under the print of the forecasts that it scored.
 *
 * Not for: scoring (scores.ts).
 *
 * Invariant: a run replaces the rows that it measured and leaves all others as they were.
 */
import { createHash } from "node:crypto";
import * as fs from "node:fs";
import * as path from "node:path";
import { ensemble } from "../../providers/forecast/ensemble";
import { createRandom } from "../../providers/forecast/random";
import { LEVELS } from "./scores";

/** Of what a row was measured. */
interface Stamp {
  /** Version of the package. */
  readonly version: string;
  /** {@link printOfForecasts} of the code that ran. */
  readonly forecasts: string;
  /** Absent: all series of the task; else so many of them at most. */
  readonly sample?: number;
}

/** A row of the file. */
interface StampedRow {
  /** Absent: measured before rows had stamps. */
  readonly stamp?: Stamp;
}

const PRINT_LENGTH = 12;
/** Digits that all machines agree on. */
const DIGITS = 6;
const HOUR_MS = 3_600_000;

/**
 * A print of what this code forecasts, on a few made series with default settings: code that forecasts otherwise has
 * another one, code that only reads otherwise has the same.
 */
export function printOfForecasts(): string {
  const hash = createHash("sha256");
  for (const [stepMs, count, horizon] of [
    [HOUR_MS, 840, 48],
    [HOUR_MS / 12, 2016, 288],
    [HOUR_MS / 12, 24, 12],
  ] as const) {
    for (const burst of [0, 0.05, 0.9]) {
      const { rows } = ensemble()
        .fit({ id: "print", unit: "cpuMillis", startMs: 0, stepMs, values: madeValues(count, HOUR_MS / stepMs, burst) })
        .predict(horizon, LEVELS);
      hash.update(rows.map((row) => row.map((value) => value.toPrecision(DIGITS)).join()).join(";"));
    }
  }
  return hash.digest("hex").slice(0, PRINT_LENGTH);
}

/** A day, weekends, a wander and bursts out of calm or idle hours. */
function madeValues(count: number, stepsPerHour: number, burst: number): Float64Array {
  const random = createRandom(count);
  let wander = 0;
  return Float64Array.from({ length: count }, (_, step) => {
    const hour = step / stepsPerHour;
    wander = 0.95 * wander + 0.1 * random.normal();
    const calm = (2 + Math.sin((2 * Math.PI * hour) / 24) + wander) * (Math.floor(hour / 24) % 7 >= 5 ? 0.6 : 1);
    const isBurst = random.next() < burst;
    return Math.max(0, burst > 0.5 ? (isBurst ? 0 : 10) : calm + (isBurst ? 5 : 0));
  });
}

/**
 * Puts the rows of a run into a file. @returns names of the rows it holds of other forecasts than the run's
 * @throws Error the file is there and is not one of results
 */
export function mergeRows(
  file: string,
  stamp: Stamp,
  rows: Readonly<Record<string, object>>,
  order: readonly string[],
): readonly string[] {
  const merged: Record<string, StampedRow> = { ...readRows(file) };
  for (const [task, row] of Object.entries(rows)) merged[task] = { ...row, stamp };
  const place = (task: string): number => (order.includes(task) ? order.indexOf(task) : order.length);
  const tasks = Object.fromEntries(Object.entries(merged).sort(([a], [b]) => place(a) - place(b)));
  fs.mkdirSync(path.dirname(file), { recursive: true });
  fs.writeFileSync(file, `${JSON.stringify({ tasks }, null, 2)}\n`);
  return Object.keys(tasks).filter((task) => tasks[task]?.stamp?.forecasts !== stamp.forecasts);
}

function readRows(file: string): Readonly<Record<string, StampedRow>> {
  if (!fs.existsSync(file)) return {};
  try {
    return (
      (JSON.parse(fs.readFileSync(file, "utf8")) as { readonly tasks?: Readonly<Record<string, StampedRow>> }).tasks ??
      {}
    );
  } catch (cause) {
    throw new Error(`${file} is not a file of results; move it away to begin a new one`, { cause });
  }
}
