import type { Series } from "../../sdk/model";
import { createRandom } from "../../providers/forecast/random";

export const MINUTE_MS = 60_000;
export const HOUR_MS = 60 * MINUTE_MS;
export const DAY_MS = 24 * HOUR_MS;
/** A Monday, 00:00 UTC. */
const MONDAY_MS = Date.UTC(2026, 10, 2);

/** A CPU series from values. */
export function seriesOf(values: readonly number[], overrides: Partial<Series> = {}): Series {
  return {
    id: "workload/checkout",
    unit: "cpuMillis",
    startMs: MONDAY_MS,
    stepMs: 5 * MINUTE_MS,
    values: Float64Array.from(values),
    ...overrides,
  };
}

/** Daily load around 1000 with lasting noise of the given deviation; hourly by default. */
export function dailySeries(options: {
  readonly days: number;
  readonly seed: number;
  readonly noise?: number;
  readonly stepMs?: number;
  readonly weekend?: number;
}): Series {
  const { days, seed, noise = 40, stepMs = HOUR_MS, weekend = 1 } = options;
  const random = createRandom(seed);
  let wander = 0;
  const values = Array.from({ length: Math.round((days * DAY_MS) / stepMs) }, (_, i) => {
    const hour = ((i * stepMs) % DAY_MS) / HOUR_MS;
    const day = Math.floor((i * stepMs) / DAY_MS) % 7;
    wander = 0.8 * wander + 0.6 * noise * random.normal();
    const shape = 1000 - 600 * Math.cos((2 * Math.PI * hour) / 24);
    return Math.max(0, shape * (day >= 5 ? weekend : 1) + wander);
  });
  return seriesOf(values, { stepMs });
}
