/** Rules of a resource island's arguments, and their resolved form. */
import type { IslandSpec, MetricsSpec, Mistake, ValidateSpec } from "../model";
import { disruptionBudgets } from "./disruption";
import { hostRule, overcommit } from "./placement";
import {
  duration,
  join,
  list,
  object,
  optional,
  percentage,
  required,
  text,
  type Rule,
  type SpecOf,
  name as workloadName,
} from "./rules";
import { normalizeSignal, signalsRule, validateSignals } from "./signals";
import { normalizeWorkload, workloadsRule } from "./workload";

const DEFAULT_VALIDATE_TIMEOUT_MS = 10_000;
/** What Prometheus itself does unless told otherwise. */
const DEFAULT_SCRAPE_MS = 60_000;

/** A share of each host; of none of it nothing can be made. */
const share: Rule<number> = (value, field, mistakes) => {
  const part = percentage(value, field, mistakes);
  if (part === undefined || part > 0) return part;
  mistakes.push({ field, value, rule: "must be above 0%", remedy: "raise it, or leave the island out" });
  return undefined;
};

/**
 * Fields of an island.
 * @param late rule of the texts that may come later
 */
export function islandRule<T>(late: Rule<T>) {
  const fields = {
    hosts: required(
      object({
        agents: optional(object({ inventory: required(late, "give the path of the inventory") }), undefined),
      }),
      "say where the hosts come from, like { agents: { inventory: fleet.inventory } }",
    ),
    guarantee: optional(object({ cpu: optional(share, 1), memory: optional(share, 1) }), {
      cpu: 1,
      memory: 1,
    }),
    within: optional(hostRule, undefined),
    overcommit: optional(overcommit, undefined),
    disruptionBudgets: optional(disruptionBudgets, undefined),
    workloads: required(workloadsRule, "name the workloads of the island"),
    metrics: optional(
      object({
        recorded: optional(object({ file: required(late, "give the path of the CSV file") }), undefined),
        cloudWatch: optional(object({ region: required(text, 'give the region, like "eu-central-1"') }), undefined),
        prometheus: optional(
          object({
            url: required(late, 'give the URL of its HTTP API, like "https://prometheus.example"'),
            scrapeInterval: optional(duration(1), DEFAULT_SCRAPE_MS),
            queries: optional(
              object({
                cpuMillis: optional(text, undefined),
                memoryBytes: optional(text, undefined),
                requestsPerSecond: optional(text, undefined),
              }),
              undefined,
            ),
          }),
          undefined,
        ),
      }),
      undefined,
    ),
    validate: optional(
      list(
        object({
          http: optional(late, undefined),
          command: optional(late, undefined),
          timeout: optional(duration(100), DEFAULT_VALIDATE_TIMEOUT_MS),
        }),
      ),
      [],
    ),
    signals: optional(signalsRule(late), undefined),
    users: optional(
      object({
        accessLog: required(late, "give the path of the access log"),
        workload: required(workloadName, "name the workload whose log it is"),
      }),
      undefined,
    ),
  };
  return object(fields, (island, field, mistakes) => {
    validateIsland(island, field, mistakes);
  });
}
/** The arguments once each field has been checked. */
export type CheckedIsland<T> = NonNullable<ReturnType<ReturnType<typeof islandRule<T>>>>;

/** What the fields of an island say together. */
function validateIsland<T>(island: CheckedIsland<T>, field: string, mistakes: Mistake[]): void {
  const wrong = (name: string, value: unknown, rule: string, remedy: string): void => {
    mistakes.push({ field: join(field, name), value, rule, remedy });
  };
  if (!island.hosts.agents) wrong("hosts", {}, "must name one source of hosts", "give { agents: { inventory } }");
  const names = island.workloads.map(({ name }) => name);
  if (island.users && !names.includes(island.users.workload)) {
    const remedy = `known workloads: ${names.join(", ")}`;
    wrong("users.workload", island.users.workload, "must be a workload of this island", remedy);
  }
  validateSignals(island.signals ?? [], names, join(field, "signals"), mistakes);
  const sources = Object.entries(island.metrics ?? {}).flatMap(([name, source]) =>
    source === undefined ? [] : [name],
  );
  if (sources.length > 1) wrong("metrics", sources, "must name one source", "leave out the others");
  island.validate.forEach((check, index) => {
    if ((check.http === undefined) !== (check.command === undefined)) return;
    const rule = "must have exactly one of http and command";
    wrong(`validate[${String(index)}]`, Object.keys(check), rule, "split it in two, or name one");
  });
}

/** Checked arguments to policy. */
export function normalizeIsland<T>(name: string, island: CheckedIsland<T>): SpecOf<IslandSpec, T> {
  return {
    name,
    source: { kind: "agents", inventory: island.hosts.agents?.inventory ?? "" },
    guarantee: island.guarantee,
    ...(island.within ? { within: island.within } : {}),
    ...(island.overcommit ? { overcommit: island.overcommit } : {}),
    ...(island.disruptionBudgets ? { disruptionBudgets: island.disruptionBudgets } : {}),
    workloads: island.workloads.map(normalizeWorkload),
    metrics: normalizeMetrics(island.metrics),
    validate: island.validate.map((check) => normalizeCheck<T>(check)),
    ...(island.users ? { users: island.users } : {}),
    ...(island.signals ? { signals: island.signals.map((signal) => normalizeSignal<T>(signal)) } : {}),
  };
}

function normalizeMetrics<T>(metrics: CheckedIsland<T>["metrics"]): SpecOf<MetricsSpec, T> {
  if (metrics?.recorded) return { kind: "recorded", file: metrics.recorded.file };
  if (metrics?.cloudWatch) return { kind: "cloudWatch", region: metrics.cloudWatch.region };
  if (metrics?.prometheus) {
    const { url, scrapeInterval, queries } = metrics.prometheus;
    const own = Object.fromEntries(Object.entries(queries ?? {}).filter(([, query]) => query !== undefined));
    return {
      kind: "prometheus",
      url,
      scrapeIntervalMs: scrapeInterval,
      ...(Object.keys(own).length === 0 ? {} : { queries: own }),
    };
  }
  return { kind: "agent" };
}

function normalizeCheck<T>(check: CheckedIsland<T>["validate"][number]): SpecOf<ValidateSpec, T> {
  return check.http === undefined
    ? { kind: "command", command: check.command ?? "", timeoutMs: check.timeout }
    : { kind: "http", url: check.http, timeoutMs: check.timeout };
}
