/** A maintenance window: a calendar, nothing else. */
import * as pulumi from "@pulumi/pulumi";
import { normalizeWindow, windowRule } from "../arguments";
import type { WindowSpec } from "../model";
import { parseArguments } from "./argument-error";

/** Arguments of {@link MaintenanceWindow}. */
export interface MaintenanceWindowArgs {
  /** When it opens: five cron fields (minute, hour, day of month, month, day of week) in `timezone`. Or `rrule`. */
  cron?: string;
  /**
   * When it opens, as iCalendar lines (RFC 5545) in local times of `timezone`: `"FREQ=MONTHLY;BYDAY=2SA;BYHOUR=2"`. Rules
   * with INTERVAL or COUNT have a DTSTART: `"DTSTART:20260110T020000\nRRULE:FREQ=WEEKLY;INTERVAL=2;BYDAY=SA"`; lines of
   * EXDATE and RDATE take dates away and add some.
   */
  rrule?: string;
  /** How long it stays open. Openings that touch or overlap are one. */
  duration: string;
  /** IANA time zone. @default "UTC" */
  timezone?: string;
  /** Local dates in which nothing opens, first and last day included: "2026-12-20/2027-01-03". */
  freezes?: string[];
  /**
   * What its times are: `"closed"` makes a calendar of times in which nothing may run, such as Friday afternoons. At any
   * moment the windows with the highest `precedence` decide; among equals one that closes wins. @default "open"
   */
  effect?: "open" | "closed";
  /** Which window decides where several have a moment: the highest. -1000..1000. @default 0 */
  precedence?: number;
  /**
   * How far a run may go while this window decides; with several, the strictest wins, and the limits and budgets of
   * the update hold too. `maxUnavailable` is by workload. @default those of the update
   */
  limits?: {
    hostsAtOnce?: number;
    hostsPerZone?: number;
    hostsPerRack?: number;
    hostsPerIsland?: number;
    maxUnavailable?: Record<string, number>;
  };
}

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
    const checked = parseArguments(`MaintenanceWindow "${name}"`, args, windowRule);
    this.spec = normalizeWindow(name, checked);
    this.registerOutputs({});
  }
}
