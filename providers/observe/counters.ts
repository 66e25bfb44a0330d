/**
 * Counters as rates: what only counts up, and begins at 0 again when the process that counts restarts.
 *
 * Not for: counters inside Prometheus, whose `rate` does the same.
 *
 * Invariants
 * 1. A rate is never negative: a fall of the counter is a restart. The time in which it happened is a gap, for what was
 *    counted before it is not known.
 * 2. Without a name or a restart that says so, growing values stay what they are: a disk that fills is no counter.
 *
 * Source: resets as in Prometheus' `rate` (prometheus.io, "Query functions"), which counts such times from 0 instead.
 */
import type { Sample } from "./samples";

/** What is known of the values: declared, or to be found out. */
export type CounterChoice = "yes" | "no" | "find out";

/** Samples as they are forecast. */
export interface Counted {
  readonly samples: readonly Sample[];
  /** For people. */
  readonly notes: readonly string[];
}

/** Names of counters by the conventions of Prometheus and OpenMetrics. */
const COUNTER_NAME = /_(total|count|sum|bucket)($|\{)/;
/** Fewer samples than this do not tell a counter. */
const FEWEST_SAMPLES = 12;
/** Share of falls that may be restarts; and what is left of the value after one. */
const MOST_RESETS = 0.05;
const LEFT_AFTER_RESET = 0.2;
/** Share of the steps in which a counter of something that goes on grows. */
const GROWING_SHARE = 0.5;

/** Turns the samples of a counter into its rate a second; others stay. @param sorted by time */
export function countUp(name: string, sorted: readonly Sample[], choice: CounterChoice): Counted {
  if (choice === "no") return { samples: sorted, notes: [] };
  if (choice === "yes") return toRates(sorted, "is a counter as declared");
  const { steps, growing, resets, falls } = describe(sorted);
  if (steps < FEWEST_SAMPLES || falls > resets || resets > MOST_RESETS * steps || growing < GROWING_SHARE * steps) {
    return { samples: sorted, notes: [] };
  }
  if (COUNTER_NAME.test(name)) return toRates(sorted, "is a counter by its name");
  if (resets > 0) return toRates(sorted, "only grows and then begins near 0 again, so it is a counter");
  return { samples: sorted, notes: ["it only ever grows: if it is a counter, say so with --counter yes"] };
}

function describe(sorted: readonly Sample[]): {
  readonly steps: number;
  readonly growing: number;
  readonly falls: number;
  /** Falls to nearly nothing. */
  readonly resets: number;
} {
  let [steps, growing, falls, resets, negative] = [0, 0, 0, 0, 0];
  let before: number | undefined;
  for (const { value } of sorted) {
    if (Number.isNaN(value)) continue;
    if (value < 0) {
      negative++;
      continue;
    }
    if (before !== undefined) {
      steps++;
      if (value > before) growing++;
      if (value < before) falls++;
      if (value < LEFT_AFTER_RESET * before) resets++;
    }
    before = value;
  }
  // A few are a mistake of measuring; what is often negative counts nothing.
  return { steps: negative > MOST_RESETS * steps ? 0 : steps, growing, falls, resets };
}

/** A rate belongs to the time in which it was counted, so it stands at the sample before. */
function toRates(sorted: readonly Sample[], reason: string): Counted {
  const samples: Sample[] = [];
  let [resets, negative] = [0, 0];
  let before: Sample | undefined;
  for (const sample of sorted) {
    if (Number.isNaN(sample.value)) continue;
    if (sample.value < 0) {
      negative++;
      continue;
    }
    const seconds = before === undefined ? 0 : (sample.timeMs - before.timeMs) / 1000;
    if (before !== undefined && seconds > 0) {
      const isReset = sample.value < before.value;
      if (isReset) resets++;
      samples.push({ timeMs: before.timeMs, value: isReset ? Number.NaN : (sample.value - before.value) / seconds });
    }
    before = sample;
  }
  const restarts = resets === 0 ? "" : `; ${String(resets)} restart${resets === 1 ? "" : "s"} of it taken out`;
  const notes = [`${reason}: its rate a second is forecast${restarts}`];
  if (negative > 0) {
    notes.push(`${String(negative)} negative value${negative === 1 ? "" : "s"} of the counter left out`);
  }
  return { samples, notes };
}
