/**
 * How finely a fleet is forecast. Drawing and planning on joint paths is work for every workload, step and path: small
 * fleets get the finest grid, larger ones a coarser one, so that the numbers stay within a bound.
 *
 * Not for: forecasting itself (forecast-fleet.ts).
 *
 * Invariants
 * 1. A coarser step stands for the highest of the finer ones in it: what is enough on it is enough at every finer step.
 * 2. The grid depends on the fleet's size and the horizon alone, so that a slot gives one plan.
 */
import {
  floorToGrid,
  overlaySeries,
  resampleSeries,
  seriesEndMs,
  type Series,
  type WorkloadHistory,
} from "../../sdk/model";

/** Steps and paths of a forecast. */
export interface ForecastGrid {
  readonly stepMs: number;
  readonly paths: number;
}

const MINUTE_MS = 60_000;
/** Step of the finest grid, and of the histories that {@link onGrid} takes, ms. */
export const FINEST_STEP_MS = 5 * MINUTE_MS;
/** From fine to coarse. The last one serves all larger fleets: on fewer paths the share of one would be too coarse. */
const GRIDS: readonly ForecastGrid[] = [
  { stepMs: FINEST_STEP_MS, paths: 200 },
  { stepMs: 10 * MINUTE_MS, paths: 200 },
  { stepMs: 15 * MINUTE_MS, paths: 200 },
  { stepMs: 15 * MINUTE_MS, paths: 100 },
  { stepMs: 30 * MINUTE_MS, paths: 100 },
];
/** Numbers of all workloads, steps and paths: about a second of planning. */
const MOST_NUMBERS = 3_000_000;

/** The finest grid that is still quick enough. */
export function chooseGrid(workloads: number, horizonMs: number): ForecastGrid {
  const numbersOf = ({ stepMs, paths }: ForecastGrid): number => workloads * Math.ceil(horizonMs / stepMs) * paths;
  return (GRIDS.find((grid) => numbersOf(grid) <= MOST_NUMBERS) ?? GRIDS.at(-1)) as ForecastGrid;
}

/**
 * Histories as a grid's forecast takes them: of CPU and requests the highest in each step, the others as they are. On a
 * coarser grid what was measured live is part of the CPU.
 */
export function onGrid(histories: readonly WorkloadHistory[], { stepMs }: ForecastGrid): readonly WorkloadHistory[] {
  if (stepMs === FINEST_STEP_MS) return histories;
  return histories.map(({ cpu, requests, live, ...others }): WorkloadHistory => {
    const measured = cpu && live ? overlaySeries(cpu, live) : (cpu ?? live);
    return {
      ...others,
      ...(measured ? { cpu: peaksOf(measured, stepMs) } : {}),
      ...(requests ? { requests: peaksOf(requests, stepMs) } : {}),
    };
  });
}

/** The highest of a series in each step of a coarser grid; one that begins or ends within a step has it as well. */
function peaksOf(series: Series, stepMs: number): Series {
  const endMs = seriesEndMs(series);
  const { values, startMs: fineStartMs } = resampleSeries(series, FINEST_STEP_MS, {
    fromMs: series.startMs,
    toMs: endMs,
  });
  const startMs = floorToGrid(fineStartMs, stepMs);
  const count = Math.ceil((endMs - startMs) / stepMs);
  const peaks = new Float64Array(count).fill(Number.NaN);
  values.forEach((value, index) => {
    const step = Math.floor((fineStartMs + index * FINEST_STEP_MS - startMs) / stepMs);
    // False for a gap; true where nothing was measured before.
    if (value > (peaks[step] as number) || (!Number.isNaN(value) && Number.isNaN(peaks[step]))) peaks[step] = value;
  });
  return { ...series, startMs, stepMs, values: peaks };
}
