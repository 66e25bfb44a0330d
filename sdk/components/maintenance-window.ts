/** A maintenance window: a calendar, nothing else. */
import * as pulumi from "@pulumi/pulumi";
import type { WindowSpec } from "../model";
import { duration, list, object, optional, required, text, type Rule } from "./argument-rules";
import { parseArguments } from "./argument-error";

/** Arguments of {@link MaintenanceWindow}. */
export interface MaintenanceWindowArgs {
  /** When it opens: five cron fields (minute, hour, day of month, month, day of week) in `timezone`. */
  cron: string;
  /** How long it stays open. Openings that touch or overlap are one. */
  duration: string;
  /** IANA time zone. @default "UTC" */
  timezone?: string;
  /** Local dates in which nothing opens, first and last day included: "2026-12-20/2027-01-03". */
  freezes?: string[];
}

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

const argsRule = object({
  cron: required(cron, 'say when it opens, like "0 2 * * 6" for Saturdays at 02:00'),
  duration: required(duration(MINUTE_MS), 'say how long it stays open, like "3 hours"'),
  timezone: optional(text, "UTC"),
  freezes: optional(list(text), []),
});

/**
 * A calendar of openings. It changes nothing by itself; a HostUpdate works in it.
 *
 * @example
 * const saturdays = new archipelago.MaintenanceWindow("saturdays", {
 *   cron: "0 2 * * 6", duration: "3 hours", timezone: "Europe/Berlin", freezes: ["2026-12-20/2027-01-03"],
 * });
 */
export class MaintenanceWindow extends pulumi.ComponentResource {
  /** The calendar, resolved. */
  readonly spec: WindowSpec;

  /** @throws ArgumentError with every mistake in `args` */
  constructor(name: string, args: MaintenanceWindowArgs, options?: pulumi.ComponentResourceOptions) {
    super("archipelago:index:MaintenanceWindow", name, {}, options);
    const checked = parseArguments(`MaintenanceWindow "${name}"`, args, argsRule);
    const { duration: durationMs, ...calendar } = checked;
    this.spec = { name, ...calendar, durationMs };
    this.registerOutputs({});
  }
}
