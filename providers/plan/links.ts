/**
 * Links that transfers share: those of hosts, each way, and the uplinks of racks, each way. Transfers take as long as the
 * busiest link needs for all that may use it at once, so that no link is over its bandwidth whichever of them go together.
 *
 * Not for: which lanes go together (lanes.ts counts them) and slowing a transfer down at run time.
 *
 * Invariant: of any groups that may go at once, what they carry over a link in their times is at most its bandwidth.
 */
import type { Fleet } from "../../sdk/model";

import type { Copy, Problem } from "./problem";
import type { PlacedMove } from "./wave-search";

/** Before the other groups are known, a group is taken to get this part of links that it shares with them. */
const ASSUMED_PARTS = 8;

/** What some moves carry over one link. */
interface LinkLoad {
  bytes: number;
  readonly bytesPerSecond: number;
  /** True for the link of the host that they leave: nothing else leaves it. */
  readonly isOwn: boolean;
}

/** The network as far as it is known to be a bound. */
type Network = Pick<Fleet, "network">;

/**
 * Time of the transfers of each group of moves, by group, ms; groups are moves that begin together: those off one host.
 * @param atOnce groups that transfer at a time, at most
 */
export function transferTimes(
  problem: Problem,
  network: Network,
  groups: ReadonlyMap<string, readonly PlacedMove[]>,
  atOnce = groups.size,
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
  // A link is busiest when the groups that carry most over it go at once.
  const busiestMs = new Map(
    [...shares].map(([link, { bytesPerSecond, bytes }]) => {
      const most = bytes.length <= atOnce ? bytes : bytes.sort((a, b) => b - a).slice(0, atOnce);
      return [link, (1000 * most.reduce((sum, each) => sum + each, 0)) / bytesPerSecond] as const;
    }),
  );
  return new Map(
    [...loads].map(([group, links]) => [
      group,
      Math.ceil([...links.keys()].reduce((longest, link) => Math.max(longest, busiestMs.get(link) ?? 0), 0)),
    ]),
  );
}

/** Time of the transfers of one group before it is known what goes beside it, ms. */
export function expectedTransferTime(problem: Problem, network: Network, moves: readonly PlacedMove[]): number {
  let longest = 0;
  for (const { bytes, bytesPerSecond, isOwn } of linkLoads(problem, network, moves).values()) {
    longest = Math.max(longest, (bytes / bytesPerSecond) * (isOwn ? 1 : ASSUMED_PARTS));
  }
  return Math.ceil(longest * 1000);
}

/** Upper bound of the time of transfers where so many of these copies go at once: the largest, all over the slowest link. */
export function longestTransferTime(
  { sites, works }: Problem,
  { network }: Network,
  copies: readonly Pick<Copy, "work">[],
  most = copies.length,
): number {
  let slowest = network?.rackBytesPerSecond ?? Number.POSITIVE_INFINITY;
  for (const { host } of sites) slowest = Math.min(slowest, host.linkBytesPerSecond ?? slowest);
  const sizes = copies.map(({ work }) => works[work]?.workload.transferBytes ?? 0).sort((a, b) => b - a);
  return Math.ceil((1000 * sizes.slice(0, most).reduce((sum, bytes) => sum + bytes, 0)) / slowest);
}

/** Moves by the host that they leave. */
export function byHostLeft(moves: readonly PlacedMove[]): ReadonlyMap<string, readonly PlacedMove[]> {
  return Map.groupBy(moves, ({ move }) => move.from);
}

/** What moves carry over each link whose bandwidth is known. */
function linkLoads(
  { sites, works }: Problem,
  { network }: Network,
  moves: readonly PlacedMove[],
): ReadonlyMap<string, LinkLoad> {
  const loads = new Map<string, LinkLoad>();
  const add = (link: string, bytes: number, bytesPerSecond: number | undefined, isOwn = false): void => {
    if (bytesPerSecond === undefined) return;
    const load = loads.get(link);
    if (load) load.bytes += bytes;
    else loads.set(link, { bytes, bytesPerSecond, isOwn });
  };
  const rackRate = network?.rackBytesPerSecond;
  for (const { gone, arrived } of moves) {
    const [from, to] = [sites[gone.site]?.host, sites[arrived.site]?.host];
    const bytes = works[gone.work]?.workload.transferBytes ?? 0;
    if (!from || !to || from === to || bytes === 0) continue;
    add(`from ${from.id}`, bytes, from.linkBytesPerSecond, true);
    add(`to ${to.id}`, bytes, to.linkBytesPerSecond);
    if (from.rack === to.rack) continue;
    add(`out of ${from.rack}`, bytes, rackRate);
    add(`into ${to.rack}`, bytes, rackRate);
  }
  return loads;
}
