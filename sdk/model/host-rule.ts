/**
 * Rules about where copies may run: which hosts come into question by zone, rack, name or label, and how far a copy may
 * move from where it is. Locality and security of islands and workloads are said with them.
 *
 * Not for: whether a host has room (providers/plan/placement.ts).
 */
import type { Host } from "./fleet";

/** Hosts that come into question: those that have all of what is given. An absent part rules out none. */
export interface HostRule {
  readonly zones?: readonly string[];
  readonly racks?: readonly string[];
  readonly hosts?: readonly string[];
  /** By label: the values of which a host must have one. A host without the label is ruled out. */
  readonly labels?: Readonly<Record<string, readonly string[]>>;
}

/** How far a copy may move: within its rack, within its zone (its volume is there), or not at all. */
export type MoveReach = "rack" | "zone" | "nowhere";

/** Which of a host's parts two copies must have in common, so that calls between them stay short. */
export type CallReach = "rack" | "zone";

/** How many zones or racks have a copy of a workload at every moment, so that it outlives the loss of one. */
export interface SpreadRule {
  readonly over: "rack" | "zone";
  /** 2 or more. */
  readonly atLeast: number;
}

/** True when the host has all that the rule asks for. */
export function matchesHost(rule: HostRule | undefined, host: Pick<Host, "id" | "zone" | "rack" | "labels">): boolean {
  if (rule === undefined) return true;
  const { zones, racks, hosts, labels = {} } = rule;
  return (
    (zones === undefined || zones.includes(host.zone)) &&
    (racks === undefined || racks.includes(host.rack)) &&
    (hosts === undefined || hosts.includes(host.id)) &&
    Object.entries(labels).every(([label, values]) => {
      const value = host.labels?.[label];
      return value !== undefined && values.includes(value);
    })
  );
}

/** A rule in words: `zone a or b, security restricted`. */
export function describeHostRule({ zones, racks, hosts, labels = {} }: HostRule): string {
  const either = (values: readonly string[]): string => values.join(" or ");
  return [
    ...(zones === undefined ? [] : [`zone ${either(zones)}`]),
    ...(racks === undefined ? [] : [`rack ${either(racks)}`]),
    ...(hosts === undefined ? [] : [`host ${either(hosts)}`]),
    ...Object.entries(labels).map(([label, values]) => `${label} ${either(values)}`),
  ].join(", ");
}

/** Names of a rule that nothing has, as in `zone c`: a typing error, or a host that is gone. */
export function findUnknownNames(rule: HostRule, hosts: readonly Host[]): readonly string[] {
  const missing = (what: string, values: readonly string[] | undefined, known: readonly string[]): string[] =>
    (values ?? []).filter((value) => !known.includes(value)).map((value) => `${what} ${value}`);
  return [
    ...missing(
      "zone",
      rule.zones,
      hosts.map(({ zone }) => zone),
    ),
    ...missing(
      "rack",
      rule.racks,
      hosts.map(({ rack }) => rack),
    ),
    ...missing(
      "host",
      rule.hosts,
      hosts.map(({ id }) => id),
    ),
    ...Object.entries(rule.labels ?? {}).flatMap(([label, values]) =>
      missing(
        label,
        values,
        hosts.flatMap(({ labels = {} }) => labels[label] ?? []),
      ),
    ),
  ];
}
