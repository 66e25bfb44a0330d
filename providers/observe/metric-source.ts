/**
 * Contract of metric sources.
 *
 * Not for: forecasting; a source answers with what was measured, gaps as NaN.
 */
import type { MetricUnit, Series } from "../../sdk/model";

/** What is asked for. */
export interface MetricSelector {
  /** `workload/<name>`, `host/<id>`. */
  readonly subject: string;
  readonly unit: MetricUnit;
}

export interface TimeRange {
  readonly fromMs: number;
  readonly toMs: number;
}

export interface MetricSource {
  readonly name: string;
  /** True when what it answers was generated, not measured; reports say so. */
  readonly disclosure?: string;
  /**
   * One series per selector, on the grid of `stepMs`, or undefined where the source has none.
   * @throws DriverError unreachable, unauthorized
   */
  query(
    selectors: readonly MetricSelector[],
    range: TimeRange,
    stepMs: number,
    signal: AbortSignal,
  ): Promise<readonly (Series | undefined)[]>;
}
