/** Series on the grid of a forecast, cut where it begins. Not for: filling gaps (prepare.ts). */
import type { Series } from "../../sdk/model";
import { resampleSeries, seriesEndMs, trimSeries } from "../../sdk/model";

/**
 * Puts a series on a grid and cuts it at `untilMs`. Infinite values stay for the model to refuse by name. Undefined
 * when nothing is left.
 */
export function alignBefore(series: Series | undefined, untilMs: number, stepMs: number): Series | undefined {
  if (series === undefined) return undefined;
  const toMs = Math.min(seriesEndMs(series), untilMs);
  if (!(toMs > series.startMs)) return undefined;
  const aligned = trimSeries(resampleSeries(series, stepMs, { fromMs: series.startMs, toMs }));
  return aligned.values.length === 0 ? undefined : aligned;
}
