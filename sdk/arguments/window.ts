/** Rules of a maintenance window's arguments, and their resolved form. */
import type { WindowSpec } from "../model";
import { duration, list, object, optional, required, text, type Rule } from "./rules";

const MINUTE_MS = 60_000;

/** The number of fields is seen here; whether it ever opens needs the calendar, in the provider's check. */
const cron: Rule<string> = (value, field, mistakes) => {
  if (typeof value === "string" && value.trim().split(/\s+/).length === 5) return value;
  mistakes.push({
    field,
    value,
    rule: "must have five fields: minute, hour, day of month, month, day of week",
    remedy: 'write it like "0 2 * * 6"',
  });
  return undefined;
};

/** Fields of a window. */
export const windowRule = object({
  cron: required(cron, 'say when it opens, like "0 2 * * 6" for Saturdays at 02:00'),
  duration: required(duration(MINUTE_MS), 'say how long it stays open, like "3 hours"'),
  timezone: optional(text, "UTC"),
  freezes: optional(list(text), []),
});
/** The arguments once each field has been checked. */
export type CheckedWindow = NonNullable<ReturnType<typeof windowRule>>;

/** Checked arguments to policy. */
export function normalizeWindow(name: string, { duration: durationMs, ...calendar }: CheckedWindow): WindowSpec {
  return { name, ...calendar, durationMs };
}
