/** A resource island: a share of some hosts for one family of workloads, with what is wanted of each. */
import * as pulumi from "@pulumi/pulumi";
import type { IslandSpec, MetricsSpec, Mistake, ValidateSpec } from "../model";
import { duration, later, list, object, optional, percentage, required, text } from "./argument-rules";
import { parseArguments } from "./argument-error";
import type { Later } from "./later";
import { normalizeWorkload, validateWorkloads, workloadRule, type WorkloadArgs } from "./workload-args";

/** Arguments of {@link ResourceIsland}. */
export interface ResourceIslandArgs {
  /** Where the hosts come from. Exactly one field. */
  hosts: HostSourceArgs;
  /**
   * Share of each host that is promised to this island.
   * @default all of it
   */
  guarantee?: { cpu?: string; memory?: string };
  /** Policy of the workloads. What is found running and not named here is moved like a `normal` one. */
  workloads: WorkloadArgs[];
  /** Where load history comes from. @default the agents' own samples */
  metrics?: MetricsArgs;
  /** Checks that must be green after a host's update and before it takes work again. */
  validate?: ValidateArgs[];
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

const DEFAULT_VALIDATE_TIMEOUT_MS = 10_000;

const argsRule = object({
  hosts: required(
    object({
      agents: optional(object({ inventory: required(later(text), "give the path of the inventory") }), undefined),
    }),
    "say where the hosts come from, like { agents: { inventory: fleet.inventory } }",
  ),
  guarantee: optional(object({ cpu: optional(percentage, 1), memory: optional(percentage, 1) }), { cpu: 1, memory: 1 }),
  workloads: required(list(workloadRule, 1), "name the workloads of the island"),
  metrics: optional(
    object({
      recorded: optional(object({ file: required(later(text), "give the path of the CSV file") }), undefined),
      cloudWatch: optional(object({ region: required(text, 'give the region, like "eu-central-1"') }), undefined),
    }),
    undefined,
  ),
  validate: optional(
    list(
      object({
        http: optional(later(text), undefined),
        command: optional(later(text), undefined),
        timeout: optional(duration(100), DEFAULT_VALIDATE_TIMEOUT_MS),
      }),
    ),
    [],
  ),
});
/** The arguments once each field has been checked. */
type CheckedIsland = NonNullable<ReturnType<typeof argsRule>>;

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
  /**
   * Its policy, resolved. Parts that are still outputs stay so, each by itself: one output around all of it would be
   * unknown as a whole while one part is.
   */
  readonly spec: Later<IslandSpec>;

  /** @throws ArgumentError with every mistake in `args` */
  constructor(name: string, args: ResourceIslandArgs, options?: pulumi.ComponentResourceOptions) {
    super("archipelago:index:ResourceIsland", name, {}, options);
    const checked = parseArguments(`ResourceIsland "${name}"`, args, argsRule, validateIsland);
    this.islandName = name;
    this.spec = normalizeIsland(name, checked);
    this.registerOutputs({ islandName: name });
  }
}

function validateIsland(island: CheckedIsland, mistakes: Mistake[]): void {
  if (!island.hosts.agents) {
    mistakes.push({
      field: "hosts",
      value: {},
      rule: "must name one source of hosts",
      remedy: "give { agents: { inventory } }",
    });
  }
  validateWorkloads(island.workloads, "workloads", mistakes);
  if (island.metrics?.recorded && island.metrics.cloudWatch) {
    mistakes.push({
      field: "metrics",
      value: Object.keys(island.metrics),
      rule: "must name one source",
      remedy: "leave one out",
    });
  }
  island.validate.forEach((check, index) => {
    if ((check.http === undefined) === (check.command === undefined)) {
      mistakes.push({
        field: `validate[${String(index)}]`,
        value: Object.keys(check),
        rule: "must have exactly one of http and command",
        remedy: "split it in two, or name one",
      });
    }
  });
}

function normalizeIsland(name: string, island: CheckedIsland): Later<IslandSpec> {
  return {
    name,
    source: { kind: "agents", inventory: island.hosts.agents?.inventory ?? "" },
    guarantee: island.guarantee,
    workloads: island.workloads.map(normalizeWorkload),
    metrics: normalizeMetrics(island.metrics),
    validate: island.validate.map(normalizeCheck),
  };
}

function normalizeMetrics(metrics: CheckedIsland["metrics"]): Later<MetricsSpec> {
  if (metrics?.recorded) return { kind: "recorded", file: metrics.recorded.file };
  if (metrics?.cloudWatch) return { kind: "cloudWatch", region: metrics.cloudWatch.region };
  return { kind: "agent" };
}

function normalizeCheck(check: CheckedIsland["validate"][number]): Later<ValidateSpec> {
  return check.http === undefined
    ? { kind: "command", command: check.command ?? "", timeoutMs: check.timeout }
    : { kind: "http", url: check.http, timeoutMs: check.timeout };
}
