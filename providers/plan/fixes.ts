/**
 * What would help when there is not enough room. Every fix named here was checked by planning again with it.
 *
 * Not for: fixes that need no planning (blockers.ts), and time (time-fixes.ts).
 */
import type { Blocker, CostLine, Host, Opening } from "../../sdk/model";
import { formatPercentage } from "../../sdk/model";

import { describeConflict, type Declared } from "./conflict";
import { cores, describeFailure, names, plural } from "./explain";
import type { PlanInput } from "./plan-input";
import type { Problem } from "./problem";
import { describeTime, withCalendarBudget, withCalendarLimits } from "./promises";
import { isOverloadedAtStart } from "./try-schedule";
import type { ScheduleFailure } from "./schedule";

/** A change of the input that makes it plannable. */
export interface Fix {
  /** As in "one more host of 8 cores in zone b in the pool". */
  readonly text: string;
  readonly input: PlanInput;
}

/** Numbers of hosts that are tried: each is a whole plan. */
const HOSTS_TRIED: readonly number[] = [1, 2, 3, 4, 6, 8, 12, 16];
/** Guarantees are tried in steps of this: finer ones read as if they were exact. */
const GUARANTEE_STEP = 0.05;

/** True when an input has a plan that keeps the promise. */
export type IsPlannable = (input: PlanInput) => boolean;

/** What a run costs with an input that is plannable; undefined where that has no price. */
export type PriceOf = (input: PlanInput) => CostLine | undefined;

/**
 * Fixes by what a run costs with them, the cheapest first, those without a price at their end; each with its cost where
 * it is more than nothing.
 */
export function sortByCost(fixes: readonly Fix[], priceOf: PriceOf): readonly Fix[] {
  return fixes
    .map((fix) => ({ fix, cost: priceOf(fix.input) }))
    .sort((a, b) => (a.cost?.amount ?? Infinity) - (b.cost?.amount ?? Infinity) || 0)
    .map(({ fix, cost }) => {
      if (cost?.amount === undefined || cost.amount < 0.005) return fix;
      return { ...fix, text: `${fix.text} (a run then costs ${cost.amount.toFixed(2)} ${cost.currency ?? ""})` };
    });
}

/** The blocker for a failed schedule, with the promises that conflict and the fixes that were found. */
export function capacityBlocker(
  problem: Problem,
  failure: ScheduleFailure,
  conflict: readonly Declared[],
  fixes?: readonly Fix[],
): Blocker {
  const left =
    failure.left.length > 0 ? `; not updated: ${plural(failure.left.length, "host")} (${names(failure.left)})` : "";
  return {
    code: failure.cause.kind === "stuck" && failure.cause.stuck.budgetBlocks ? "budget" : "capacity",
    subject: islandOf(problem, failure),
    reason: `${describeFailure(problem, failure)}${left}${describeConflict(conflict)}`,
    ...(conflict.length === 0 ? {} : { conflict: conflict.map(({ text }) => text) }),
    fix: !fixes
      ? "not searched for in this plan; `archipelago plan` says what would be enough"
      : fixes.length > 0
        ? fixes.map((fix) => fix.text).join(", or ")
        : "no single change was enough (tried: more hosts in the pool, a larger guarantee); give the island more or larger hosts",
  };
}

/** Finds the smallest change of each kind that helps. */
export function findCapacityFixes(
  input: PlanInput,
  problem: Problem,
  failure: ScheduleFailure,
  opening: Opening | undefined,
  isPlannable: IsPlannable,
): readonly Fix[] {
  const island = islandOf(problem, failure);
  return [
    budgetFix(input, problem, failure, isPlannable),
    calendarBudgetFix(input, problem, failure, opening, isPlannable),
    isOverloadedAtStart(failure) ? undefined : hostFix(input, isPlannable),
    guaranteeFix(input, island, isPlannable),
  ].filter((fix) => fix !== undefined);
}

function islandOf(problem: Problem, { cause }: ScheduleFailure): string {
  const island =
    cause.kind === "overload"
      ? problem.cells[cause.overload.cell]?.island
      : problem.works[cause.stuck.copy.work]?.island;
  return problem.islands[island ?? -1] ?? "";
}

/** A wider budget, where a copy could be shed then. */
function budgetFix(
  input: PlanInput,
  problem: Problem,
  { cause }: ScheduleFailure,
  isPlannable: IsPlannable,
): Fix | undefined {
  if (cause.kind !== "stuck" || !cause.stuck.budgetBlocks) return undefined;
  const { name } = problem.works[cause.stuck.copy.work]?.workload ?? {};
  const blocked = input.fleet.workloads.find((workload) => workload.name === name);
  if (!blocked) return undefined;
  for (let maxUnavailable = blocked.maxUnavailable + 1; maxUnavailable <= blocked.copies; maxUnavailable++) {
    const widened: PlanInput = {
      ...input,
      fleet: {
        ...input.fleet,
        workloads: input.fleet.workloads.map((workload) =>
          workload.name === blocked.name ? { ...workload, maxUnavailable } : workload,
        ),
      },
    };
    if (isPlannable(widened)) {
      return { text: `budget: { maxUnavailable: ${String(maxUnavailable)} } for ${blocked.name}`, input: widened };
    }
  }
  return undefined;
}

/** A wider budget of the calendars at the time of the opening, where theirs is the one that blocks. */
function calendarBudgetFix(
  input: PlanInput,
  problem: Problem,
  { cause }: ScheduleFailure,
  opening: Opening | undefined,
  isPlannable: IsPlannable,
): Fix | undefined {
  if (cause.kind !== "stuck" || !cause.stuck.budgetBlocks) return undefined;
  const blocked = problem.works[cause.stuck.copy.work]?.workload;
  const now = opening?.limits?.maxUnavailable?.[blocked?.name ?? ""];
  if (!blocked || now === undefined) return undefined;
  for (let budget = now + 1; budget <= blocked.copies; budget++) {
    const widened = withCalendarLimits(input, opening, (limits) =>
      limits.maxUnavailable?.[blocked.name] === undefined ? limits : withCalendarBudget(limits, blocked.name, budget),
    );
    if (!isPlannable(widened)) continue;
    return {
      text: `budget: { maxUnavailable: ${String(budget)} } for ${blocked.name} ${describeTime(opening)}`,
      input: widened,
    };
  }
  return undefined;
}

/** More reserve: first standby hosts that are there and may not be used, then ones that would have to be added. */
function hostFix(input: PlanInput, isPlannable: IsPlannable): Fix | undefined {
  const { fleet, spec } = input;
  const maximum = spec.pool?.maximumHosts ?? 0;
  const standby = fleet.hosts.filter((host) => host.role === "standby").length;
  const model = largestMember(fleet.hosts);
  if (!model) return undefined;
  for (const count of HOSTS_TRIED) {
    const allowed = withReserve(input, maximum + count, Math.max(0, maximum + count - standby), model);
    if (!isPlannable(allowed)) continue;
    const added = allowed.fleet.hosts.length - fleet.hosts.length;
    const text =
      added === 0
        ? `maximum: { hosts: ${String(maximum + count)} } in the pool`
        : `${added === 1 ? "one more host" : `${String(added)} more hosts`} of ${cores(model.capacity.cpuMillis)} ${describeZones(allowed.fleet.hosts.slice(-added))} in the pool (maximum: { hosts: ${String(maximum + count)} })`;
    return { text, input: allowed };
  }
  return undefined;
}

function withReserve(input: PlanInput, maximumHosts: number, added: number, model: Host): PlanInput {
  const { fleet, spec } = input;
  const zones = zonesByCapacity(fleet.hosts);
  const more = Array.from({ length: added }, (_, index): Host => {
    const zone = zones[index % Math.max(1, zones.length)] ?? model.zone;
    const id = `~more-${String(index + 1)}`;
    return { id, zone, rack: zone, capacity: model.capacity, role: "standby", state: "stopped", bootId: id };
  });
  const pool = spec.pool ?? { name: "pool", quantile: spec.confidence };
  return {
    ...input,
    fleet: { ...fleet, hosts: [...fleet.hosts, ...more] },
    spec: { ...spec, pool: { ...pool, maximumHosts } },
  };
}

/** Zones with the least capacity first: there losing a host hurts most. */
function zonesByCapacity(hosts: readonly Host[]): readonly string[] {
  const capacity = new Map<string, number>();
  for (const { zone, capacity: of } of hosts) capacity.set(zone, (capacity.get(zone) ?? 0) + of.cpuMillis);
  return [...capacity].sort(([a, x], [b, y]) => x - y || (a < b ? -1 : 1)).map(([zone]) => zone);
}

function describeZones(hosts: readonly Host[]): string {
  const zones = [...new Set(hosts.map(({ zone }) => zone))];
  return `in zone${zones.length === 1 ? "" : "s"} ${names(zones)}`;
}

/** A larger share of each host for the island, the smallest that helps. */
function guaranteeFix(input: PlanInput, island: string, isPlannable: IsPlannable): Fix | undefined {
  const share = input.fleet.islands.find((candidate) => candidate.name === island)?.share;
  if (!share) return undefined;
  const free = freeShare(input, island);
  const lowest = Math.min(share.cpu, share.memory);
  const first = Math.floor(lowest / GUARANTEE_STEP + 1e-9) + 1;
  const steps = Math.floor(free / GUARANTEE_STEP + 1e-9) - first + 1;
  const at = (step: number): PlanInput =>
    withGuarantee(input, island, Number(((first + step) * GUARANTEE_STEP).toFixed(2)));
  if (steps <= 0 || !isPlannable(at(steps - 1))) return undefined;
  let [failed, found] = [-1, steps - 1];
  while (found - failed > 1) {
    const middle = Math.floor((found + failed) / 2);
    if (isPlannable(at(middle))) found = middle;
    else failed = middle;
  }
  const guarantee = Number(((first + found) * GUARANTEE_STEP).toFixed(2));
  return { text: `a guarantee of ${formatPercentage(guarantee)} for ${island}`, input: at(found) };
}

/** Share of a host that the other islands on this island's hosts leave to it. */
function freeShare({ fleet }: PlanInput, name: string): number {
  const hosts = new Set(fleet.islands.find((island) => island.name === name)?.hosts);
  const others = fleet.islands.filter((island) => island.name !== name && island.hosts.some((host) => hosts.has(host)));
  return 1 - others.reduce((sum, island) => sum + Math.max(island.share.cpu, island.share.memory), 0);
}

function withGuarantee(input: PlanInput, name: string, guarantee: number): PlanInput {
  const raise = (share: { readonly cpu: number; readonly memory: number }): { cpu: number; memory: number } => ({
    cpu: Math.max(share.cpu, guarantee),
    memory: Math.max(share.memory, guarantee),
  });
  return {
    ...input,
    fleet: {
      ...input.fleet,
      islands: input.fleet.islands.map((island) =>
        island.name === name ? { ...island, share: raise(island.share) } : island,
      ),
    },
    spec: {
      ...input.spec,
      islands: input.spec.islands.map((island) =>
        island.name === name ? { ...island, guarantee: raise(island.guarantee) } : island,
      ),
    },
  };
}

/** The size that people would add: the island's largest member host. */
function largestMember(hosts: readonly Host[]): Host | undefined {
  return hosts
    .filter((host) => host.role === "member")
    .reduce<Host | undefined>(
      (best, host) =>
        best === undefined ||
        host.capacity.cpuMillis > best.capacity.cpuMillis ||
        (host.capacity.cpuMillis === best.capacity.cpuMillis && host.id < best.id)
          ? host
          : best,
      undefined,
    );
}
