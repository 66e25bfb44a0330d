/** A resource island: a share of some hosts for one family of workloads, with what is wanted of each. */
import * as pulumi from "@pulumi/pulumi";
import {
  islandRule,
  normalizeIsland,
  type DisruptionBudgetArgs,
  type HostRuleArgs,
  type WorkloadArgs,
} from "../arguments";
import type { IslandSpec, WorkloadPolicy } from "../model";
import { parseArguments } from "./argument-error";
import { lateText, type Later } from "./later";

/** Arguments of {@link ResourceIsland}. */
export interface ResourceIslandArgs {
  /** Where the hosts come from. Exactly one field. */
  hosts: HostSourceArgs;
  /**
   * Share of each host that is promised to this island.
   * @default all of it
   */
  guarantee?: { cpu?: string; memory?: string };
  /**
   * Hosts that the island may have, of the reserve too: by zone, rack, id or label, as a family's locality or security
   * class asks for. @default all hosts of the source
   */
  within?: HostRuleArgs;
  /**
   * How far requests may be beyond what the island has of a host: `{ cpu: 1.5 }` lets the CPU that its copies request sum up
   * to one and a half times of that. Joint demand stays within it in any case.
   * @default requested CPU is not counted, and memory not beyond what is there
   */
  overcommit?: { cpu?: number; memory?: number };
  /**
   * How many of its hosts may be disrupted at once, and by what: `[{ hosts: "10%" }, { hosts: 0, reasons: ["rebalance"] }]`.
   * Of several, and of the limits of the update and its calendars, the strictest wins.
   * @default as many as limits allow
   */
  disruptionBudgets?: DisruptionBudgetArgs[];
  /** Policy of the workloads. What is found running and not named here is moved like a `normal` one. */
  workloads: WorkloadArgs[];
  /** Where load history comes from. @default the agents' own samples */
  metrics?: MetricsArgs;
  /** Checks that must be green after a host's update and before it takes work again. */
  validate?: ValidateArgs[];
  /** What is known of the time ahead that no history tells: campaigns, deployments, holidays, jobs. @default nothing */
  signals?: SignalArgs[];
  /**
   * Access log (common, combined or JSON lines) of a workload that users talk to: what they do now foretells the next ten
   * minutes, where a test on the log shows that it does. @default not followed
   */
  users?: { accessLog: pulumi.Input<string>; workload: string };
}

/** Something that changes demand for a while. Exactly one of `at`, `cron`, `rrule`, `file` and `country` says when. */
export interface SignalArgs {
  name: string;
  /** What it is. `cron` needs `cron`, `calendar` needs `file`, `holidays` needs `country`. */
  type: "event" | "marketing" | "deployment" | "season" | "cron" | "calendar" | "holidays";
  /** Moments with their offset, like "2026-11-27T08:00:00+01:00". */
  at?: string[];
  /** Five-field cron, in `timezone`. */
  cron?: string;
  /** Recurrence rule of RFC 5545, like "FREQ=MONTHLY;BYDAY=-1FR;BYHOUR=18", in `timezone`. */
  rrule?: string;
  /** @default "UTC" */
  timezone?: string;
  /** How long it lasts, like "2 hours"; with `at`, `cron` and `rrule`. */
  for?: string;
  /** Path of an iCalendar file; each of its events is one. */
  file?: pulumi.Input<string>;
  /** Country whose public holidays they are, such as "DE", and its region, such as "BE". Needs the package date-holidays. */
  country?: string;
  region?: string;
  /** Change of the demand while it is on, like "+40%" or "-20%". @default learned from earlier times in the history */
  effect?: string;
  /** Whom it concerns first; what they call follows. @default all workloads of the island */
  workloads?: string[];
}

/** Where hosts come from. */
export interface HostSourceArgs {
  /** Hosts with an archipelago-agent: a local fleet's, or Linux hosts'. */
  agents?: {
    /** Path of the fleet's inventory file, such as `fleet.inventory` of a LocalFleet. */
    inventory: pulumi.Input<string>;
  };
}

/** Where metrics come from. Exactly one field. */
export interface MetricsArgs {
  /** A CSV file of recorded history; live samples of the agents come on top. */
  recorded?: { file: pulumi.Input<string> };
  /** Amazon CloudWatch in a region, with the ambient credentials. */
  cloudWatch?: { region: string };
  /**
   * Prometheus, or what speaks its HTTP API. Credentials come from the environment of the process that plans:
   * `ARCHIPELAGO_PROMETHEUS_TOKEN`, or `_USERNAME` and `_PASSWORD`; `ARCHIPELAGO_PROMETHEUS_CA` is the path of a PEM file.
   */
  prometheus?: {
    url: pulumi.Input<string>;
    /** How often Prometheus looks at its targets. @default "1 minute" */
    scrapeInterval?: string;
    /**
     * PromQL by unit, with the placeholders `$names` and `$interval`; each result carries the label `workload`.
     * @default metrics of the agents and the switch, else those of cAdvisor
     */
    queries?: { cpuMillis?: string; memoryBytes?: string; requestsPerSecond?: string };
  };
}

/** One check: exactly one of `http` and `command`. */
export interface ValidateArgs {
  /** URL that must answer 2xx. */
  http?: pulumi.Input<string>;
  /** Command that must exit with 0 on the updated host. */
  command?: pulumi.Input<string>;
  /** @default "10 seconds" */
  timeout?: string;
}

const argsRule = islandRule(lateText);

/**
 * A share of some hosts for one family of workloads.
 *
 * @example
 * const shop = new archipelago.ResourceIsland("shop", {
 *   hosts: { agents: { inventory: "fleet/inventory.json" } },
 *   guarantee: { cpu: "80%", memory: "80%" },
 *   workloads: [
 *     { name: "front", criticality: "critical", budget: { maxUnavailable: 1 } },
 *     { name: "ledger", copies: "exclusive", maxPause: "2 seconds" },
 *   ],
 *   metrics: { recorded: { file: "history.csv" } },
 *   validate: [{ command: "test -x current/bin/tool" }],
 * });
 */
export class ResourceIsland extends pulumi.ComponentResource {
  /** The island's name. */
  readonly islandName: string;
  /** Its declared workloads, what each calls and what must not run beside it. */
  readonly workloads: readonly Pick<WorkloadPolicy, "name" | "dependsOn" | "apartFrom">[];
  /**
   * Its policy, resolved. Parts that are still outputs stay so, each by itself: one output around all of it would be
   * unknown as a whole while one part is.
   */
  readonly spec: Later<IslandSpec>;

  /** @throws ArgumentError with every mistake in `args` */
  constructor(name: string, args: ResourceIslandArgs, options?: pulumi.ComponentResourceOptions) {
    super("archipelago:index:ResourceIsland", name, {}, options);
    const checked = parseArguments(`ResourceIsland "${name}"`, args, argsRule);
    this.islandName = name;
    this.workloads = checked.workloads.map(({ name: workload, dependsOn, apartFrom }) => ({
      name: workload,
      ...(dependsOn ? { dependsOn } : {}),
      ...(apartFrom ? { apartFrom } : {}),
    }));
    this.spec = normalizeIsland(name, checked);
    this.registerOutputs({ islandName: name });
  }
}
