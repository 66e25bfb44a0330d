/**
 * The planning problem with numbers for names: hosts, cells, workloads and copies as indexes into arrays, so that
 * thousands of them can be searched. Never changed after it is made.
 *
 * A *cell* is one island's share of one host: what its copies may use there. A *copy* is a replica that takes up
 * room, whether it serves or not.
 *
 * Not for: where copies are while a plan is made (placement.ts).
 */
import type {
  DemandPath,
  Fleet,
  Forecast,
  Host,
  Island,
  Overcommit,
  RefusedFunctions,
  Replica,
  UpdateWay,
  Workload,
} from "../../sdk/model";
import { matchesHost, wayOf, waysOf } from "../../sdk/model";

import { resolveBurst, type Burst } from "./bursts";
import { refusableOf } from "./refusals";
import { createColumns, type Columns } from "./columns";
import { undisturbedHosts } from "./disruption-budgets";
import { createPlaceRules, type LeftParts, type PlaceRules } from "./place-rules";
import type { PlanInput } from "./plan-input";
import { createScoringFacts, type ScoringFacts } from "./scores/migration-score";
import { describeEvent, eventOn } from "./provider-events";

/** A host as planning sees it. */
export interface Site {
  readonly host: Host;
  /** Why no copy may be put here, where none may. */
  readonly closed?: string;
  /** True for hosts that this update has yet to change. */
  readonly pending: boolean;
  /** How the update changes it; absent where it cannot. */
  readonly way?: UpdateWay;
}

/** One island's share of one host. */
export interface Cell {
  readonly site: number;
  readonly island: number;
  readonly cpuMillis: number;
  readonly memoryBytes: number;
  /** What its copies may request of CPU all together; infinite where nobody counts. */
  readonly requestMillis: number;
  /** False where an island's copy was found outside of the island's hosts; none is put there. */
  readonly open: boolean;
}

/** A workload as planning sees it. */
export interface Work {
  readonly workload: Workload;
  readonly island: number;
  /** Row in the forecast's demand; -1 where it has none, then `request.cpuMillis` per copy stands in. */
  readonly row: number;
  /** What one copy takes up, bytes. */
  readonly memoryBytes: number;
  /** Sum of the weights of the copies that serve; demand is split by weight. */
  readonly weight: number;
  /** Copies that serve at the beginning. */
  readonly serving: number;
  /** Most copies on one host: 1, or what one host had at the run's start. */
  readonly copiesPerHost: number;
  /** A function that can stand in for its copies; absent: none can. */
  readonly burst?: Burst;
  /** Its functions that may be refused; absent: none may. */
  readonly refusable?: RefusedFunctions;
}

/** A replica as planning sees it. */
export interface Copy {
  readonly id: string;
  readonly work: number;
  readonly site: number;
  /** Its part of the workload's traffic; 0 when it does not serve. */
  readonly weight: number;
  /** How long a live migration would stop it, P95; absent: it cannot be migrated so. */
  readonly blackoutMs?: number;
  /** Time from the problem's beginning until it ends by itself, P95; absent: it does not. */
  readonly endsInMs?: number;
}

export interface Problem {
  readonly sites: readonly Site[];
  readonly siteOf: ReadonlyMap<string, number>;
  /** Ways in which hosts that are pending are updated; those that the update gives where none is. */
  readonly ways: readonly UpdateWay[];
  readonly islands: readonly string[];
  readonly cells: readonly Cell[];
  /** `cellAt[site * islands.length + island]`, -1 where there is none. */
  readonly cellAt: Int32Array;
  readonly works: readonly Work[];
  readonly workOf: ReadonlyMap<string, number>;
  readonly copies: readonly Copy[];
  /** The same by workload. */
  readonly copiesOf: readonly (readonly Copy[])[];
  /** Sites that have a cell of an island, by island. */
  readonly sitesOfIsland: readonly Int32Array[];
  /** The sites of each site's rack, itself among them. */
  readonly rackMates: readonly Int32Array[];
  readonly demand: DemandGrid;
  readonly columns: Columns;
  /** Where copies may be put. */
  readonly rules: PlaceRules;
  /** What migration scores are made from. */
  readonly scoring: ScoringFacts;
  /** Standby hosts that the run may reserve, best first, without those that it holds already. */
  readonly standby: readonly number[];
  /** Standby hosts that the run holds. */
  readonly held: readonly number[];
  /** Sites of which disruption budgets let nothing begin, for what the plan does before its failback. */
  readonly undisturbed: ReadonlySet<number>;
}

/** Joint paths of demand, cut to the time that a plan can take. */
export interface DemandGrid {
  readonly paths: readonly DemandPath[];
  /** Number of steps in each row of a path. */
  readonly rowLength: number;
  /** First step used, and how many. */
  readonly first: number;
  readonly steps: number;
  /** Time of the first step used, ms since the epoch. */
  readonly startMs: number;
  readonly stepMs: number;
}

/**
 * Makes the problem for the time from `fromMs` to `toMs`.
 * @param left parts of the fleet that workloads stay in only where too few others are left. @default none
 */
export function createProblem(
  input: PlanInput,
  hostsToUpdate: readonly string[],
  fromMs: number,
  toMs: number,
  left?: LeftParts,
): Problem {
  const { fleet, forecast } = input;
  const sites = createSites(input, hostsToUpdate, { startMs: fromMs, endMs: toMs });
  const siteOf = new Map(sites.map((site, index) => [site.host.id, index]));
  const islands = fleet.islands.map((island) => island.name);
  const workOf = new Map(fleet.workloads.map((workload, index) => [workload.name, index]));
  const copies = createCopies(fleet, siteOf, workOf, fromMs);
  const { cells, cellAt } = createCells(fleet, sites, copies, toMs, input.progress?.owner);
  const held = new Set(input.progress?.reservedHosts);
  // A standby host that runs copies and is not held by this run is in somebody else's hands.
  const inUse = new Set(copies.map((copy) => copy.site));
  const byWork = groupByWork(copies, fleet.workloads.length);
  return {
    sites,
    siteOf,
    ways: waysOfPending(input, sites),
    islands,
    cells,
    cellAt,
    works: fleet.workloads.map((workload, index) => createWork(workload, byWork[index] ?? [], input)),
    workOf,
    copies,
    copiesOf: byWork,
    sitesOfIsland: islands.map((_, island) =>
      Int32Array.from(cells.filter((cell) => cell.island === island && cell.open).map(({ site }) => site)).sort(),
    ),
    rackMates: groupByRack(sites),
    demand: createDemandGrid(forecast, fromMs, toMs),
    columns: createColumns(sites, cells),
    rules: createPlaceRules(fleet, sites, copies, left),
    scoring: createScoringFacts(input.spec, fleet, forecast),
    standby: orderStandby(
      sites.flatMap((site, index) => (isReservable(site, held) && !inUse.has(index) ? [[index, site] as const] : [])),
    ),
    held: sites.flatMap((site, index) => (held.has(site.host.id) ? [index] : [])),
    undisturbed: new Set(
      [...undisturbedHosts(fleet, input.spec.rebalance ? "rebalance" : "update").keys()].flatMap(
        (id) => siteOf.get(id) ?? [],
      ),
    ),
  };
}

/** True when a mark stands on the host that is not this run's and has not lapsed. */
export function hasForeignMark(host: Host, input: Pick<PlanInput, "slotMs" | "progress">): boolean {
  return (
    host.cordoned !== undefined &&
    host.cordoned.expiresAt > input.slotMs &&
    host.cordoned.owner !== input.progress?.owner
  );
}

/** A replica that takes up room: everything but one that has ended. */
function takesRoom(replica: Replica): boolean {
  return replica.state !== "stopped";
}

function createSites(
  input: PlanInput,
  hostsToUpdate: readonly string[],
  span: { readonly startMs: number; readonly endMs: number },
): Site[] {
  const pending = new Set(hostsToUpdate);
  const held = new Set(input.progress?.reservedHosts);
  const owner = input.progress?.owner;
  return [...input.fleet.hosts]
    .sort((a, b) => compareText(a.id, b.id))
    .map((host) => {
      // A standby host that the run holds carries the run's own mark, also where its owner is not told.
      const foreign = hasForeignMark(host, input) && !(held.has(host.id) && owner === undefined);
      const event = eventOn(host, input.fleet, span);
      const closed =
        host.state === "unreachable"
          ? "does not answer"
          : foreign
            ? `cordoned by ${host.cordoned?.owner ?? "another owner"}`
            : host.role === "member" && host.state === "stopped"
              ? "is stopped"
              : event && `is in ${describeEvent(event)}`;
      const chosen = wayOf(input.spec.update, host);
      return {
        host,
        pending: pending.has(host.id),
        ...("way" in chosen ? { way: chosen.way } : {}),
        ...(closed === undefined ? {} : { closed }),
      };
    });
}

function waysOfPending({ spec }: PlanInput, sites: readonly Site[]): readonly UpdateWay[] {
  const given = waysOf(spec.update);
  const used = new Set(sites.flatMap(({ pending, way }) => (pending && way !== undefined ? [way] : [])));
  return used.size === 0 ? given : given.filter((way) => used.has(way));
}

function groupByRack(sites: readonly Site[]): Int32Array[] {
  const racks = new Map<string, number[]>();
  sites.forEach(({ host }, site) => {
    const rack = racks.get(host.rack);
    if (rack) rack.push(site);
    else racks.set(host.rack, [site]);
  });
  const lists = new Map([...racks].map(([rack, list]) => [rack, Int32Array.from(list)]));
  return sites.map(({ host }) => lists.get(host.rack) ?? new Int32Array());
}

function isReservable(site: Site, held: ReadonlySet<string>): boolean {
  return site.host.role === "standby" && site.closed === undefined && !held.has(site.host.id);
}

/** Big hosts first, so that few are needed; zones by turns, so that losing one does not lose the whole reserve. */
function orderStandby(standby: readonly (readonly [number, Site])[]): number[] {
  const left = [...standby].sort(
    ([, a], [, b]) =>
      b.host.capacity.cpuMillis - a.host.capacity.cpuMillis ||
      b.host.capacity.memoryBytes - a.host.capacity.memoryBytes ||
      compareText(a.host.id, b.host.id),
  );
  const perZone = new Map<string, number>();
  const order: number[] = [];
  while (left.length > 0) {
    const size = left[0]?.[1].host.capacity.cpuMillis;
    let best = 0;
    for (let i = 1; i < left.length && left[i]?.[1].host.capacity.cpuMillis === size; i++) {
      const zone = (entry: (typeof left)[number] | undefined): number => perZone.get(entry?.[1].host.zone ?? "") ?? 0;
      if (zone(left[i]) < zone(left[best])) best = i;
    }
    const [entry] = left.splice(best, 1);
    if (!entry) break;
    order.push(entry[0]);
    perZone.set(entry[1].host.zone, (perZone.get(entry[1].host.zone) ?? 0) + 1);
  }
  return order;
}

function createCopies(
  fleet: Fleet,
  siteOf: ReadonlyMap<string, number>,
  workOf: ReadonlyMap<string, number>,
  fromMs: number,
): Copy[] {
  const services = new Map(fleet.services.map((service) => [service.name, service]));
  const weights = new Map<string, number>();
  for (const service of fleet.services) {
    for (const backend of service.backends) {
      if (backend.healthy) weights.set(`${service.name}\n${backend.replica}`, backend.weight);
    }
  }
  return [...fleet.replicas]
    .filter(takesRoom)
    .sort((a, b) => compareText(a.id, b.id))
    .flatMap((replica): Copy[] => {
      const work = workOf.get(replica.workload);
      const site = siteOf.get(replica.host);
      if (work === undefined || site === undefined) return [];
      const workload = fleet.workloads[work];
      const service = workload?.service === undefined ? undefined : services.get(workload.service);
      const running = replica.state === "healthy" || replica.state === "quiesced";
      const weight = !running
        ? 0
        : service === undefined
          ? 1
          : service.exclusive
            ? service.owner === undefined || service.owner === replica.id
              ? 1
              : 0
            : (weights.get(`${service.name}\n${replica.id}`) ?? 0);
      const { blackoutMs } = replica;
      const endsInMs = timeToEnd(replica, workload, fromMs);
      return [
        {
          id: replica.id,
          work,
          site,
          weight,
          ...(blackoutMs === undefined ? {} : { blackoutMs }),
          ...(endsInMs === undefined ? {} : { endsInMs }),
        },
      ];
    });
}

/** Only jobs are left to end: who has traffic or is the only one is missed. */
function timeToEnd(replica: Replica, workload: Workload | undefined, fromMs: number): number | undefined {
  if (workload?.lifetimeMs === undefined || workload.exclusive || workload.service !== undefined) return undefined;
  return replica.endsAtMs === undefined ? workload.lifetimeMs : Math.max(0, replica.endsAtMs - fromMs);
}

function createCells(
  fleet: Fleet,
  sites: readonly Site[],
  copies: readonly Copy[],
  untilMs: number,
  owner: string | undefined,
): { readonly cells: Cell[]; readonly cellAt: Int32Array } {
  const count = fleet.islands.length;
  const cellAt = new Int32Array(sites.length * count).fill(-1);
  const cells: Cell[] = [];
  const islandOf = new Map(fleet.islands.map((island, index) => [island.name, index]));
  const members = fleet.islands.map((island) => new Set(island.hosts));
  const add = (site: number, island: number, open: boolean): void => {
    const declared = fleet.islands[island];
    const host = sites[site]?.host;
    if (!declared || !host || cellAt[site * count + island] !== -1) return;
    const { share } = declared;
    const { capacity } = host;
    cellAt[site * count + island] = cells.length;
    const cpuMillis = capacity.cpuMillis * shareOf(declared, host, untilMs, owner);
    cells.push({
      site,
      island,
      open,
      cpuMillis,
      memoryBytes: capacity.memoryBytes * share.memory * factorOf(declared, host, "memory", 1),
      requestMillis: cpuMillis * factorOf(declared, host, "cpu", Infinity),
    });
  };
  sites.forEach(({ host }, site) => {
    const listed = members.some((hosts) => hosts.has(host.id));
    members.forEach((hosts, island) => {
      // A standby host that no island lists belongs to the pool and serves them all that may have it.
      const isOfPool = host.role === "standby" && !listed && matchesHost(fleet.islands[island]?.within, host);
      if (hosts.has(host.id) || isOfPool) add(site, island, true);
    });
  });
  for (const copy of copies) {
    const island = islandOf.get(fleet.workloads[copy.work]?.island ?? "");
    if (island !== undefined) add(copy.site, island, false);
  }
  return { cells, cellAt };
}

/**
 * Share of a host's CPU that an island has until a time: that in force, or the smaller one where it lapses before. What a
 * run under way has put in force itself holds for its time.
 */
function shareOf({ name, share }: Island, { shares }: Host, untilMs: number, owner: string | undefined): number {
  const inForce = shares?.shares.find(({ island }) => island === name)?.cpu;
  if (shares === undefined || inForce === undefined) return share.cpu;
  return shares.expiresAt >= untilMs || shares.owner === owner ? inForce : Math.min(inForce, share.cpu);
}

/** The stricter overcommit of an island and a host. */
function factorOf(island: Island, host: Host, what: keyof Overcommit, otherwise: number): number {
  const declared = [island.overcommit?.[what], host.overcommit?.[what]].filter((factor) => factor !== undefined);
  return declared.length === 0 ? otherwise : Math.min(...declared);
}

function createWork(workload: Workload, copies: readonly Copy[], input: PlanInput): Work {
  const { fleet, forecast, progress } = input;
  const row = rowsOf(forecast).get(workload.name) ?? -1;
  const burst = resolveBurst(workload, fleet, forecast);
  const refusable = refusableOf(workload, fleet, forecast);
  const perHost = new Map<string | number, number>();
  for (const host of progress?.origins[workload.name] ?? copies.map((copy) => copy.site)) {
    perHost.set(host, (perHost.get(host) ?? 0) + 1);
  }
  return {
    workload,
    island: fleet.islands.findIndex((island) => island.name === workload.island),
    row,
    memoryBytes: Math.max(workload.request.memoryBytes, row < 0 ? 0 : (forecast.demand.memoryBytes[row] ?? 0)),
    weight: copies.reduce((sum, copy) => sum + copy.weight, 0),
    serving: copies.filter((copy) => copy.weight > 0).length,
    copiesPerHost: Math.max(1, ...perHost.values()),
    ...(refusable ? { refusable } : {}),
    ...(burst === undefined || typeof burst === "string" ? {} : { burst }),
  };
}

const rowCache = new WeakMap<Forecast, ReadonlyMap<string, number>>();

/** Rows by workload name; kept per forecast because every workload asks. */
function rowsOf(forecast: Forecast): ReadonlyMap<string, number> {
  let rows = rowCache.get(forecast);
  if (!rows) {
    const missing = new Set(forecast.missing.map(({ workload }) => workload));
    rows = new Map(forecast.demand.workloads.flatMap((name, row) => (missing.has(name) ? [] : [[name, row] as const])));
    rowCache.set(forecast, rows);
  }
  return rows;
}

function createDemandGrid(forecast: Forecast, fromMs: number, toMs: number): DemandGrid {
  const { demand } = forecast;
  const last = Math.max(0, demand.steps - 1);
  const stepAt = (timeMs: number): number =>
    Math.min(last, Math.max(0, Math.floor((timeMs - demand.startMs) / demand.stepMs)));
  const first = stepAt(fromMs);
  return {
    paths: demand.cpuMillis,
    rowLength: demand.steps,
    first,
    steps: demand.steps === 0 ? 0 : stepAt(Math.max(fromMs, toMs - 1)) - first + 1,
    startMs: demand.startMs + first * demand.stepMs,
    stepMs: demand.stepMs,
  };
}

function groupByWork(copies: readonly Copy[], works: number): Copy[][] {
  const groups: Copy[][] = Array.from({ length: works }, () => []);
  for (const copy of copies) groups[copy.work]?.push(copy);
  return groups;
}

/** Order of code points: the same on every machine, unlike a locale's. */
export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
