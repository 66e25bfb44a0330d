/** What statsmodels gives; fixtures/classical.py made it. */
import { strict as assert } from "node:assert";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { ArimaOrder } from "../../../providers/forecast/classical/arima";

interface Oracle {
  readonly values: readonly number[];
  readonly season: number;
  readonly damped: {
    readonly speeds: { readonly level: number; readonly trend: number; readonly damping: number };
    readonly start: { readonly level: number; readonly trend: number };
    readonly squares: number;
    readonly forecast: readonly number[];
  };
  readonly theta: { readonly alpha: number; readonly slope: number; readonly forecast: readonly number[] };
  readonly stl: { readonly trend: readonly number[]; readonly seasonal: readonly number[]; readonly every: number };
  readonly mstl: {
    readonly seasons: readonly number[];
    readonly trend: readonly number[];
    readonly seasonals: readonly (readonly number[])[];
    readonly every: number;
  };
  readonly yuleWalker: { readonly coefficients: readonly number[]; readonly variance: number };
  readonly kpss: { readonly statistic: number };
  readonly arima: readonly {
    readonly order: ArimaOrder;
    readonly isCentred: boolean;
    readonly coefficients: readonly number[];
    readonly forecast: readonly number[];
    /** By maximum likelihood. */
    readonly fitted: readonly number[];
  }[];
  readonly hannanRissanen: { readonly coefficients: readonly number[] };
}

export const ORACLE = JSON.parse(
  readFileSync(join(process.cwd(), "test", "forecast", "fixtures", "classical.json"), "utf8"),
) as Oracle;
export const VALUES = Float64Array.from(ORACLE.values);

export function centred(values: Float64Array): Float64Array {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return values.map((value) => value - mean);
}

export function assertAllNear(actual: ArrayLike<number>, expected: readonly number[], tolerance: number): void {
  assert.equal(actual.length, expected.length);
  expected.forEach((value, i) => {
    const distance = Math.abs((actual[i] ?? Number.NaN) - value);
    assert.ok(distance <= tolerance, `${String(i)}: ${String(actual[i])} is not ${String(value)}`);
  });
}
