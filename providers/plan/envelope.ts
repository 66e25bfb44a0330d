/**
 * The envelope: what a person approves. It depends on policy and on which hosts and workloads exist, never on the
 * time or the load, so that its digest stays the same while nothing of that changes.
 *
 * Not for: the schedule inside it.
 */
import type {
  Envelope,
  Fleet,
  Host,
  HostUpdateSpec,
  Island,
  RebalanceSpec,
  StageSpec,
  UpdateSpec,
  UpdateWay,
  WindowSpec,
  Workload,
} from "../../sdk/model";
import {
  canonicalJson,
  DISRUPTION_REASONS,
  describeHostRule,
  formatDuration,
  formatDurationShort,
  formatPercentage,
  hasTwoWays,
  strictestBudgets,
  wayOf,
} from "../../sdk/model";

import { updateDigest } from "./digest";
import type { PlanInput } from "./plan-input";

/** The envelope of a spec on a fleet. */
export function createEnvelope(spec: HostUpdateSpec, fleet: Fleet): Envelope {
  const islands = new Set(spec.islands.map((island) => island.name));
  const inIslands = new Set(
    fleet.islands.filter((island) => islands.has(island.name)).flatMap((island) => island.hosts),
  );
  const workloads = fleet.workloads.filter((workload) => islands.has(workload.island));
  const byName = <T>(entries: readonly (readonly [string, T])[]): Readonly<Record<string, T>> =>
    Object.fromEntries([...entries].sort(([a], [b]) => (a < b ? -1 : 1)));
  return {
    updateDigest: updateDigest(spec.update),
    update: spec.rebalance
      ? describeRebalance(spec.name, spec.rebalance) +
        (fleet.hosts.some(({ offers }) => offers?.includes("shares"))
          ? "; shares of hosts that islands have together"
          : "")
      : `${spec.name}: ${describeWays(spec.update)}until \`${spec.update.probe}\` prints ${spec.update.expect}`,
    hosts: fleet.hosts
      .filter((host) => host.role === "member" && inIslands.has(host.id))
      .map((host) => host.id)
      .sort(),
    ...waysOfHosts(
      spec,
      fleet.hosts.filter((host) => host.role === "member" && inIslands.has(host.id)),
    ),
    budgets: byName(workloads.map((workload) => [workload.name, workload.maxUnavailable] as const)),
    maxPauseMs: byName(
      workloads
        .filter((workload) => workload.exclusive)
        .map((workload) => [workload.name, workload.maxPauseMs] as const),
    ),
    hostsAtOnce: spec.limits.hostsAtOnce,
    hostsPerZone: spec.limits.hostsPerZone,
    ...(spec.limits.hostsPerRack === undefined ? {} : { hostsPerRack: spec.limits.hostsPerRack }),
    ...(spec.limits.hostsPerIsland === undefined ? {} : { hostsPerIsland: spec.limits.hostsPerIsland }),
    ...budgetsOf(spec, fleet),
    ...(spec.timing === "quiet" ? { timing: spec.timing } : {}),
    canaryHosts: spec.limits.canaryHosts,
    maximumReserveHosts: spec.pool?.maximumHosts ?? 0,
    maximumDurationMs: Math.max(0, ...spec.windows.map((window) => window.durationMs)),
    confidence: spec.confidence,
    windows: spec.windows.map(describeWindow).sort(),
    ...burstsOf(workloads),
    ...(spec.stopRules ? { stopRules: spec.stopRules.map(canonicalJson).sort() } : {}),
    ...(spec.after ? { after: spec.after.map(describeStage).sort() } : {}),
    ...describePlaces(
      fleet.islands.filter(({ name }) => islands.has(name)),
      workloads,
    ),
  };
}

function describeWays({ command, image }: UpdateSpec): string {
  if (image === undefined) return "";
  return command === undefined ? `replaced by ${image} ` : `in place or replaced by ${image} `;
}

/** A machine that is replaced is another thing to approve than one that a command changes. */
function waysOfHosts({ update }: HostUpdateSpec, hosts: readonly Host[]): Pick<Envelope, "ways"> {
  if (!hasTwoWays(update)) return {};
  const ways = hosts.flatMap((host) => {
    // Of a host that does not answer nobody knows what its driver offers; it blocks the plan.
    const chosen = host.state === "ready" ? wayOf(update, host) : undefined;
    return chosen && "way" in chosen ? [[host.id, chosen.way] as const] : [];
  });
  return { ways: Object.fromEntries(ways.sort(([a], [b]) => (a < b ? -1 : 1))) };
}

/** Hosts that may be disrupted at once, an island and a reason each, where budgets say so. */
function budgetsOf(spec: HostUpdateSpec, fleet: Fleet): Pick<Envelope, "disruptionBudgets"> {
  const disruptionBudgets = strictestBudgets(spec, fleet);
  return Object.keys(disruptionBudgets).length === 0 ? {} : { disruptionBudgets };
}

/** Which functions may stand in for which workloads: whom requests are sent to is part of what is approved. */
function burstsOf(workloads: Fleet["workloads"]): Pick<Envelope, "bursts"> {
  const declared = workloads.flatMap(({ name, burst }) => (burst ? [[name, burst.function] as const] : []));
  if (declared.length === 0) return {};
  return { bursts: Object.fromEntries(declared.sort(([a], [b]) => (a < b ? -1 : 1))) };
}

/**
 * What of `actual` goes beyond `approved`, in words; empty when it stays inside. Less than what was approved (fewer
 * hosts, a tighter budget, narrower waves) is inside.
 */
export function compareEnvelopes(approved: Envelope, actual: Envelope): string[] {
  const differences: string[] = [];
  const more = (name: string, before: number, after: number, format: (value: number) => string = String): void => {
    if (after > before) differences.push(`${name}: ${format(after)} instead of the approved ${format(before)}`);
  };

  if (actual.update !== approved.update) {
    differences.push(`the update is "${actual.update}" instead of the approved "${approved.update}"`);
  }
  if (actual.updateDigest !== approved.updateDigest) {
    differences.push(
      "the update changed: its command or image, undo, probe, expectation, reboot or deadline is not the approved one",
    );
  }
  const added = without(actual.hosts, approved.hosts);
  if (added.length > 0) differences.push(`hosts that were not approved: ${added.join(", ")}`);
  differences.push(...compareWays(approved, actual));
  for (const [workload, budget] of Object.entries(actual.budgets)) {
    const before = approved.budgets[workload];
    if (before === undefined) differences.push(`workload ${workload} was not there when the plan was approved`);
    else more(`${workload} may have unavailable copies`, before, budget);
  }
  for (const [workload, maxPauseMs] of Object.entries(actual.maxPauseMs)) {
    const before = approved.maxPauseMs[workload];
    if (before !== undefined) more(`${workload} may pause`, before, maxPauseMs, formatDurationShort);
    else if (approved.budgets[workload] !== undefined) differences.push(`workload ${workload} became exclusive`);
  }
  for (const workload of Object.keys(approved.maxPauseMs)) {
    if (actual.budgets[workload] !== undefined && actual.maxPauseMs[workload] === undefined) {
      differences.push(`workload ${workload} is no longer exclusive`);
    }
  }
  more("hosts at once", approved.hostsAtOnce, actual.hostsAtOnce);
  more("hosts at once in a zone", approved.hostsPerZone, actual.hostsPerZone);
  const places = (count: number): string => (Number.isFinite(count) ? String(count) : "any number");
  more("hosts at once in a rack", approved.hostsPerRack ?? Infinity, actual.hostsPerRack ?? Infinity, places);
  more("hosts at once of an island", approved.hostsPerIsland ?? Infinity, actual.hostsPerIsland ?? Infinity, places);
  for (const [island, budgets] of Object.entries(approved.disruptionBudgets ?? {})) {
    for (const reason of DISRUPTION_REASONS) {
      const [before, now] = [budgets[reason], actual.disruptionBudgets?.[island]?.[reason]];
      if (before !== undefined) more(`hosts of ${island} at once for ${reason}`, before, now ?? Infinity, places);
    }
  }
  if (approved.timing === "quiet" && actual.timing !== "quiet") {
    differences.push("the run begins at once instead of at the approved quiet time");
  }
  if (actual.canaryHosts < approved.canaryHosts) {
    differences.push(
      `canary hosts: ${String(actual.canaryHosts)} instead of the approved ${String(approved.canaryHosts)}`,
    );
  }
  for (const [workload, burst] of Object.entries(actual.bursts ?? {})) {
    if (approved.bursts?.[workload] === burst) continue;
    differences.push(`the function ${burst} may stand in for ${workload}, which was not approved`);
  }
  more("hosts in reserve", approved.maximumReserveHosts, actual.maximumReserveHosts);
  more("longest duration", approved.maximumDurationMs, actual.maximumDurationMs, formatDurationShort);
  if (actual.confidence < approved.confidence) {
    const [before, after] = [formatPercentage(approved.confidence), formatPercentage(actual.confidence)];
    differences.push(`confidence: ${after} instead of the approved ${before}`);
  }
  const windows = without(actual.windows, approved.windows);
  if (windows.length > 0) differences.push(`windows that were not approved: ${windows.join(", ")}`);
  const rules = without(approved.stopRules ?? [], actual.stopRules ?? []);
  if (rules.length > 0) differences.push(`stop rules that were approved and are gone or changed: ${rules.join(", ")}`);
  const [placesBefore, placesNow] = [approved.places ?? {}, actual.places ?? {}];
  for (const name of new Set([...Object.keys(placesBefore), ...Object.keys(placesNow)])) {
    const [before, now] = [placesBefore[name] ?? "anywhere", placesNow[name] ?? "anywhere"];
    if (before !== now) differences.push(`${name} may run ${now} instead of the approved ${before}`);
  }
  const stages = without(approved.after ?? [], actual.after ?? []);
  if (stages.length > 0) differences.push(`stages that were approved and are gone or changed: ${stages.join(", ")}`);
  return differences;
}

/** Hosts that were approved and would now be updated in another way, by that. */
function compareWays(approved: Envelope, { ways = {} }: Envelope): string[] {
  const known = new Set(approved.hosts);
  const changed = Object.entries(ways).filter(([host, way]) => known.has(host) && approved.ways?.[host] !== way);
  return [...Map.groupBy(changed, ([, way]) => way)].map(
    ([way, hosts]) => `${WAY_TEXTS[way]}, which was not approved: ${hosts.map(([host]) => host).join(", ")}`,
  );
}

const WAY_TEXTS = {
  "in-place": "hosts would be updated in place",
  replacement: "hosts would be replaced",
} as const satisfies Record<UpdateWay, string>;

/** A run under way keeps what was approved as long as it stays inside. */
export function resolveEnvelope(input: PlanInput): Envelope {
  const actual = createEnvelope(input.spec, input.fleet);
  const approved = input.progress?.approvedEnvelope;
  if (!approved) return actual;
  const kept = keepWaysOfChanged(input, approved, actual);
  return compareEnvelopes(approved, kept).length === 0 ? approved : kept;
}

/** A host that is as wanted is changed no more, whatever its new machine offers. */
function keepWaysOfChanged({ fleet, progress }: PlanInput, approved: Envelope, actual: Envelope): Envelope {
  if (!actual.ways) return actual;
  const changed = new Set(progress?.updatedHosts);
  for (const { id, probe } of fleet.hosts) if (probe?.matches === true) changed.add(id);
  const ways = Object.entries(actual.ways).map(
    ([host, way]) => [host, (changed.has(host) ? approved.ways?.[host] : undefined) ?? way] as const,
  );
  return { ...actual, ways: Object.fromEntries(ways) };
}

function describeRebalance(name: string, { horizonMs, target, tolerance, maximumMoves }: RebalanceSpec): string {
  return (
    `${name}: at most ${String(maximumMoves)} moves, where a host would be over ${formatPercentage(target)} in the next ` +
    `${formatDuration(horizonMs)}, or more than ${formatPercentage(tolerance)} fuller than another one`
  );
}

/** Rules of islands and workloads about places and devices: security is part of what is approved. */
function describePlaces(islands: readonly Island[], workloads: readonly Workload[]): Pick<Envelope, "places"> {
  const described = [
    ...islands.flatMap((island) => {
      const text = describeIsland(island);
      return text === "" ? [] : [[`island ${island.name}`, text] as const];
    }),
    ...workloads.flatMap((workload) => {
      const text = describePlace(workload);
      return text === "" ? [] : [[workload.name, text] as const];
    }),
  ];
  if (described.length === 0) return {};
  return { places: Object.fromEntries(described.sort(([a], [b]) => (a < b ? -1 : 1))) };
}

function describeIsland({ within, overcommit = {} }: Island): string {
  const { cpu, memory } = overcommit;
  return [
    ...(within ? [`within ${describeHostRule(within)}`] : []),
    ...(cpu === undefined ? [] : [`with requests up to ${String(cpu)} times its CPU`]),
    ...(memory === undefined ? [] : [`with up to ${String(memory)} times its memory`]),
  ].join(", ");
}

function describePlace({ within, moves, spread, apartFrom = [], devices = {}, dependsOn = [] }: Workload): string {
  return [
    ...(within ? [`within ${describeHostRule(within)}`] : []),
    ...(moves === undefined ? [] : [moves === "nowhere" ? "moved nowhere" : `moved within its ${moves}`]),
    ...(spread === undefined ? [] : [`in at least ${String(spread.atLeast)} ${spread.over}s`]),
    ...apartFrom.map((other) => `apart from ${other}`),
    ...Object.entries(devices).map(([kind, cards]) => `with ${String(Number(cards.toFixed(3)))} ${kind}`),
    ...dependsOn.flatMap(({ workload, within: near }) => (near === undefined ? [] : [`in the ${near} of ${workload}`])),
  ].join(", ");
}

/** What goes before an update: the order of stages is part of what is approved. */
function describeStage({ name, soakMs }: StageSpec): string {
  return soakMs === 0 ? name : `${name}, and ${formatDuration(soakMs)} after it`;
}

/** A window with all that decides when it opens: when work happens is part of what is approved. */
function describeWindow(window: WindowSpec): string {
  const { freezes, precedence, limits } = window;
  const parts = [
    `${describePattern(window)} ${window.timezone}`,
    formatDuration(window.durationMs),
    ...(window.effect === "closed" ? ["closed"] : []),
    ...(freezes.length > 0 ? [`not in ${[...freezes].sort().join(" ")}`] : []),
    ...(precedence === undefined ? [] : [`precedence ${String(precedence)}`]),
    ...(limits === undefined ? [] : [`limits ${canonicalJson(limits)}`]),
  ];
  return `${window.name} (${parts.join(", ")})`;
}

function describePattern({ cron, rrule }: WindowSpec): string {
  return cron ?? (rrule ?? "").replace(/\s*\r?\n\s*/g, " ");
}

function without(items: readonly string[], others: readonly string[]): string[] {
  const known = new Set(others);
  return items.filter((item) => !known.has(item));
}
