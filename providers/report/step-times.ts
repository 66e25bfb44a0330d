/**
 * When the steps of a planned wave are expected: played at their medians, lanes within their limits and transfers within
 * the bandwidth of links, and stretched to the time that the plan has for the wave.
 *
 * Not for: how long waves take; the plan says, slow steps included.
 */
import { linksBetween, type Fleet, type Link, type PlanStep, type Wave } from "../../sdk/model";
import { LaneGate } from "../execute/lanes";
import { LinkGate } from "../execute/link-gate";
import type { TimeSpan } from "./html/time-axis";

/** Larger waves are not played, for a preview would wait for it: of their hosts only the wave is shown. */
const MOST_STEPS = 20_000;

/** A fleet's links. */
export type Network = Pick<Fleet, "hosts" | "network">;

/** Times of steps by wave, for those parts of a page that show them. */
export type TimesOf = (wave: Wave) => ReadonlyMap<string, TimeSpan> | undefined;

/** Times of the steps of waves; each wave is played once. */
export function createTimesOf(network?: Network): TimesOf {
  const known = new Map<Wave, ReadonlyMap<string, TimeSpan> | undefined>();
  return (wave) => {
    if (!known.has(wave)) known.set(wave, stepTimes(wave, network));
    return known.get(wave);
  };
}

/** By id: when each step is under way; undefined where there are too many to tell. */
export function stepTimes(wave: Wave, network?: Network): ReadonlyMap<string, TimeSpan> | undefined {
  if (wave.steps.length > MOST_STEPS) return undefined;
  const played = new MedianPlay(wave, network).play();
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

/** Plays the steps of a wave as the executor begins them: what may begin does, in the order of the plan. */
class MedianPlay {
  readonly times = new Map<string, TimeSpan>();
  private readonly lanes: LaneGate;
  private readonly links: LinkGate;
  /** By id: how many steps it still waits for, and those that wait for it. */
  private readonly unmet = new Map<string, number>();
  private readonly followers = new Map<string, PlanStep[]>();
  /** Ready, but for a place of their lane, or for room on a link. */
  private readonly forPlace = new Map<string, PlanStep[]>();
  private forLink: PlanStep[] = [];
  /** Under way, the last to end first. */
  private readonly running: { readonly step: PlanStep; readonly endMs: number }[] = [];

  constructor(
    private readonly wave: Wave,
    network: Network | undefined,
  ) {
    this.lanes = new LaneGate(wave, () => undefined);
    this.links = new LinkGate(network ?? { hosts: [] }, wave);
    for (const step of wave.steps) {
      this.unmet.set(step.id, step.after.length);
      for (const id of step.after) {
        const followers = this.followers.get(id);
        if (followers) followers.push(step);
        else this.followers.set(id, [step]);
      }
    }
  }

  /** Times of all steps; of those that wait for what is not in the wave there are none, and nothing else is wrong. */
  play(): ReadonlyMap<string, TimeSpan> {
    this.begin(
      this.wave.steps.filter(({ after }) => after.length === 0),
      0,
    );
    for (let next = this.running.pop(); next; next = this.running.pop()) this.end(next.step, next.endMs);
    return this.times;
  }

  private end(step: PlanStep, nowMs: number): void {
    this.links.leave(step);
    const isThrough = this.lanes.leave(step);
    const ready = (this.followers.get(step.id) ?? []).filter((follower) => {
      const left = (this.unmet.get(follower.id) ?? 0) - 1;
      this.unmet.set(follower.id, left);
      return left === 0;
    });
    this.begin(ready, nowMs);
    if ("bytesPerSecond" in step) {
      const waiting = this.forLink;
      this.forLink = [];
      this.begin(waiting, nowMs);
    }
    if (isThrough) this.beginLanes(nowMs);
  }

  private begin(steps: readonly PlanStep[], nowMs: number): void {
    for (const step of steps) this.tryToBegin(step, nowMs);
  }

  /** Lanes that wait for a place: where one of its steps is refused others of the same sort are too. */
  private beginLanes(nowMs: number): void {
    for (const [lane, steps] of [...this.forPlace]) {
      this.forPlace.delete(lane);
      const refused = new Set<boolean>();
      const left = steps.filter((step) => {
        const sort = this.lanes.isAhead(step);
        if (!refused.has(sort) && this.tryToBegin(step, nowMs, false)) return false;
        refused.add(sort);
        return true;
      });
      if (left.length > 0) this.forPlace.set(lane, left);
    }
  }

  /** @returns whether it waits for a place no more */
  private tryToBegin(step: PlanStep, nowMs: number, keeps = true): boolean {
    if (!this.links.hasRoom(step)) {
      this.forLink.push(step);
      return true;
    }
    if (!this.lanes.admit(step)) {
      if (keeps) this.wait(step);
      return false;
    }
    this.links.take(step);
    const endMs = nowMs + step.expected.p50Ms;
    this.times.set(step.id, { startMs: nowMs, endMs });
    const at = this.running.findLastIndex((other) => other.endMs >= endMs);
    this.running.splice(at + 1, 0, { step, endMs });
    return true;
  }

  private wait(step: PlanStep): void {
    const lane = this.lanes.laneOf(step) ?? "";
    const waiting = this.forPlace.get(lane);
    if (waiting) waiting.push(step);
    else this.forPlace.set(lane, [step]);
  }
}
