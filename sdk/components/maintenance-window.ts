/** A maintenance window: a calendar, nothing else. */
import * as pulumi from "@pulumi/pulumi";
import { normalizeWindow, windowRule } from "../arguments";
import type { WindowSpec } from "../model";
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
    this.spec = normalizeWindow(name, parseArguments(`MaintenanceWindow "${name}"`, args, windowRule));
    this.registerOutputs({});
  }
}
