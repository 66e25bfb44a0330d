/**
 * What can be given up or widened so that a plan is found: promises of capacity, budgets, limits, time and the bandwidth of
 * links, each as a change of the planner's input.
 *
 * Not for: which of them conflict (conflict.ts) and how far they have to be widened (fixes.ts, time-fixes.ts).
 *
 * Invariant: a promise of the list is really declared; what is not bounded is not named.
 */
import type { Fleet, LimitsSpec, Opening, WindowLimits, WindowSpec, Workload } from "../../sdk/model";
import { formatDurationShort, formatPercentage, HOST_LIMITS } from "../../sdk/model";

import type { Declared } from "./conflict";
import { budgetPromises } from "./disruption-budgets";
import { plural } from "./explain";
import type { PlanInput } from "./plan-input";

/** Nothing that a plan has to do takes longer; openings of more than a week are cut. */
const ENDLESS_MS = 5 * 86_400_000;

/**
 * What capacity and budgets can give up where a copy finds no room, the dearest promise first.
 * @param stuck workload of that copy; absent: a host is over its share
 */
export function capacityPromises(
  input: PlanInput,
  stuck: string | undefined,
  opening: Opening | undefined,
): readonly Declared[] {
  const workload = input.fleet.workloads.find(({ name }) => name === stuck);
  return [
    ...shareOf(input),
    confidenceOf(input),
    ...(workload ? [...budgetsOf(input, workload), ...calendarBudgetsOf(opening)] : []),
    ...reserveOf(input),
  ];
}

/** What can be given up where a run does not end in time, the dearest promise first. */
export function timePromises(input: PlanInput, opening: Opening): readonly Declared[] {
  return [
    lengthOf(opening),
    ...linksOf(input.fleet),
    ...soakOf(input),
    ...limitsOf(input),
    ...budgetPromises(input),
    ...calendarLimitsOf(opening),
  ];
}

function confidenceOf(input: PlanInput): Declared {
  return {
    text: `capacity on ${formatPercentage(input.spec.confidence)} of the paths`,
    giveUp: (changed) => {
      const { pool } = changed.spec;
      const spec = { ...changed.spec, confidence: 0, ...(pool ? { pool: { ...pool, quantile: 0.5 } } : {}) };
      return { ...changed, spec };
    },
  };
}

/** An island's share of its hosts. One that shares no host with others has the rest of them free. */
function shareOf({ fleet }: PlanInput): Declared[] {
  const [island, second] = fleet.islands;
  if (!island || second || Math.min(island.share.cpu, island.share.memory) >= 1) return [];
  const share = Math.min(island.share.cpu, island.share.memory);
  return [
    {
      text: `the guarantee of ${island.name} (${formatPercentage(share)} of each host)`,
      giveUp: (changed) => ({
        ...changed,
        fleet: { ...changed.fleet, islands: changed.fleet.islands.map((one) => ({ ...one, share: WHOLE })) },
      }),
    },
  ];
}

const WHOLE = { cpu: 1, memory: 1 };

function budgetsOf(input: PlanInput, stuck: Workload): Declared[] {
  if (stuck.exclusive) return [];
  const withBudgets = (changed: PlanInput, isFree: (workload: Workload) => boolean): PlanInput => ({
    ...changed,
    fleet: { ...changed.fleet, workloads: freeBudgets(changed.fleet, isFree) },
  });
  const others = input.fleet.workloads.filter(({ name, exclusive }) => name !== stuck.name && !exclusive);
  return [
    {
      text:
        stuck.criticality === "sheddable"
          ? `the budget of ${stuck.name} (maxUnavailable ${String(stuck.maxUnavailable)})`
          : `that ${stuck.name} is never shed (criticality ${stuck.criticality})`,
      giveUp: (changed) => withBudgets(changed, ({ name }) => name === stuck.name),
    },
    ...(others.length === 0
      ? []
      : [
          {
            text: `what ${plural(others.length, "other workload")} must keep serving`,
            giveUp: (changed: PlanInput) => withBudgets(changed, ({ name }) => name !== stuck.name),
          },
        ]),
  ];
}

/** Without a budget a copy may be shed, whatever it is. */
function freeBudgets({ workloads }: Fleet, isFree: (workload: Workload) => boolean): readonly Workload[] {
  return workloads.map((workload) =>
    isFree(workload) && !workload.exclusive
      ? { ...workload, maxUnavailable: workload.copies, criticality: "sheddable" }
      : workload,
  );
}

function reserveOf({ spec, fleet }: PlanInput): Declared[] {
  const maximum = spec.pool?.maximumHosts ?? 0;
  const standby = fleet.hosts.filter(({ role }) => role === "standby").length;
  if (standby <= maximum) return [];
  return [
    {
      text: `at most ${plural(maximum, "host")} in reserve of ${String(standby)}`,
      giveUp: (changed) => {
        const pool = changed.spec.pool ?? { name: "pool", quantile: changed.spec.confidence, maximumHosts: 0 };
        return { ...changed, spec: { ...changed.spec, pool: { ...pool, maximumHosts: standby } } };
      },
    },
  ];
}

/** Budgets of the calendars of an opening, one for each workload. */
function calendarBudgetsOf(opening: Opening | undefined): Declared[] {
  return Object.entries(opening?.limits?.maxUnavailable ?? {}).map(([workload, maxUnavailable]) => ({
    text: `the budget of ${workload} ${describeTime(opening)} (maxUnavailable ${String(maxUnavailable)})`,
    giveUp: (changed) =>
      withCalendarLimits(changed, opening, (limits) => withCalendarBudget(limits, workload, undefined)),
  }));
}

function calendarLimitsOf(opening: Opening): Declared[] {
  return HOST_LIMITS.flatMap((name) => {
    const value = opening.limits?.[name];
    if (value === undefined) return [];
    return [
      {
        text: `${name} ${String(value)} ${describeTime(opening)}`,
        giveUp: (changed: PlanInput) => withCalendarLimits(changed, opening, ({ [name]: _, ...others }) => others),
      },
    ];
  });
}

function lengthOf(opening: Opening): Declared {
  return {
    text: `that it ends within the opening of ${opening.window} (${formatDurationShort(opening.endMs - opening.startMs)})`,
    giveUp: (changed) => withLonger(changed, opening, ENDLESS_MS),
  };
}

/** Limits of the update, as far as more hosts than they allow are there to be updated at once. */
function limitsOf({ spec, fleet }: PlanInput): Declared[] {
  const most = fleet.hosts.length;
  return HOST_LIMITS.flatMap((name) => {
    const value = spec.limits[name];
    if (value === undefined || value >= most) return [];
    return [{ text: `${name} ${String(value)}`, giveUp: (changed: PlanInput) => withLimit(changed, name, most) }];
  });
}

function soakOf({ spec }: PlanInput): Declared[] {
  const { soakMs } = spec.limits;
  if (soakMs === 0) return [];
  return [{ text: `soakTime (${formatDurationShort(soakMs)})`, giveUp: (changed) => withLimit(changed, "soakMs", 0) }];
}

function linksOf({ hosts, network }: Fleet): Declared[] {
  const rates = hosts.flatMap(({ linkBytesPerSecond }) => linkBytesPerSecond ?? []);
  return [
    ...(rates.length === 0
      ? []
      : [
          {
            text: `the links of hosts (${formatRate(Math.min(...rates))} at least)`,
            giveUp: (changed: PlanInput) => withLinks(changed, undefined),
          },
        ]),
    ...(network?.rackBytesPerSecond === undefined
      ? []
      : [
          {
            text: `the uplinks of racks (${formatRate(network.rackBytesPerSecond)})`,
            giveUp: (changed: PlanInput) => withUplinks(changed, undefined),
          },
        ]),
  ];
}

/** An input with another limit of the update. */
export function withLimit(input: PlanInput, name: keyof LimitsSpec, value: number): PlanInput {
  return { ...input, spec: { ...input.spec, limits: { ...input.spec.limits, [name]: value } } };
}

/** An input whose calendars keep an opening open for longer. */
export function withLonger(input: PlanInput, opening: Opening, moreMs: number): PlanInput {
  return withCalendars(
    input,
    opening,
    (window) => ({ ...window, durationMs: window.durationMs + moreMs }),
    (own) => ({ ...own, endMs: own.endMs + moreMs }),
  );
}

/** An input with other limits of the calendars that open an opening. */
export function withCalendarLimits(
  input: PlanInput,
  opening: Opening | undefined,
  change: (limits: WindowLimits) => WindowLimits,
): PlanInput {
  const changed = <T extends { readonly limits?: WindowLimits }>(of: T): T =>
    of.limits ? { ...of, limits: change(of.limits) } : of;
  return withCalendars(input, opening, changed, changed);
}

/** A calendar's limits with another budget of a workload; undefined: with none. */
export function withCalendarBudget(
  limits: WindowLimits,
  workload: string,
  maxUnavailable: number | undefined,
): WindowLimits {
  const { [workload]: _, ...others } = limits.maxUnavailable ?? {};
  return {
    ...limits,
    maxUnavailable: maxUnavailable === undefined ? others : { ...others, [workload]: maxUnavailable },
  };
}

/** An input with other bandwidths of hosts' links; undefined: without bounds. @param only of one host */
export function withLinks(input: PlanInput, factor: number | undefined, only?: string): PlanInput {
  const hosts = input.fleet.hosts.map((host) => {
    const { linkBytesPerSecond, ...rest } = host;
    if (linkBytesPerSecond === undefined || (only !== undefined && host.id !== only)) return host;
    return factor === undefined ? rest : { ...rest, linkBytesPerSecond: linkBytesPerSecond * factor };
  });
  return { ...input, fleet: { ...input.fleet, hosts } };
}

/** An input with another bandwidth of racks' uplinks; undefined: without a bound. */
export function withUplinks(input: PlanInput, factor: number | undefined): PlanInput {
  const { network, ...fleet } = input.fleet;
  const { rackBytesPerSecond, ...rest } = network ?? {};
  if (rackBytesPerSecond === undefined) return input;
  const wider = factor === undefined ? rest : { ...rest, rackBytesPerSecond: rackBytesPerSecond * factor };
  return { ...input, fleet: { ...fleet, network: wider } };
}

/** Bandwidth as people read it. */
export function formatRate(bytesPerSecond: number): string {
  const mebibytes = bytesPerSecond / 2 ** 20;
  return `${mebibytes >= 10 ? mebibytes.toFixed(0) : mebibytes.toFixed(1)} MiB/s`;
}

/** When an opening's limits hold: `at 02:00 UTC (nightly)`. */
export function describeTime(opening: Opening | undefined): string {
  return opening ? `at ${new Date(opening.startMs).toISOString().slice(11, 16)} UTC (${opening.window})` : "";
}

function withCalendars(
  input: PlanInput,
  opening: Opening | undefined,
  changeWindow: (window: WindowSpec) => WindowSpec,
  changeOwn: (own: Opening) => Opening,
): PlanInput {
  const named = new Set(opening?.window.split(" + "));
  const windows = input.spec.windows.map((window) =>
    named.has(window.name) && window.effect !== "closed" ? changeWindow(window) : window,
  );
  const { progress } = input;
  return {
    ...input,
    spec: { ...input.spec, windows },
    ...(progress ? { progress: { ...progress, opening: changeOwn(progress.opening) } } : {}),
  };
}
