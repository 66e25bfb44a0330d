/** Rules of a maintenance window's arguments, and their resolved form. */
import { HOST_LIMITS, type WindowLimits, type WindowSpec } from "../model";
import {
  duration,
  join,
  list,
  named,
  object,
  oneOf,
  optional,
  required,
  text,
  wholeNumber,
  type FieldRule,
  type Rule,
} from "./rules";

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

const limitsRule = object({
  hostsAtOnce: optional(wholeNumber(1, 1000), undefined),
  hostsPerZone: optional(wholeNumber(1, 1000), undefined),
  hostsPerRack: optional(wholeNumber(1, 1000), undefined),
  hostsPerIsland: optional(wholeNumber(1, 1000), undefined),
  maxUnavailable: optional(named(wholeNumber(0, 10_000), "checkout"), undefined),
});

const fields = {
  cron: optional(cron, undefined),
  rrule: optional(text, undefined),
  duration: required(duration(MINUTE_MS), 'say how long it stays open, like "3 hours"'),
  timezone: optional(text, "UTC"),
  freezes: optional(list(text), []),
  effect: optional(oneOf(["open", "closed"]), "open" as const),
  precedence: optional(wholeNumber(-1000, 1000), 0),
  limits: optional(limitsRule, undefined),
};

/** Rule of a window. */
export const windowRule = object(fields, (window, field, mistakes) => {
  if ((window.cron === undefined) === (window.rrule === undefined)) {
    mistakes.push({
      field: join(field, "cron"),
      value: window.cron,
      rule: "must be given, or rrule instead, not both",
      remedy: 'say when it opens: cron, like "0 2 * * 6", or rrule, like "FREQ=MONTHLY;BYDAY=2SA;BYHOUR=2"',
    });
  }
  if (window.effect === "closed" && window.limits !== undefined) {
    mistakes.push({
      field: join(field, "limits"),
      value: window.limits,
      rule: 'must not be given with effect "closed": nothing runs then',
      remedy: "leave one of them out",
    });
  }
});
/** Of a window whose length is not known, so that the rest of it can be judged. */
const SOME_DURATION = "1 hour";

/** A window as it is written, as far as its fields are right; undefined where they say no window. */
export function readWindow(name: string, written: unknown): WindowSpec | undefined {
  if (typeof written !== "object" || written === null) return undefined;
  const right = Object.entries(written).filter(([field, value]) => {
    const known = fields[field as keyof typeof fields] as FieldRule<unknown> | undefined;
    return known?.rule(value, field, []) !== undefined;
  });
  const window = windowRule({ duration: SOME_DURATION, ...Object.fromEntries(right) }, "", []);
  return window && normalizeWindow(name, window);
}

/** The arguments once each field has been checked. */
export type CheckedWindow = NonNullable<ReturnType<typeof windowRule>>;

/** Checked arguments to policy. What is as by default is left out, so that it does not show in a diff. */
export function normalizeWindow(name: string, window: CheckedWindow): WindowSpec {
  const { cron: cronPattern, rrule, limits } = window;
  return {
    name,
    ...(cronPattern === undefined ? {} : { cron: cronPattern }),
    ...(rrule === undefined ? {} : { rrule }),
    timezone: window.timezone,
    freezes: window.freezes,
    durationMs: window.duration,
    ...(window.effect === "closed" ? { effect: window.effect } : {}),
    ...(window.precedence === 0 ? {} : { precedence: window.precedence }),
    ...(limits ? { limits: normalizeLimits(limits) } : {}),
  };
}

function normalizeLimits(limits: NonNullable<CheckedWindow["limits"]>): WindowLimits {
  const { maxUnavailable } = limits;
  const hosts = HOST_LIMITS.filter((name) => limits[name] !== undefined).map((name) => [name, limits[name]] as const);
  return { ...Object.fromEntries(hosts), ...(maxUnavailable === undefined ? {} : { maxUnavailable }) };
}
