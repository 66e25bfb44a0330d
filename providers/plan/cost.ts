/**
 * What a plan costs: reserved hosts, paid from the start of the run to its end.
 *
 * Not for: what a run did cost; the report measures that.
 */
import type { CostLine, PoolSpec } from "../../sdk/model";

import { plural } from "./explain";
import type { Schedule } from "./schedule";

const HOUR_MS = 3_600_000;

/** The cost line of a schedule, at the median of its duration. */
export function planCost(schedule: Schedule | undefined, pool?: PoolSpec): CostLine {
  const count = schedule?.reserve.length ?? 0;
  const last = schedule?.waves.at(-1);
  if (!schedule || !last || count === 0) return { reservedHostHours: 0, note: "no reserved hosts, no extra cost" };
  const fromMs = schedule.waves[0]?.startMs ?? last.endMs;
  const reservedHostHours = round((count * (last.endMs - fromMs)) / HOUR_MS);
  const hours = `${plural(count, "reserved host")} for ${String(round(reservedHostHours / count))} h`;
  const price = pool?.hostHourPrice;
  if (!price) return { reservedHostHours, note: `${hours}; no price is known` };
  const amount = round(reservedHostHours * price.amount);
  return {
    reservedHostHours,
    amount,
    currency: price.currency,
    note: `${hours} at ${String(price.amount)} ${price.currency} an hour: ${amount.toFixed(2)} ${price.currency}`,
  };
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
