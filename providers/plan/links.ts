/**
 * How long transfers take that share links: those of hosts, each way, and the uplinks of racks, each way. Each move gets a
 * rate, and so many transfers begin at a time as the links have room for (providers/execute/link-gate.ts), so that no
 * link is over its bandwidth whichever of them go together.
 *
 * Not for: which lanes go together (lanes.ts counts them) and holding a transfer to its rate (the drivers do).
 *
 * Invariants
 * 1. The moves of one group go at once within the bandwidth of each link.
 * 2. Where a link is busy for a good part of a wave, all groups that may go at once do so within its bandwidth: nothing
 *    waits that the wave's time does not hold.
 */
import { linksBetween, type Fleet } from "../../sdk/model";

import type { Copy, Problem } from "./problem";
import type { PlacedMove } from "./wave-search";

/** A link that is busy for at most this share of a wave is a quiet one: that two groups need all of it at once is rare. */
const QUIET_SHARE = 0.3;
/** Parts of a quiet link that each group may have one of. */
const QUIET_PARTS = 2;

/** What some moves carry over one link. */
interface LinkLoad {
  bytes: number;
  readonly bytesPerSecond: number;
  /** True for the link of the host that they leave: nothing else leaves it. */
  readonly isOwn: boolean;
}

/** The network as far as it is known to be a bound. */
type Network = Pick<Fleet, "network">;

/** Of a wave whose hosts follow each other. */
export interface TransferLanes {
  /** Groups that transfer at a time, at most. */
  readonly atOnce: number;
  /** Least time of the wave, ms. */
  readonly waveMs: number;
}

/**
 * Time of the transfers of each group of moves, by group, ms; groups are moves that begin together: those off one host.
 * @param lanes absent: all groups begin together
 */
export function transferTimes(
  problem: Problem,
  network: Network,
  groups: ReadonlyMap<string, readonly PlacedMove[]>,
  lanes?: TransferLanes,
): ReadonlyMap<string, number> {
  const loads = new Map([...groups].map(([group, moves]) => [group, linkLoads(problem, network, moves)]));
  const shares = new Map<string, { readonly bytesPerSecond: number; readonly bytes: number[] }>();
  for (const links of loads.values()) {
    for (const [link, { bytes, bytesPerSecond }] of links) {
      const share = shares.get(link);
      if (share) share.bytes.push(bytes);
      else shares.set(link, { bytesPerSecond, bytes: [bytes] });
    }
  }
  const busiest = new Map(
    [...shares].map(([link, { bytes, bytesPerSecond }]) => [link, busiestTime(bytes, bytesPerSecond, lanes)]),
  );
  const timeOn = (link: string, { bytes, bytesPerSecond, isOwn }: LinkLoad): number =>
    busiest.get(link) ?? ((isOwn ? 1 : QUIET_PARTS) * 1000 * bytes) / bytesPerSecond;
  return new Map(
    [...loads].map(([group, links]) => [
      group,
      Math.ceil([...links].reduce((longest, [link, load]) => Math.max(longest, timeOn(link, load)), 0)),
    ]),
  );
}

/**
 * Time in which a link carries what the groups that go over it have for it, of all that may go at once; a link is busiest
 * when those that carry most go together. Undefined for quiet links.
 */
function busiestTime(bytes: number[], bytesPerSecond: number, lanes: TransferLanes | undefined): number | undefined {
  const timeOf = (some: readonly number[]): number =>
    (1000 * some.reduce((sum, each) => sum + each, 0)) / bytesPerSecond;
  const wholeMs = timeOf(bytes);
  if (!lanes) return wholeMs;
  if (wholeMs <= QUIET_SHARE * lanes.waveMs) return undefined;
  if (bytes.length <= lanes.atOnce) return wholeMs;
  return timeOf(bytes.sort((a, b) => b - a).slice(0, lanes.atOnce));
}

/** Time of the transfers of one group before it is known what goes beside it, ms. */
export function expectedTransferTime(problem: Problem, network: Network, moves: readonly PlacedMove[]): number {
  let longest = 0;
  for (const { bytes, bytesPerSecond, isOwn } of linkLoads(problem, network, moves).values()) {
    longest = Math.max(longest, (bytes / bytesPerSecond) * (isOwn ? 1 : QUIET_PARTS));
  }
  return Math.ceil(longest * 1000);
}

/** A copy that may move, with the host that it goes to where it is the only one. */
export interface PossibleMove {
  readonly copy: Pick<Copy, "work" | "site">;
  readonly onlyTo?: number;
}

/**
 * Upper bound of the time of transfers where so many of these moves go at once: on each link the largest ones that may
 * use it. What may go anywhere may all go over the slowest link.
 */
export function longestTransferTime(
  { sites, works }: Problem,
  network: Network,
  moves: readonly PossibleMove[],
  most = moves.length,
): number {
  const sizes = new Map<string, { readonly bytesPerSecond: number; readonly bytes: number[] }>();
  const anywhere: number[] = [];
  let slowest = network.network?.rackBytesPerSecond ?? Number.POSITIVE_INFINITY;
  for (const { host } of sites) slowest = Math.min(slowest, host.linkBytesPerSecond ?? slowest);
  for (const { copy, onlyTo } of moves) {
    const bytes = works[copy.work]?.workload.transferBytes ?? 0;
    const [from, to] = [sites[copy.site]?.host, sites[onlyTo ?? -1]?.host];
    if (!from || !to) anywhere.push(bytes);
    else {
      for (const { name, bytesPerSecond } of linksBetween(network, from, to)) {
        const known = sizes.get(name);
        if (known) known.bytes.push(bytes);
        else sizes.set(name, { bytesPerSecond, bytes: [bytes] });
      }
    }
  }
  let longest = sumOfLargest(anywhere, most) / slowest;
  for (const { bytesPerSecond, bytes } of sizes.values()) {
    longest = Math.max(longest, sumOfLargest([...bytes, ...anywhere], most) / bytesPerSecond);
  }
  return Math.ceil(1000 * longest);
}

function sumOfLargest(values: readonly number[], most: number): number {
  const largest = values.length <= most ? values : values.toSorted((a, b) => b - a).slice(0, most);
  return largest.reduce((sum, value) => sum + value, 0);
}

/** Moves by the host that they leave. */
export function byHostLeft(moves: readonly PlacedMove[]): ReadonlyMap<string, readonly PlacedMove[]> {
  return Map.groupBy(moves, ({ move }) => move.from);
}

/** What moves carry over each link whose bandwidth is known. */
function linkLoads(
  { sites, works }: Problem,
  network: Network,
  moves: readonly PlacedMove[],
): ReadonlyMap<string, LinkLoad> {
  const loads = new Map<string, LinkLoad>();
  for (const { gone, arrived } of moves) {
    const [from, to] = [sites[gone.site]?.host, sites[arrived.site]?.host];
    const bytes = works[gone.work]?.workload.transferBytes ?? 0;
    if (!from || !to || bytes === 0) continue;
    // The host's own link comes first, where its bandwidth is known.
    for (const [place, { name, bytesPerSecond }] of linksBetween(network, from, to).entries()) {
      const load = loads.get(name);
      if (load) load.bytes += bytes;
      else loads.set(name, { bytes, bytesPerSecond, isOwn: place === 0 && from.linkBytesPerSecond !== undefined });
    }
  }
  return loads;
}
