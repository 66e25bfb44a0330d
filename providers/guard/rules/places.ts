/**
 * Places: no copy is put on a host that its rules forbid, no host holds more devices than it has, also while copies move,
 * nobody whose calls must stay near is left without somebody near, and nobody comes to fewer zones or racks than it must be
 * in, by the run's doing.
 *
 * Read from the journal alone: a copy counts on a host from the intent of the step that brings it until the step that
 * takes it away is done.
 */
import {
  describeHostRule,
  devicePartitions,
  matchesHost,
  type Fleet,
  type Host,
  type HostRule,
  type Island,
  type MoveReach,
  type Overcommit,
  type Resources,
  type Violation,
  type Workload,
} from "../../../sdk/model";
import type { RunView, StepSpan } from "../run-view";
import type { Rule } from "./rule";

/** A copy that comes to a host or leaves it. */
interface Change {
  readonly atMs: number;
  readonly by: 1 | -1;
  readonly workload: string;
  readonly replica: string;
  readonly host: string;
  /** Where a copy that comes was before; absent: it stays there, or comes back. */
  readonly from?: string;
}

/** Copies come only to hosts that their rules allow. */
export const keepsPlaces: Rule = (view) => {
  const fleet = view.bundle?.fleet;
  if (!fleet) return [];
  const facts = factsOf(fleet);
  const copies = copiesAtStart(fleet);
  return changesOf(view).flatMap((change): readonly Violation[] => {
    const found = change.by === 1 && change.from !== undefined ? judgeArrival(facts, copies, change) : [];
    apply(copies, change);
    return found.map((text) => violation(change, text));
  });
};

/** No host holds more devices than it has, where it held no more at the start. */
export const keepsDevices: Rule = (view) => {
  const fleet = view.bundle?.fleet;
  if (!fleet?.workloads.some(({ devices }) => devices !== undefined)) return [];
  const { hosts, workloads } = factsOf(fleet);
  const copies = copiesAtStart(fleet);
  const inUse = (host: Host, kind: string): number =>
    [...copies.values()].reduce((sum, copy) => {
      const request = copy.host === host.id ? workloads.get(copy.workload)?.devices?.[kind] : undefined;
      const offered = host.devices?.[kind];
      return request === undefined || !offered ? sum : sum + devicePartitions(request, offered);
    }, 0);
  return changesOf(view).flatMap((change): readonly Violation[] => {
    apply(copies, change);
    const host = hosts.get(change.host);
    if (change.by === -1 || change.from === undefined || !host) return [];
    return Object.entries(workloads.get(change.workload)?.devices ?? {}).flatMap(([kind]) => {
      const { count = 0, partitions = 1 } = host.devices?.[kind] ?? {};
      const used = inUse(host, kind);
      if (count > 0 && used <= count * partitions) return [];
      return [
        violation(
          change,
          `${host.id} holds ${String(used)} partitions of ${kind}, ${String(count * partitions)} are there`,
        ),
      ];
    });
  });
};

/** What of a host islands have shares of, with the factor that holds where none is declared, and the unit it is told in. */
const COUNTED = [
  { what: "cpu", of: "cpuMillis", otherwise: Infinity, unit: 1, text: "millicores requested" },
  { what: "memory", of: "memoryBytes", otherwise: 1, unit: 2 ** 20, text: "MiB of memory taken up" },
] as const satisfies readonly {
  readonly what: keyof Overcommit;
  readonly of: keyof Resources;
  readonly otherwise: number;
  readonly unit: number;
  readonly text: string;
}[];

/**
 * No copy comes to a host on which its island has more CPU requested then than its overcommit allows, or holds more memory:
 * of memory the share itself where nothing is declared, of CPU as much as is wanted.
 */
export const keepsOvercommit: Rule = (view) => {
  const fleet = view.bundle?.fleet;
  if (!fleet) return [];
  const { hosts, workloads } = factsOf(fleet);
  const islands = new Map(fleet.islands.map((island) => [island.name, island]));
  // By host and island, for every arrival asks for the sum.
  const requests = new Map<string, number>();
  const count = ({ workload, host }: Pick<Change, "workload" | "host">, by: number): void => {
    const { island, request } = workloads.get(workload) ?? {};
    if (island === undefined || request === undefined) return;
    for (const { what, of } of COUNTED) {
      const key = JSON.stringify([what, host, island]);
      requests.set(key, (requests.get(key) ?? 0) + by * request[of]);
    }
  };
  const copies = copiesAtStart(fleet);
  for (const copy of copies.values()) count(copy, 1);
  return changesOf(view).flatMap((change): readonly Violation[] => {
    const before = copies.size;
    apply(copies, change);
    count(change, copies.size - before);
    const host = hosts.get(change.host);
    const island = islands.get(workloads.get(change.workload)?.island ?? "");
    if (change.by === -1 || change.from === undefined || change.from === change.host || !host || !island) return [];
    return COUNTED.flatMap(({ what, of, otherwise, unit, text }) => {
      const limit = allowedOn(host, island, what, otherwise) * host.capacity[of];
      const requested = requests.get(JSON.stringify([what, host.id, island.name])) ?? 0;
      if (requested <= limit * (1 + ROUNDING) + ROUNDING) return [];
      const rounded = (value: number): string => String(Math.round(value / unit));
      return [
        violation(
          change,
          `${host.id} has ${rounded(requested)} ${text} of ${island.name}, ${rounded(limit)} are allowed`,
        ),
      ];
    });
  });
};

/** Part of a host that copies of an island may ask for, by its share and the stricter overcommit. */
function allowedOn(host: Host, island: Island, what: keyof Overcommit, otherwise: number): number {
  const declared = [island.overcommit?.[what], host.overcommit?.[what]].filter((factor) => factor !== undefined);
  const factor = declared.length === 0 ? otherwise : Math.min(...declared);
  if (factor === Infinity) return Infinity;
  const inForce = what === "cpu" ? host.shares?.shares.find((share) => share.island === island.name)?.cpu : undefined;
  return factor * Math.max(island.share[what], inForce ?? 0);
}

/** Shares are fractions of a host. */
const ROUNDING = 1e-3;

/** Whose calls must stay near has somebody near after every step, if it had before. */
export const keepsNear: Rule = (view) => {
  const fleet = view.bundle?.fleet;
  if (!fleet) return [];
  const { hosts } = factsOf(fleet);
  const pairs = fleet.workloads.flatMap(({ name: caller, dependsOn = [] }) =>
    dependsOn.flatMap(({ workload: called, within }) => (within === undefined ? [] : [{ caller, called, within }])),
  );
  if (pairs.length === 0) return [];
  const copies = copiesAtStart(fleet);
  const alone = (): ReadonlySet<string> =>
    new Set(
      pairs.flatMap(({ caller, called, within }) => {
        const parts = new Set(
          [...copies.values()]
            .filter(({ workload }) => workload === called)
            .map(({ host }) => partOf(hosts, host, within)),
        );
        return [...copies]
          .filter(([, { workload, host }]) => workload === caller && !parts.has(partOf(hosts, host, within)))
          .map(([id]) => `${id} of ${caller} without ${called} in its ${within}`);
      }),
    );
  let before = alone();
  return changesOf(view).flatMap((change): readonly Violation[] => {
    apply(copies, change);
    const now = alone();
    const worse = [...now].filter((text) => !before.has(text));
    before = now;
    return worse.map((text) => violation(change, `left ${text}`));
  });
};

/** Who must be in so many zones or racks is in no fewer after any step, or in no fewer than it was. */
export const keepsSpread: Rule = (view) => {
  const fleet = view.bundle?.fleet;
  if (!fleet?.workloads.some(({ spread }) => spread !== undefined)) return [];
  const { hosts, workloads } = factsOf(fleet);
  const copies = copiesAtStart(fleet);
  const partsOf = (name: string, over: MoveReach): number =>
    new Set([...copies.values()].filter((copy) => copy.workload === name).map(({ host }) => partOf(hosts, host, over)))
      .size;
  return changesOf(view).flatMap((change): readonly Violation[] => {
    const { spread } = workloads.get(change.workload) ?? {};
    const before = spread === undefined ? 0 : partsOf(change.workload, spread.over);
    apply(copies, change);
    if (spread === undefined) return [];
    const after = partsOf(change.workload, spread.over);
    if (after >= Math.min(before, spread.atLeast)) return [];
    const { over, atLeast } = spread;
    return [violation(change, `left ${String(after)} ${over}s with a copy, ${String(atLeast)} must have one`)];
  });
};

type CopiesByPlace = Map<string, { readonly workload: string; readonly host: string }>;

interface FleetFacts {
  readonly hosts: ReadonlyMap<string, Host>;
  readonly workloads: ReadonlyMap<string, Workload>;
  readonly islandRules: ReadonlyMap<string, HostRule | undefined>;
}

function factsOf(fleet: Fleet): FleetFacts {
  return {
    hosts: new Map(fleet.hosts.map((host) => [host.id, host])),
    workloads: new Map(fleet.workloads.map((workload) => [workload.name, workload])),
    islandRules: new Map(fleet.islands.map(({ name, within }) => [name, within])),
  };
}

function copiesAtStart({ replicas }: Fleet): CopiesByPlace {
  return new Map(
    replicas
      .filter(({ state }) => state !== "stopped")
      .map(({ id, workload, host }) => [`${id} on ${host}`, { workload, host }]),
  );
}

function apply(copies: CopiesByPlace, { by, workload, replica, host }: Change): void {
  const key = `${replica} on ${host}`;
  if (by === 1) copies.set(key, { workload, host });
  else copies.delete(key);
}

function judgeArrival(facts: FleetFacts, copies: CopiesByPlace, change: Change): readonly string[] {
  const host = facts.hosts.get(change.host);
  const workload = facts.workloads.get(change.workload);
  // Back where it was is no move.
  if (!host || !workload || change.from === change.host) return [];
  const { moves } = workload;
  const rules = [workload.within, facts.islandRules.get(workload.island)];
  const beside = new Set([...copies.values()].filter((copy) => copy.host === host.id).map((copy) => copy.workload));
  const enemies = [...beside].filter(
    (other) =>
      workload.apartFrom?.includes(other) === true ||
      facts.workloads.get(other)?.apartFrom?.includes(workload.name) === true,
  );
  return [
    ...rules.flatMap((rule) =>
      rule === undefined || matchesHost(rule, host)
        ? []
        : [`is put on ${host.id}, not within ${describeHostRule(rule)}`],
    ),
    ...(moves !== undefined && partOf(facts.hosts, change.from ?? "", moves) !== partOf(facts.hosts, host.id, moves)
      ? [`is moved from ${change.from ?? ""} to ${host.id}, further than it may (${moves})`]
      : []),
    ...enemies.map((other) => `is put on ${host.id} beside ${other}`),
  ];
}

function partOf(hosts: ReadonlyMap<string, Host>, id: string, reach: MoveReach): string {
  const host = hosts.get(id);
  if (!host || reach === "nowhere") return id;
  return reach === "zone" ? host.zone : `${host.zone}/${host.rack}`;
}

function violation({ atMs, workload, replica }: Change, text: string): Violation {
  return { atMs, rule: "place", subject: workload, text: `${replica} ${text}` };
}

/** All comings and goings in the order of time; at one moment those that leave go first. */
function changesOf(view: RunView): readonly Change[] {
  return view.spans.flatMap((span) => changesOfSpan(view, span)).sort((a, b) => a.atMs - b.atMs || a.by - b.by);
}

function changesOfSpan(view: RunView, { step, intentMs, endMs, outcome, undo, undoEndMs }: StepSpan): Change[] {
  const undoneMs = undo === "done" ? undoEndMs : outcome === "failed" ? endMs : undefined;
  const doneMs = outcome === "done" ? endMs : undefined;
  const moved = (replica: string, toReplica: string, workload: string, fromHost: string, toHost: string): Change[] => [
    { atMs: intentMs, by: 1, workload, replica: toReplica, host: toHost, from: fromHost },
    ...(doneMs === undefined ? [] : [{ atMs: doneMs, by: -1 as const, workload, replica, host: fromHost }]),
    ...(undoneMs === undefined
      ? []
      : [{ atMs: undoneMs, by: -1 as const, workload, replica: toReplica, host: toHost }]),
    ...(undoneMs === undefined || doneMs === undefined
      ? []
      : [{ atMs: undoneMs, by: 1 as const, workload, replica, host: fromHost }]),
  ];
  switch (step.kind) {
    case "start-copy": {
      const { workload, replica, host } = step;
      const from = view.moves.get(step.move)?.from;
      return [
        { atMs: intentMs, by: 1, workload, replica, host, ...(from === undefined ? {} : { from }) },
        ...(undoneMs === undefined ? [] : [{ atMs: undoneMs, by: -1 as const, workload, replica, host }]),
      ];
    }
    case "stop-copy": {
      const { workload, replica, host } = step;
      return [
        ...(doneMs === undefined ? [] : [{ atMs: doneMs, by: -1 as const, workload, replica, host }]),
        ...(undo === "done" && undoEndMs !== undefined
          ? [{ atMs: undoEndMs, by: 1 as const, workload, replica, host }]
          : []),
      ];
    }
    case "hand-over":
      return moved(step.fromReplica, step.toReplica, step.workload, step.fromHost, step.toHost);
    case "live-migrate":
      return moved(step.replica, step.replica, step.workload, step.fromHost, step.toHost);
    default:
      return [];
  }
}
