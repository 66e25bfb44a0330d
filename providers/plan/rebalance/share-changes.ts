/**
 * Changes of shares that a rebalance carries out: on hosts whose driver can change them, until the time that was looked
 * at is over.
 *
 * Not for: what the changes are (uses.ts, host-shares.ts).
 *
 * Invariant: the shares of a host are together at most the whole host.
 */
import type { Fleet, HostShare, PlanStep, ShareChange } from "../../../sdk/model";

import type { StepDurations } from "../durations";

/** Shares of one host, all of them: those that change and those that do not. */
export interface HostShares {
  readonly host: string;
  readonly shares: readonly HostShare[];
}

/** Sums of shares differ by rounding alone below this. */
const TOLERANCE = 1e-9;

/** The changes that can be carried out, by host, in the order of hosts. */
export function sharesToSet(fleet: Fleet, changes: readonly ShareChange[]): readonly HostShares[] {
  const byHost = Map.groupBy(changes, ({ host }) => host);
  return fleet.hosts.flatMap(({ id, offers = [], shares: inForce }): HostShares[] => {
    const own = byHost.get(id);
    if (own === undefined || !offers.includes("shares")) return [];
    const shares = fleet.islands
      .filter(({ hosts }) => hosts.includes(id))
      .map(({ name, share }): HostShare => ({
        island: name,
        cpu:
          own.find(({ island }) => island === name)?.to ??
          inForce?.shares.find(({ island }) => island === name)?.cpu ??
          share.cpu,
        workloads: fleet.workloads.filter(({ island }) => island === name).map((workload) => workload.name),
      }));
    const sum = shares.reduce((total, { cpu }) => total + cpu, 0);
    return sum <= 1 + TOLERANCE ? [{ host: id, shares }] : [];
  });
}

/** The fleet as it is with these shares in force until a time. */
export function withShares(fleet: Fleet, set: readonly HostShares[], untilMs: number): Fleet {
  const byHost = new Map(set.map(({ host, shares }) => [host, shares]));
  return {
    ...fleet,
    hosts: fleet.hosts.map((host) => {
      const shares = byHost.get(host.id);
      return shares ? { ...host, shares: { owner: "", expiresAt: untilMs, shares } } : host;
    }),
  };
}

/** Steps of a wave that changes shares; each host is validated after its change. */
export function createShareSteps(
  index: number,
  set: readonly HostShares[],
  untilMs: number,
  durations: StepDurations,
): PlanStep[] {
  return set.flatMap(({ host, shares }): PlanStep[] => {
    const id = (kind: string): string => `w${String(index)}/${host}/${kind}`;
    return [
      { id: id("set-shares"), kind: "set-shares", host, shares, untilMs, after: [], expected: durations["set-shares"] },
      { id: id("validate"), kind: "validate", host, after: [id("set-shares")], expected: durations.validate },
    ];
  });
}
