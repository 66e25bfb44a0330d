/**
 * Which hosts a workload's copies may be put on, by what is declared: zones, racks, names and labels, how far a copy may
 * move, who must be near whom, and who must not be on one host.
 *
 * Not for: room (placement.ts) and devices (device-use.ts).
 *
 * Invariants
 * 1. Who must have a called workload near goes only where that one has copies at the problem's beginning, and its
 *    copies leave their rack or zone in no move, nor does the last one there pause: so there is one near at every moment,
 *    in every order of steps.
 * 2. Who must be in so many zones or racks keeps its copies in as many of those where it is: they move within theirs. Which
 *    those are is chosen by spread-choice.ts.
 * 3. A copy that stands where it may not is left there; it is only never put there.
 */
import { matchesHost, type CallReach, type Fleet, type MoveReach, type Workload } from "../../sdk/model";

import type { Copy, Problem, Site } from "./problem";

/** Rules of all workloads, by their index. */
export interface PlaceRules {
  /** By site, 1 where copies may be put. Undefined: the rules say nothing. */
  readonly allowed: readonly (Uint8Array | undefined)[];
  /** Each by site: number of the part of the fleet that a copy there may not leave, -1 where it may. None: anywhere. */
  readonly regions: readonly (readonly Int32Array[])[];
  /** Workloads that no host may run beside it. */
  readonly apart: readonly (readonly number[])[];
  /** Each by site: number of the part in which a copy has to serve at every moment, -1 where none has to. */
  readonly neededIn: readonly (readonly Int32Array[])[];
  /** Which parts a workload stays in that has to be in so many. Undefined: it need not be. */
  readonly spreads: readonly (SpreadParts | undefined)[];
}

/** The parts that a workload stays in, of those in which it is. */
interface SpreadParts {
  /** Number of each site's part. */
  readonly partOf: Int32Array;
  readonly kept: ReadonlySet<number>;
  /** How many more it is in than it has to be. */
  readonly spare: number;
}

/** By workload: parts that it stays in only where too few others are left. */
export type LeftParts = ReadonlyMap<number, ReadonlySet<number>>;

const NO_PARTS: ReadonlySet<number> = new Set();

/** Reaches from wide to narrow: the narrowest of several holds. */
const REACHES: readonly MoveReach[] = ["zone", "rack", "nowhere"];

/** Compiles what is declared. */
export function createPlaceRules(
  fleet: Pick<Fleet, "workloads">,
  sites: readonly Site[],
  copies: readonly Pick<Copy, "work" | "site">[],
  left: LeftParts = new Map(),
): PlaceRules {
  const { workloads } = fleet;
  const indexOf = new Map(workloads.map(({ name }, work) => [name, work]));
  const reaches: (MoveReach | undefined)[] = workloads.map(({ moves }) => moves);
  const needed: (CallReach | undefined)[] = workloads.map(() => undefined);
  const near: { readonly caller: number; readonly called: number; readonly within: CallReach }[] = [];
  workloads.forEach(({ dependsOn = [] }, caller) => {
    for (const { workload, within } of dependsOn) {
      const called = indexOf.get(workload);
      if (within === undefined || called === undefined) continue;
      near.push({ caller, called, within });
      reaches[called] = narrowest(reaches[called], within);
      needed[called] = needed[called] === "rack" ? "rack" : within;
    }
  });
  const partOf = partsOf(sites);
  const byRule = new Map<string, Uint8Array>();
  const allowed = workloads.map(({ within }): Uint8Array | undefined => {
    if (within === undefined) return undefined;
    const key = JSON.stringify(within);
    const known = byRule.get(key) ?? Uint8Array.from(sites, ({ host }) => (matchesHost(within, host) ? 1 : 0));
    byRule.set(key, known);
    return known;
  });
  for (const { caller, called, within } of near) {
    const parts = partOf(within);
    const served = new Set(copies.filter(({ work }) => work === called).map(({ site }) => parts[site]));
    const before = allowed[caller];
    allowed[caller] = Uint8Array.from(sites, (_, site) => (before?.[site] !== 0 && served.has(parts[site]) ? 1 : 0));
  }
  const spreads = workloads.map(({ spread }, work): SpreadParts | undefined => {
    if (spread === undefined) return undefined;
    const own = copies.filter((copy) => copy.work === work).map(({ site }) => site);
    return keepParts(partOf(spread.over), own, spread.atLeast, allowed[work], left.get(work) ?? NO_PARTS);
  });
  const kept = spreads.map((spread) =>
    spread ? [spread.partOf.map((part) => (spread.kept.has(part) ? part : -1))] : [],
  );
  return {
    allowed,
    regions: reaches.map((reach, work) => [...(reach === undefined ? [] : [partOf(reach)]), ...(kept[work] ?? [])]),
    apart: apartOf(workloads, indexOf),
    neededIn: needed.map((reach, work) => [...(reach === undefined ? [] : [partOf(reach)]), ...(kept[work] ?? [])]),
    spreads,
  };
}

/** The same with the part of a copy left that is in more parts than it has to be; undefined where it is in none to leave. */
export function leavePart(
  { spreads }: PlaceRules,
  left: LeftParts,
  { work, site }: Pick<Copy, "work" | "site">,
): LeftParts | undefined {
  const spread = spreads[work];
  const before = left.get(work) ?? NO_PARTS;
  const part = spread?.partOf[site];
  if (!spread || part === undefined || !spread.kept.has(part) || before.size >= spread.spare) return undefined;
  return new Map([...left, [work, new Set([...before, part])]]);
}

/** True when the rules let a copy go to a host. */
export function mayReach({ regions }: PlaceRules, { work, site }: Pick<Copy, "work" | "site">, to: number): boolean {
  return (regions[work] ?? []).every((region) => (region[site] as number) < 0 || region[site] === region[to]);
}

/** True for workloads whose copies no move may take off their hosts. */
export function isPinned({ moves }: Pick<Workload, "moves">): boolean {
  return moves === "nowhere";
}

/**
 * True for copies that stay where they are unless their host is emptied: they may not move or pause, do not serve, or are
 * on a host that nothing may be done to.
 */
export function isFixed(
  { works, undisturbed }: Pick<Problem, "works" | "undisturbed">,
  { work, weight, site }: Pick<Copy, "work" | "weight" | "site">,
): boolean {
  const workload = works[work]?.workload;
  if (!workload || undisturbed.has(site)) return true;
  if (workload.service !== undefined && weight <= 0) return true;
  return isPinned(workload) || (workload.exclusive && workload.maxPauseMs <= 0);
}

function narrowest(a: MoveReach | undefined, b: MoveReach): MoveReach {
  return a !== undefined && REACHES.indexOf(a) > REACHES.indexOf(b) ? a : b;
}

/** The parts that copies stay in, of those in which they are: so many with the most hosts, those in `left` last. */
function keepParts(
  partOf: Int32Array,
  copySites: readonly number[],
  atLeast: number,
  allowed: Uint8Array | undefined,
  left: ReadonlySet<number>,
): SpreadParts {
  const hosts = new Map<number, number>();
  partOf.forEach((part, site) => hosts.set(part, (hosts.get(part) ?? 0) + (allowed?.[site] === 0 ? 0 : 1)));
  const present = new Set(copySites.map((site) => partOf[site] as number));
  const order = [...present].sort(
    (a, b) => Number(left.has(a)) - Number(left.has(b)) || (hosts.get(b) ?? 0) - (hosts.get(a) ?? 0) || a - b,
  );
  return { partOf, kept: new Set(order.slice(0, atLeast)), spare: Math.max(0, present.size - atLeast) };
}

/** Numbers of the parts that each reach cuts the hosts into; made once for each. */
function partsOf(sites: readonly Site[]): (reach: MoveReach) => Int32Array {
  const known = new Map<MoveReach, Int32Array>();
  return (reach) => {
    const parts = known.get(reach) ?? numberParts(sites, reach);
    known.set(reach, parts);
    return parts;
  };
}

function numberParts(sites: readonly Site[], reach: MoveReach): Int32Array {
  const numbers = new Map<string, number>();
  return Int32Array.from(sites, ({ host }) => {
    const name = reach === "nowhere" ? host.id : reach === "rack" ? `${host.zone}/${host.rack}` : host.zone;
    const number = numbers.get(name) ?? numbers.size;
    numbers.set(name, number);
    return number;
  });
}

/** Both of a pair stay away from each other, whichever says so. */
function apartOf(workloads: readonly Workload[], indexOf: ReadonlyMap<string, number>): readonly (readonly number[])[] {
  const apart = workloads.map(() => new Set<number>());
  workloads.forEach(({ apartFrom = [] }, work) => {
    for (const name of apartFrom) {
      const other = indexOf.get(name);
      if (other === undefined) continue;
      apart[work]?.add(other);
      apart[other]?.add(work);
    }
  });
  return apart.map((others) => [...others].sort((a, b) => a - b));
}

/** True where so many copies of a workload may pause at once beside a copy: one that is needed in a part is left to serve. */
export function mayPause(
  { rules, copiesOf }: Pick<Problem, "rules" | "copiesOf">,
  { work, site }: Pick<Copy, "work" | "site">,
  paused: number,
): boolean {
  return (rules.neededIn[work] ?? []).every((parts) => {
    if ((parts[site] as number) < 0) return true;
    // Moves do not take from those of a part: a copy that comes is there before the other one goes.
    const serving = (copiesOf[work] ?? []).filter((copy) => copy.weight > 0 && parts[copy.site] === parts[site]).length;
    return serving - paused >= 1;
  });
}
