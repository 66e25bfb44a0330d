/**
 * Islands proposed by policy: workloads that were observed are put into families, and each family gets a share of every
 * host that covers what it needs in the time ahead, also while hosts are away.
 *
 * Not for: changing anything (a person declares islands) and workloads that move (rebalance/).
 *
 * Invariants
 * 1. Every workload is in exactly one family, and workloads of different islands never share one: what was kept apart,
 *    for security or latency, stays apart.
 * 2. Where `fits`, shares add up to the whole host at most, each covers its family's need on the hosts that are left
 *    while the most are away, and each is large enough for the family's largest copy.
 */
import type { Fleet, Forecast, HostUpdateSpec, Island, Workload } from "../../../sdk/model";

import { quantileOf } from "../capacity";

/** A family of workloads with the share of each host that it should have. */
export interface IslandProposal {
  readonly name: string;
  /** Name of the island that the workloads are in now. */
  readonly from: string;
  readonly workloads: readonly Workload[];
  /** What holds for the hosts of that island: where they are, how far requests may go, how many are disrupted at once. */
  readonly rules: Pick<Island, "within" | "overcommit" | "disruptionBudgets">;
  /** Shares of each host, 0..1, in steps of a hundredth. */
  readonly share: { readonly cpu: number; readonly memory: number };
  /** Of the family: highest CPU of all copies together at the quantile in the time ahead, and their memory. */
  readonly needCpuMillis: number;
  readonly needMemoryBytes: number;
  /** Why these workloads are together. */
  readonly reason: string;
}

/** Islands for the workloads of a fleet. */
export interface IslandProposals {
  readonly islands: readonly IslandProposal[];
  /** True where all shares fit on the hosts together. */
  readonly fits: boolean;
  /** What is left of each host, promised to nobody: for boosts and for what comes unforeseen. Below 0: what is missing. */
  readonly left: { readonly cpu: number; readonly memory: number };
}

/** Free beside the need, as a share of it. */
const HEADROOM = 0.1;
const LEAST_SHARE = 0.05;
/** Families of one island: with more, nobody keeps an eye on them, and shares of hosts become too small to be of use. */
const MOST_FAMILIES = 6;

interface Family {
  readonly name: string;
  readonly workloads: readonly Workload[];
  readonly reason: string;
}

/** Proposes islands for what the spec's islands run now. */
export function proposeIslands(
  fleet: Fleet,
  forecast: Forecast,
  spec: Pick<HostUpdateSpec, "limits" | "pool" | "confidence">,
): IslandProposals {
  const members = fleet.hosts.filter(({ role }) => role === "member");
  const rows = new Map(forecast.demand.workloads.map((name, row) => [name, row]));
  const level = Math.max(spec.confidence, spec.pool?.quantile ?? 0);
  const islands = fleet.islands.flatMap(({ name: from, within, overcommit, disruptionBudgets }) => {
    const rules = {
      ...(within ? { within } : {}),
      ...(overcommit ? { overcommit } : {}),
      ...(disruptionBudgets ? { disruptionBudgets } : {}),
    };
    const own = fleet.workloads.filter(({ island }) => island === from);
    return findFamilies(own, from).map((family): IslandProposal => {
      const needCpuMillis = cpuOf(family.workloads, forecast, rows, level);
      const memory = family.workloads.map((workload) => ({ workload, bytes: memoryOf(workload, forecast, rows) }));
      const needMemoryBytes = memory.reduce((sum, { workload, bytes }) => sum + bytes * workload.copies, 0);
      const largest = {
        cpuMillis: Math.max(
          0,
          ...family.workloads.map((one) => cpuOf([one], forecast, rows, level) / Math.max(1, one.copies)),
        ),
        memoryBytes: Math.max(0, ...memory.map(({ bytes }) => bytes)),
      };
      const { hostsAtOnce } = spec.limits;
      const share = {
        cpu: shareOf(
          needCpuMillis,
          largest.cpuMillis,
          members.map(({ capacity }) => capacity.cpuMillis),
          hostsAtOnce,
        ),
        memory: shareOf(
          needMemoryBytes,
          largest.memoryBytes,
          members.map(({ capacity }) => capacity.memoryBytes),
          hostsAtOnce,
        ),
      };
      return { ...family, from, rules, share, needCpuMillis, needMemoryBytes };
    });
  });
  const sum = (part: "cpu" | "memory"): number => islands.reduce((total, { share }) => total + share[part], 0);
  const left = { cpu: hundredth(1 - sum("cpu")), memory: hundredth(1 - sum("memory")) };
  return { islands: uniqueNames(islands), fits: left.cpu >= 0 && left.memory >= 0, left };
}

/**
 * Single writers, whose state keeps them where they are; what gives way or ends by itself; services that call each other;
 * the other services.
 */
function findFamilies(workloads: readonly Workload[], island: string): readonly Family[] {
  const writers = workloads.filter(({ exclusive }) => exclusive);
  const batch = workloads.filter(
    ({ exclusive, service, criticality }) => !exclusive && (service === undefined || criticality === "sheddable"),
  );
  const rest = workloads.filter((workload) => !writers.includes(workload) && !batch.includes(workload));
  const groups = callGroups(rest).sort((a, b) => b.length - a.length || compareNames(a, b));
  const room = MOST_FAMILIES - Number(writers.length > 0) - Number(batch.length > 0) - 1;
  const called = groups.filter((group) => group.length > 1).slice(0, room);
  const others = rest.filter((workload) => !called.some((group) => group.includes(workload)));
  const families: Family[] = called.map((group) => ({
    name: callerOf(group),
    workloads: group,
    reason: `they call each other, so near each other they answer sooner: ${namesOf(group)}`,
  }));
  if (others.length > 0) {
    families.push({ name: `${island}-services`, workloads: others, reason: "services that call none of the others" });
  }
  if (writers.length > 0) {
    families.push({
      name: `${island}-writers`,
      workloads: writers,
      reason: "single writers: their state keeps them in place",
    });
  }
  if (batch.length > 0) {
    families.push({
      name: `${island}-batch`,
      workloads: batch,
      reason: "jobs and what is sheddable: they give way first",
    });
  }
  return families;
}

/** Workloads that are connected by calls. */
function callGroups(workloads: readonly Workload[]): Workload[][] {
  const group = new Map<string, string>(workloads.map(({ name }) => [name, name]));
  const rootOf = (name: string): string => {
    let root = name;
    for (let up = group.get(root); up !== undefined && up !== root; up = group.get(root)) root = up;
    return root;
  };
  for (const { name, dependsOn = [] } of workloads) {
    for (const { workload } of dependsOn) if (group.has(workload)) group.set(rootOf(workload), rootOf(name));
  }
  return [...Map.groupBy(workloads, ({ name }) => rootOf(name)).values()];
}

/** The one that none of the others calls; of several the first by name. */
function callerOf(group: readonly Workload[]): string {
  const called = new Set(group.flatMap(({ dependsOn = [] }) => dependsOn.map(({ workload }) => workload)));
  const names = group.map(({ name }) => name).sort();
  return names.find((name) => !called.has(name)) ?? names[0] ?? "";
}

/** Highest demand of workloads together at a quantile of the joint paths. */
function cpuOf(
  workloads: readonly Workload[],
  { demand, missing }: Forecast,
  rows: ReadonlyMap<string, number>,
  level: number,
): number {
  const unknown = new Set(missing.map(({ workload }) => workload));
  const known = workloads.flatMap(({ name }) => (unknown.has(name) ? [] : (rows.get(name) ?? [])));
  const requested = workloads
    .filter(({ name }) => unknown.has(name) || !rows.has(name))
    .reduce((sum, { request, copies }) => sum + request.cpuMillis * copies, 0);
  if (demand.cpuMillis.length === 0) return requested;
  const peaks = Float64Array.from(demand.cpuMillis, (path) => {
    let peak = 0;
    for (let step = 0; step < demand.steps; step++) {
      let total = 0;
      for (const row of known) total += path[row * demand.steps + step] ?? 0;
      peak = Math.max(peak, total);
    }
    return peak;
  });
  return requested + quantileOf(peaks, level);
}

function memoryOf({ name, request }: Workload, { demand }: Forecast, rows: ReadonlyMap<string, number>): number {
  const row = rows.get(name);
  return Math.max(request.memoryBytes, row === undefined ? 0 : (demand.memoryBytes[row] ?? 0));
}

/** Share of each host that covers a need without the largest `away` hosts, and has room for the largest copy on any. */
function shareOf(need: number, largest: number, capacities: readonly number[], away: number): number {
  const sorted = [...capacities].sort((a, b) => b - a);
  const rest = sorted.slice(Math.min(away, sorted.length - 1)).reduce((sum, capacity) => sum + capacity, 0);
  const smallest = sorted.at(-1) ?? 0;
  const wanted = Math.max(LEAST_SHARE, (need * (1 + HEADROOM)) / rest, (largest * (1 + HEADROOM)) / smallest);
  return Number.isFinite(wanted) ? Math.ceil(wanted * 100 - 1e-9) / 100 : 1;
}

function hundredth(value: number): number {
  return Math.round(value * 100) / 100;
}

/** Of families with one name in several islands each gets its island's before it. */
function uniqueNames(islands: readonly IslandProposal[]): readonly IslandProposal[] {
  const counts = new Map<string, number>();
  for (const { name } of islands) counts.set(name, (counts.get(name) ?? 0) + 1);
  return islands.map((island) =>
    (counts.get(island.name) ?? 0) > 1 ? { ...island, name: `${island.from}-${island.name}` } : island,
  );
}

function compareNames([a]: readonly Workload[], [b]: readonly Workload[]): number {
  return (a?.name ?? "") < (b?.name ?? "") ? -1 : 1;
}

function namesOf(workloads: readonly Workload[]): string {
  return workloads.map(({ name }) => name).join(", ");
}
