/**
 * When the steps of a planned wave are expected: played at their medians, lanes within their limits and transfers within
 * the bandwidth of links, and stretched to the time that the plan has for the wave.
 *
 * Not for: how long waves take; the plan says, slow steps included.
 */
import { linksBetween, type Fleet, type Link, type PlanStep, type Wave } from "../../sdk/model";
import type { TimeSpan } from "./html/time-axis";

/** Larger waves are not played: their hosts are shown for the whole time of the wave. */
const MOST_STEPS = 2_000;

/** A fleet's links. */
export type Network = Pick<Fleet, "hosts" | "network">;

/** By id: when each step is under way; undefined where there are too many to tell. */
export function stepTimes(wave: Wave, network?: Network): ReadonlyMap<string, TimeSpan> | undefined {
  if (wave.steps.length > MOST_STEPS) return undefined;
  const played = playAtMedians(wave, transfersOf(wave, network));
  const lastMs = Math.max(1, ...[...played.values()].map(({ endMs }) => endMs));
  const scale = (wave.endMs - wave.startMs) / lastMs;
  return new Map(
    [...played].map(([id, { startMs, endMs }]) => [
      id,
      { startMs: wave.startMs + scale * startMs, endMs: wave.startMs + scale * endMs },
    ]),
  );
}

/** What a step carries over links. */
export interface StepTransfer {
  readonly bytesPerSecond: number;
  readonly links: readonly Link[];
}

/** By id: what the steps of a wave carry over links whose bandwidth is known. */
export function transfersOf(wave: Wave, network: Network | undefined): ReadonlyMap<string, StepTransfer> {
  const hosts = new Map(network?.hosts.map((host) => [host.id, host]));
  const moves = new Map(wave.moves.map((move) => [move.id, move]));
  const transfers = new Map<string, StepTransfer>();
  for (const step of wave.steps) {
    const bytesPerSecond = "bytesPerSecond" in step ? step.bytesPerSecond : undefined;
    const move = "move" in step ? moves.get(step.move) : undefined;
    const [from, to] = [hosts.get(move?.from ?? ""), hosts.get(move?.to ?? "")];
    if (bytesPerSecond === undefined || !network || !from || !to) continue;
    transfers.set(step.id, { bytesPerSecond, links: linksBetween(network, from, to) });
  }
  return transfers;
}

function playAtMedians(
  { steps, moves, lanes }: Wave,
  transfers: ReadonlyMap<string, StepTransfer>,
): ReadonlyMap<string, TimeSpan> {
  const carried = new Map<string, number>();
  const carry = ({ id }: PlanStep, by: number): void => {
    const { bytesPerSecond = 0, links = [] } = transfers.get(id) ?? {};
    for (const { name } of links) carried.set(name, (carried.get(name) ?? 0) + by * bytesPerSecond);
  };
  const hasLinks = ({ id }: PlanStep): boolean => {
    const { bytesPerSecond: rate = 0, links = [] } = transfers.get(id) ?? {};
    return links.every(({ name, bytesPerSecond }) => {
      const before = carried.get(name) ?? 0;
      return before < 1 || before + rate <= bytesPerSecond * (1 + 1e-9);
    });
  };
  const fromOf = new Map(moves.map(({ id, from }) => [id, from]));
  const laneOf = (step: PlanStep): string | undefined => {
    const host = "move" in step ? fromOf.get(step.move) : "host" in step ? step.host : undefined;
    return host !== undefined && lanes?.uses[host] !== undefined ? host : undefined;
  };
  const lasts = new Map<string, number>();
  for (const step of steps) lasts.set(laneOf(step) ?? "", (lasts.get(laneOf(step) ?? "") ?? 0) + 1);
  const taken = new Map<string, number>();
  const placed = new Set<string>();
  const count = (lane: string, by: number): void => {
    for (const limit of lanes?.uses[lane] ?? []) taken.set(limit, (taken.get(limit) ?? 0) + by);
  };
  /** A lane has its places from the first step on that is not the start of a new copy. */
  const mayBegin = (step: PlanStep): boolean => {
    const lane = laneOf(step);
    const isAhead = lanes?.ahead !== undefined && (step.kind === "start-copy" || step.kind === "admit");
    if (lane === undefined || isAhead || placed.has(lane)) return true;
    const hasRoom = (lanes?.uses[lane] ?? []).every((limit) => (taken.get(limit) ?? 0) < (lanes?.limits[limit] ?? 0));
    if (!hasRoom) return false;
    placed.add(lane);
    count(lane, 1);
    return true;
  };
  const times = new Map<string, TimeSpan>();
  const done = new Set<string>();
  const waiting = new Set(steps);
  const running: { readonly step: PlanStep; readonly endMs: number }[] = [];
  for (let nowMs = 0; waiting.size + running.length > 0;) {
    for (const step of waiting) {
      if (!step.after.every((id) => done.has(id)) || !hasLinks(step) || !mayBegin(step)) continue;
      waiting.delete(step);
      carry(step, 1);
      const endMs = nowMs + step.expected.p50Ms;
      times.set(step.id, { startMs: nowMs, endMs });
      running.push({ step, endMs });
    }
    running.sort((a, b) => b.endMs - a.endMs);
    const next = running.pop();
    // A wave whose steps wait for what is not in it has no times; nothing else is wrong with its page.
    if (!next) break;
    nowMs = next.endMs;
    done.add(next.step.id);
    carry(next.step, -1);
    const lane = laneOf(next.step);
    if (lane === undefined) continue;
    const left = (lasts.get(lane) ?? 1) - 1;
    lasts.set(lane, left);
    if (left === 0 && placed.has(lane)) count(lane, -1);
  }
  return times;
}
