/**
 * Facts that cannot be true: nothing can be planned with them, and what a search made of them would look like a plan.
 *
 * Not for: what is true and in the way (blockers.ts), and what people write (sdk/arguments).
 */
import type { Blocker, Fleet, Forecast, Host, Workload } from "../../sdk/model";
import { findCycle } from "../../sdk/model";
import { findUnusableRules } from "./unusable-rules";

/** A blocker for each fact that cannot be true, all at once, naming the item. */
export function findUnusable(fleet: Fleet, forecast: Forecast): readonly Blocker[] {
  return [
    ...duplicates(fleet.hosts, ({ id }) => id, "host"),
    ...duplicates(fleet.islands, ({ name }) => name, "island"),
    ...duplicates(fleet.workloads, ({ name }) => name, "workload"),
    ...duplicates(fleet.replicas, ({ id }) => id, "copy"),
    ...fleet.hosts.flatMap(judgeHost),
    ...fleet.islands.flatMap(({ name, share }) => [
      ...amount(name, "share of CPU of each host", share.cpu, 0, 1),
      ...amount(name, "share of memory of each host", share.memory, 0, 1),
    ]),
    ...judgeWorkloads(fleet),
    ...findUnusableRules(fleet),
    ...judgeCalls(fleet),
    ...judgeDemand(forecast),
  ];
}

function duplicates<T>(items: readonly T[], idOf: (item: T) => string, what: string): Blocker[] {
  const counts = new Map<string, number>();
  for (const item of items) counts.set(idOf(item), (counts.get(idOf(item)) ?? 0) + 1);
  return [...counts]
    .filter(([, count]) => count > 1)
    .map(([id, count]) => ({
      code: "input",
      subject: id,
      reason: `${String(count)} times there is a ${what} ${id}; each has one name of its own`,
      fix: `rename all but one ${what} ${id}, or take the others out of the inventory`,
    }));
}

/** A number that has to be above `above` and at most `most`. */
function amount(subject: string, what: string, value: number, above: number, most = Number.MAX_VALUE): Blocker[] {
  if (value > above && value <= most) return [];
  const rule =
    most === Number.MAX_VALUE ? `above ${String(above)}` : `above ${String(above)} and at most ${String(most)}`;
  return [
    { code: "input", subject, reason: `its ${what} (${String(value)}) must be ${rule}`, fix: fixOf(subject, what) },
  ];
}

/** A number that has to be 0 or more. */
function notNegative(subject: string, what: string, value: number | undefined): Blocker[] {
  if (value === undefined || (value >= 0 && value < Infinity)) return [];
  const reason = `its ${what} (${String(value)}) must be 0 or more`;
  return [{ code: "input", subject, reason, fix: fixOf(subject, what) }];
}

function fixOf(subject: string, what: string): string {
  return `correct the ${what} of ${subject} where it is declared, or what its driver reports`;
}

/** What a host that does not answer has is not known. */
function judgeHost({ id, state, capacity, linkBytesPerSecond, zone }: Host): Blocker[] {
  if (state === "unreachable") return [];
  return [
    ...amount(id, "CPU in millicores", capacity.cpuMillis, 0),
    ...amount(id, "memory in bytes", capacity.memoryBytes, 0),
    ...(linkBytesPerSecond === undefined ? [] : amount(id, "link in bytes a second", linkBytesPerSecond, 0)),
    ...(zone.trim() === ""
      ? [{ code: "input" as const, subject: id, reason: "its zone is not known", fix: `tell the zone of ${id}` }]
      : []),
  ];
}

function judgeWorkloads({ hosts, workloads }: Fleet): Blocker[] {
  const largest = Math.max(0, ...hosts.map(({ capacity }) => capacity.memoryBytes || 0));
  const isKnown = hosts.every(({ state }) => state !== "unreachable");
  return workloads.flatMap((workload: Workload): Blocker[] => {
    const { name, request } = workload;
    const found = [
      ...notNegative(name, "CPU request in millicores", request.cpuMillis),
      ...notNegative(name, "memory request in bytes", request.memoryBytes),
      ...notNegative(name, "data to transfer in bytes", workload.transferBytes),
      ...notNegative(name, "number of copies", workload.copies),
      ...notNegative(name, "budget", workload.maxUnavailable),
      ...notNegative(name, "longest pause in ms", workload.maxPauseMs),
    ];
    if (!isKnown || !(request.memoryBytes > largest) || found.length > 0) return found;
    const sizes = `${String(request.memoryBytes)} bytes of memory, and the largest host has ${String(largest)}`;
    const fix = `correct the memory request of ${name}, or add a host that is large enough`;
    return [{ code: "input", subject: name, reason: `one copy needs ${sizes}`, fix }];
  });
}

/** Calls that go round have no order. */
function judgeCalls({ workloads }: Fleet): Blocker[] {
  const cycle = findCycle(
    workloads.flatMap(({ name: caller, dependsOn = [] }) =>
      dependsOn.map(({ workload: called }) => ({ caller, called })),
    ),
  );
  if (!cycle) return [];
  const reason = `its calls go round: ${cycle.join(" -> ")}; a change would never end, and none of them could be first`;
  const fix = `leave one call out of dependsOn, usually the rarest`;
  return [{ code: "input", subject: cycle[0] ?? "", reason, fix }];
}

/** What was wrong with demand that was judged; a run under way plans with the same forecast again and again. */
const judgedDemand = new WeakMap<Forecast["demand"], readonly Blocker[]>();

/** A gap in a path would count as no demand at all. */
function judgeDemand({ demand }: Forecast): readonly Blocker[] {
  const known = judgedDemand.get(demand);
  if (known) return known;
  const { workloads, steps } = demand;
  const wrong = new Map<number, number>();
  for (const path of demand.cpuMillis) {
    for (let at = 0; at < workloads.length * steps; at++) {
      const value = path[at];
      if (value === undefined || (value >= 0 && value < Infinity)) continue;
      const row = Math.floor(at / steps);
      if (!wrong.has(row)) wrong.set(row, value);
    }
  }
  const found = [...wrong].flatMap(([row, value]) =>
    notNegative(workloads[row] ?? "", "forecast demand in millicores", value),
  );
  judgedDemand.set(demand, found);
  return found;
}
