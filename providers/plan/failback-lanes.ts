/**
 * The lanes of a failback: the copies that leave one host are a lane, so that a failback disturbs no more hosts at once
 * than the limits of the update allow, and a copy may go home to where another one has left before it in the same wave.
 *
 * Not for: which copies go back (failback.ts) and the lanes of hosts that are updated (rolling-wave.ts).
 *
 * Invariants
 * 1. A copy goes to a host that others have left in the wave only behind their lane; whatever else goes there was counted
 *    beside them. So the proof holds in every order that the steps allow.
 * 2. Lanes wait only for lanes before them: there is no circle.
 * 3. A lane that pauses a workload comes after those before it that pause one that it calls or that calls it.
 */
import type { DisruptionReason, DurationQuantiles, WaveLanes, PlanStep } from "../../sdk/model";

import type { StepRange } from "./capacity";
import { isPausing } from "./dependency-order";
import { sumDurations } from "./durations";
import { expectedLane, limitsOfHost, meanDuration, placesOf } from "./lanes";
import { byHostLeft, transferTimes, type TransferLanes } from "./links";
import type { Placement } from "./placement";
import { compareText } from "./problem";
import { settleMoves, withWorkloads, type ScheduleContext, type Timeline } from "./schedule";
import { createFailbackSteps } from "./steps";
import type { PlacedMove } from "./wave-search";

/** Lanes that wait for each other, at most: what would wait longer is left to another wave. */
const LONGEST_CHAIN = 3;
/** Rounds of lanes take longer than their means: the slowest of each counts. */
const SPARE = 1.3;

/** A wave of failback that is being put together. */
export class FailbackLanes {
  private readonly found: PlacedMove[] = [];
  /** Hosts that copies leave, in the order of their lanes, with the hosts whose lanes come before. */
  private readonly after = new Map<number, ReadonlySet<number>>();
  /** By host that copies leave: lanes that come one after the other up to its own. */
  private readonly depths = new Map<number, number>();
  /** By workload that pauses in the wave: the hosts that it leaves. */
  private readonly paused = new Map<string, readonly number[]>();

  constructor(
    private readonly context: ScheduleContext,
    private readonly placement: Placement,
    private readonly reason: DisruptionReason,
  ) {}

  get moves(): readonly PlacedMove[] {
    return this.found;
  }

  /** False where too many lanes would have to come before a copy that goes to a host. */
  mayFollow(site: number): boolean {
    return (this.depths.get(site) ?? 0) < LONGEST_CHAIN;
  }

  /** Adds the lane of a host with all its moves, which are in the placement: from now on they have left it. */
  add(site: number, moves: readonly PlacedMove[]): void {
    const before = new Set(this.pausedWith(moves));
    for (const { arrived } of moves) if (this.after.has(arrived.site)) before.add(arrived.site);
    this.after.set(site, before);
    this.depths.set(site, 1 + Math.max(0, ...[...before].map((other) => this.depths.get(other) ?? 0)));
    this.found.push(...moves);
    this.placement.depart(moves.map(({ gone }) => gone));
  }

  /** Adds the lanes of moves that were found together; none goes to where another one leaves. */
  addAll(moves: readonly PlacedMove[]): void {
    for (const [site, ofSite] of Map.groupBy(moves, ({ gone }) => gone.site)) this.add(site, ofSite);
  }

  /**
   * Appends the wave, which is over then; `release` are reserved hosts that are given back at its end.
   * @param relief present where copies make room for others instead of going back, after `reserve` was taken into use
   */
  append(
    timeline: Timeline,
    release: readonly number[],
    range: StepRange,
    relief?: { readonly reserve: readonly number[] },
  ): void {
    const { problem, input, durations, dependencies } = this.context;
    const hostOf = (site: number): string => problem.sites[site]?.host.id ?? "";
    const lanes = this.lanes();
    const transferMs = transferTimes(problem, input.fleet, byHostLeft(this.found), lanes && this.sharing(lanes));
    const afterOf = new Map([...this.after].map(([site, before]) => [hostOf(site), [...before].map(hostOf).sort()]));
    const steps = createFailbackSteps(
      timeline.nextIndex,
      [...afterOf.keys()],
      withWorkloads(problem, this.found),
      release.map(hostOf).sort(compareText),
      {
        spec: input.spec,
        durations,
        dependencies,
        transferOf: (host) => transferMs.get(host) ?? 0,
        ...(lanes ? { laneOf: (host) => ({ after: afterOf.get(host) ?? [] }) } : {}),
      },
    );
    const hosts = [...new Set(this.found.flatMap(({ move }) => move.to ?? []))].sort(compareText);
    const reserve = relief?.reserve.map(hostOf).sort(compareText) ?? [];
    const all = reserve.length > 0 ? reserveFirst(timeline.nextIndex, reserve, steps, durations.reserve) : steps;
    timeline.append(relief ? "move" : "failback", hosts, this.found, all, range, lanes);
    settleMoves(this.placement, this.found);
  }

  /** One lane needs no limits. */
  private lanes(): WaveLanes | undefined {
    if (this.after.size < 2) return undefined;
    const { problem } = this.context;
    const uses = new Map(
      [...this.after.keys()].map((site) => [
        problem.sites[site]?.host.id ?? "",
        limitsOfHost(this.context, site, this.reason),
      ]),
    );
    const names = [...new Set([...uses.values()].flat())].sort();
    const limits = Object.fromEntries(names.map((name) => [name, Math.max(1, placesOf(this.context, name))]));
    // Hosts stay in service: what the limits are for is how many are left at once. New copies are bounded by links alone.
    const ahead = Object.fromEntries(names.map((name) => [name, this.after.size]));
    return { limits, ahead, uses: Object.fromEntries(uses) };
  }

  /** How many lanes share the links, and for how long at least. */
  private sharing({ limits, ahead }: WaveLanes): TransferLanes {
    const places = limits["hosts"] ?? 1;
    const { placed } = expectedLane(this.context, Math.ceil(this.found.length / this.after.size));
    return { atOnce: places + (ahead?.["hosts"] ?? 0), waveMs: (this.after.size / places) * meanDuration(placed) };
  }

  /** Hosts of the wave that pause what these moves' workloads call, or what calls those: their pauses stay apart. */
  private pausedWith(moves: readonly PlacedMove[]): readonly number[] {
    const { dependencies } = this.context;
    if (!dependencies.isAny) return [];
    const pausing = moves.filter(({ move }) => isPausing(move));
    const sites = [...this.paused].flatMap(([other, left]) =>
      pausing.some(({ move }) => dependencies.areRelated(move.workload, other)) ? left : [],
    );
    for (const { move, gone } of pausing) {
      this.paused.set(move.workload, [...(this.paused.get(move.workload) ?? []), gone.site]);
    }
    return sites;
  }
}

/** The steps behind one that takes standby hosts into use. */
function reserveFirst(
  index: number,
  hosts: readonly string[],
  steps: readonly PlanStep[],
  expected: DurationQuantiles,
): readonly PlanStep[] {
  const first: PlanStep = { id: `w${String(index)}/reserve`, kind: "reserve", hosts, after: [], expected };
  return [first, ...steps.map((step) => (step.after.length === 0 ? { ...step, after: [first.id] } : step))];
}

/** Time of a failback in which so many copies leave so many hosts, as far as it is known before it is planned. */
export function expectedFailback(
  context: Pick<ScheduleContext, "input" | "durations" | "problem">,
  copies: number,
  hosts: number,
  longestMove: DurationQuantiles,
): DurationQuantiles {
  const { ahead, placed } = expectedLane(context, Math.ceil(copies / Math.max(1, hosts)));
  const rounds = Math.ceil(hosts / Math.max(1, context.input.spec.limits.hostsAtOnce));
  const chain = Math.min(hosts, LONGEST_CHAIN);
  const more =
    (Math.max(0, rounds - 1) + Math.max(0, chain - 1)) * SPARE * (meanDuration(ahead) + meanDuration(placed));
  return sumDurations([longestMove, context.durations.release, { p50Ms: more, p95Ms: more }]);
}
