/**
 * Watches the stop rules of a run and its demand: gathers evidence every few seconds and keeps the verdict.
 *
 * Not for: the rules themselves (stop-rules.ts) and what a verdict does to a run (providers/runner).
 *
 * Invariants
 * 1. It never throws and never waits longer than LOOK_LIMIT_MS: a source without an answer is told of and left out.
 * 2. It only reads.
 */
import { messageOf } from "../../sdk/model";
import type { Alarm, AlarmSource, Forecast, GuardVerdict, RunState, StopRule } from "../../sdk/model";
import type { Clock, Progress } from "../clock";
import type { Platform } from "../drivers/contracts";
import { countMoves, DemandEvidence, TrafficEvidence } from "./evidence";
import { judgeStopRules, type Evidence } from "./stop-rules";

/** Time for which a verdict is believed. Long steps are watched as often. */
const BELIEVED_MS = 5_000;
/** Without rules demand is followed all the same, at less cost. */
const TRACKED_MS = 30_000;
/** Longest wait for one source. */
const LOOK_LIMIT_MS = 3_000;

/** What the watch needs of the run. */
export interface StopWatchOptions {
  readonly rules: readonly StopRule[];
  readonly platform: Pick<Platform, "recorder" | "sampler">;
  readonly clock: Clock;
  readonly progress: Progress;
  /** One source for all alarms of the rules; absent: rules on alarms are told to be unwatched. */
  readonly alarms?: AlarmSource | undefined;
  readonly state: () => RunState;
  /** When a person let the run go on for the last time, ms since the epoch. */
  readonly resumedMs: () => Promise<number | undefined>;
}

/** Judges the rules again and again, at little cost. */
export class StopWatch {
  private readonly traffic = new TrafficEvidence();
  private readonly demand: DemandEvidence;
  private readonly plannedAgainMs = new Map<string, number>();
  private readonly unwatched = new Map<string, string>();
  private verdict: GuardVerdict | undefined;
  private judgedAt: number | undefined;
  private judging: Promise<void> | undefined;
  /** Islands that deviated at the last look and were not planned again since. */
  private deviating: ReadonlySet<string> = new Set();

  constructor(private readonly options: StopWatchOptions) {
    const { bundle } = options.state();
    this.demand = new DemandEvidence(bundle.fleet);
    this.demand.noteForecast(bundle.forecast, options.clock.now());
  }

  /** A fresh forecast that the next wave is planned on. */
  noteForecast(forecast: Forecast): void {
    this.demand.noteForecast(forecast, this.options.clock.now());
  }

  /** The verdict, at most a few seconds old. */
  async current(): Promise<GuardVerdict | undefined> {
    const { clock, rules } = this.options;
    const believedMs = rules.length === 0 ? TRACKED_MS : BELIEVED_MS;
    if (this.judgedAt !== undefined && clock.monotonic() - this.judgedAt < believedMs) return this.verdict;
    this.judging ??= this.judge().finally(() => {
      this.judging = undefined;
    });
    await this.judging;
    return this.verdict;
  }

  /** Whether each island's demand still behaves as it was forecast, since the run began or planned again for it. */
  tracks(): Evidence["tracks"] {
    const { startedAt = 0 } = this.options.state();
    return this.demand.track(this.options.clock.now(), (island) => this.plannedAgainMs.get(island) ?? startedAt);
  }

  /** Whether an island deviated at the last look. */
  isDeviating(): boolean {
    return this.deviating.size > 0;
  }

  /** A deviation of this island has been answered by planning again: what comes counts afresh. */
  notePlannedAgain(island: string): void {
    this.plannedAgainMs.set(island, this.options.clock.now());
    this.deviating = new Set([...this.deviating].filter((other) => other !== island));
  }

  private async judge(): Promise<void> {
    const { clock, rules, state: readState, resumedMs } = this.options;
    const state = readState();
    const resumed = await resumedMs().catch(() => undefined);
    const sinceMs = Math.max(state.startedAt ?? clock.now(), resumed ?? 0);
    const [alarms] = await Promise.all([this.lookAtAlarms(), this.lookAtTraffic(sinceMs), this.lookAtDemand()]);
    const nowMs = clock.now();
    const tracks = this.tracks();
    this.deviating = new Set(
      tracks.filter(({ verdict }) => verdict.state !== "within band").map(({ island }) => island),
    );
    this.verdict = judgeStopRules(rules, {
      nowMs,
      sinceMs,
      traffic: this.traffic.list(),
      moves: countMoves(state, sinceMs),
      demand: (quantile) => this.demand.list(quantile, nowMs),
      alarms,
      tracks,
    });
    this.judgedAt = clock.monotonic();
  }

  private async lookAtTraffic(sinceMs: number): Promise<void> {
    const { rules, platform, clock } = this.options;
    const longestMs = Math.max(
      0,
      ...rules.flatMap((rule) => (rule.kind === "error-budget" ? rule.windows.map(({ longMs }) => longMs) : [])),
    );
    if (longestMs === 0) return;
    const { recorder } = platform;
    if (!recorder) {
      this.tell("error-budget", "the platform records no traffic");
      return;
    }
    const nowMs = clock.now();
    const earliestMs = Math.max(sinceMs, nowMs - longestMs);
    const found = await this.ask("error-budget", (signal) =>
      recorder.trafficSince(this.traffic.nextSinceMs(earliestMs), signal),
    );
    if (found) this.traffic.add(found, nowMs, earliestMs);
  }

  private async lookAtDemand(): Promise<void> {
    const { rules, platform, clock } = this.options;
    const isRule = rules.some(({ kind }) => kind === "forecast-miss");
    const { sampler } = platform;
    if (!sampler) {
      if (isRule) this.tell("forecast-miss", "the platform does not sample what workloads use");
      return;
    }
    const nowMs = clock.now();
    const look = (signal: AbortSignal) => sampler.usageSince(this.demand.nextSinceMs(nowMs), signal);
    const found = await this.ask("forecast-miss", look, isRule);
    if (found) this.demand.add(found, nowMs);
  }

  private async lookAtAlarms(): Promise<readonly Alarm[]> {
    const { rules, alarms } = this.options;
    if (!rules.some(({ kind }) => kind === "alarms")) return [];
    if (!alarms) {
      this.tell("alarms", "there is no source for them");
      return [];
    }
    return (await this.ask("alarms", (signal) => alarms.firing(signal))) ?? [];
  }

  /** Asks a source, with a bound in time; tells once when it does not answer, and when it does again. */
  private async ask<T>(rule: string, call: (signal: AbortSignal) => Promise<T>, isTold = true): Promise<T | undefined> {
    const over = new AbortController();
    const answered = new AbortController();
    const tooLong = this.options.clock.sleep(LOOK_LIMIT_MS, answered.signal).then(() => {
      over.abort();
      throw new RangeError(`no answer within ${String(LOOK_LIMIT_MS / 1000)} s`);
    });
    tooLong.catch(() => undefined);
    try {
      const answer = await Promise.race([call(over.signal), tooLong]);
      if (this.unwatched.delete(rule)) this.options.progress.line(`stop rule ${rule} is watched again`);
      return answer;
    } catch (error) {
      if (isTold) this.tell(rule, messageOf(error));
      return undefined;
    } finally {
      answered.abort();
    }
  }

  private tell(rule: string, reason: string): void {
    if (this.unwatched.has(rule)) return;
    this.unwatched.set(rule, reason);
    this.options.progress.line(`stop rule ${rule} cannot be watched: ${reason}`);
  }
}
