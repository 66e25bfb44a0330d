/**
 * Stop rules, judged on evidence. Pure: the same evidence gives the same verdict.
 *
 * The error budget burns by several windows at once (Beyer et al., The Site Reliability Workbook, chapter 5, "Multiwindow,
 * Multi-Burn-Rate Alerts"): the long window makes sure that it matters, the short one that it still goes on.
 *
 * Not for: gathering evidence (evidence.ts) and acting on a verdict (providers/runner).
 */
import { formatDurationShort, formatPercentage } from "../../sdk/model";
import type { TrackVerdict } from "../forecast/tracker/track-demand";
import type { Alarm, BurnWindow, GuardVerdict, StopRule } from "../../sdk/model";

/** Requests of a service in one second. */
export interface TrafficSecond {
  readonly atMs: number;
  readonly requests: number;
  readonly failed: number;
}

/** A step of the forecast that has passed, with what was needed in it. */
export interface DemandStep {
  readonly startMs: number;
  readonly actualCpuMillis: number;
  /** Quantile of the rule, of the forecast that the plan rests on. */
  readonly forecastCpuMillis: number;
}

/** What a run's rules are judged on. */
export interface Evidence {
  readonly nowMs: number;
  /** What was before does not count: start of the run, or when a person let it go on. */
  readonly sinceMs: number;
  readonly traffic: readonly { readonly service: string; readonly seconds: readonly TrafficSecond[] }[];
  /** Moves that were begun since then, and how many of them failed or were undone. */
  readonly moves: { readonly begun: number; readonly failed: readonly string[] };
  /** Passed steps by island, oldest first, for a quantile. */
  readonly demand: (quantile: number) => readonly { readonly island: string; readonly steps: readonly DemandStep[] }[];
  readonly alarms: readonly Alarm[];
  /** Whether each island's demand still behaves as it was forecast. */
  readonly tracks: readonly { readonly island: string; readonly verdict: TrackVerdict }[];
}

/** The first verdict, rollbacks first; undefined while no rule fires. */
export function judgeStopRules(rules: readonly StopRule[], evidence: Evidence): GuardVerdict | undefined {
  const verdicts = rules.flatMap((rule) => judgeRule(rule, evidence) ?? []);
  return verdicts.find(({ action }) => action === "rollback") ?? verdicts[0];
}

function judgeRule(rule: StopRule, evidence: Evidence): GuardVerdict | undefined {
  switch (rule.kind) {
    case "error-budget":
      return judgeErrorBudget(rule, evidence);
    case "failed-moves":
      return judgeMoves(rule, evidence);
    case "forecast-miss":
      return judgeForecast(rule, evidence);
    case "alarms":
      return judgeAlarms(rule, evidence);
  }
}

type RuleOf<K extends StopRule["kind"]> = Extract<StopRule, { readonly kind: K }>;

function judgeErrorBudget(rule: RuleOf<"error-budget">, evidence: Evidence): GuardVerdict | undefined {
  for (const { service, seconds } of evidence.traffic) {
    for (const window of rule.windows) {
      const reason = describeBurn(rule, window, seconds, evidence);
      if (reason === undefined) continue;
      return {
        action: rule.action,
        rule: rule.kind,
        subject: service,
        reason: `error budget of ${service}: ${reason}`,
        remedy: `find out why requests to ${service} fail`,
      };
    }
  }
  return undefined;
}

/** The numbers when a window burns too fast, else undefined. */
function describeBurn(
  rule: RuleOf<"error-budget">,
  { longMs, shortMs, rate }: BurnWindow,
  seconds: readonly TrafficSecond[],
  { nowMs, sinceMs }: Evidence,
): string | undefined {
  const long = countSince(seconds, Math.max(sinceMs, nowMs - longMs));
  const short = countSince(seconds, Math.max(sinceMs, nowMs - shortMs));
  if (long.failed < rule.minimumFailed) return undefined;
  const burnOf = ({ failed, requests }: Count): number => failed / requests / (1 - rule.objective);
  if (short.requests === 0 || burnOf(long) <= rate || burnOf(short) <= rate) return undefined;
  return (
    `${String(long.failed)} of ${String(long.requests)} requests failed in ${formatDurationShort(longMs)} and ` +
    `${String(short.failed)} of ${String(short.requests)} in ${formatDurationShort(shortMs)}: ` +
    `${burnOf(long).toFixed(1)} and ${burnOf(short).toFixed(1)} times what an objective of ${formatPercentage(rule.objective)} allows, ` +
    `above ${String(rate)} times`
  );
}

interface Count {
  readonly requests: number;
  readonly failed: number;
}

function countSince(seconds: readonly TrafficSecond[], fromMs: number): Count {
  let requests = 0;
  let failed = 0;
  for (const second of seconds) {
    if (second.atMs < fromMs) continue;
    requests += second.requests;
    failed += second.failed;
  }
  return { requests, failed };
}

function judgeMoves(rule: RuleOf<"failed-moves">, { moves }: Evidence): GuardVerdict | undefined {
  const { begun, failed } = moves;
  if (begun < rule.minimumMoves || begun === 0 || failed.length / begun <= rule.share) return undefined;
  return {
    action: rule.action,
    rule: rule.kind,
    subject: failed[0] ?? "moves",
    reason:
      `${String(failed.length)} of ${String(begun)} moves failed or were undone (${formatPercentage(failed.length / begun)}), ` +
      `above ${formatPercentage(rule.share)}: ${failed.join(", ")}`,
    remedy: "find out why these moves failed",
  };
}

function judgeForecast(rule: RuleOf<"forecast-miss">, evidence: Evidence): GuardVerdict | undefined {
  for (const { island, steps } of evidence.demand(rule.quantile)) {
    const last = steps.filter(({ startMs }) => startMs >= evidence.sinceMs).slice(-rule.steps);
    if (last.length < rule.steps) continue;
    if (!last.every(({ actualCpuMillis, forecastCpuMillis }) => actualCpuMillis > forecastCpuMillis)) continue;
    const pairs = last.map(
      ({ actualCpuMillis, forecastCpuMillis }) => `${cores(actualCpuMillis)} above ${cores(forecastCpuMillis)}`,
    );
    return {
      action: rule.action,
      rule: rule.kind,
      subject: island,
      reason:
        `${island} needed more cores than the ${formatPercentage(rule.quantile)} quantile of its forecast in ` +
        `${String(rule.steps)} steps one after the other: ${pairs.join(", ")}`,
      remedy: `find out what ${island} works on; a new forecast is made before the next wave`,
    };
  }
  const stopped = evidence.tracks.find(({ verdict }) => verdict.state === "stop");
  if (!stopped) return undefined;
  const { island, verdict } = stopped;
  return {
    action: rule.action,
    rule: rule.kind,
    subject: island,
    reason: `${island}: ${verdict.evidence}`,
    remedy: `find out what ${island} works on; a new forecast is made before the next wave`,
  };
}

function cores(cpuMillis: number): string {
  return (cpuMillis / 1000).toFixed(2);
}

function judgeAlarms(rule: RuleOf<"alarms">, { alarms }: Evidence): GuardVerdict | undefined {
  const [first] = alarms;
  if (!first) return undefined;
  const texts = alarms.map(({ name, source, summary, sinceMs }) => {
    const since = sinceMs === undefined ? "" : ` since ${new Date(sinceMs).toISOString()}`;
    return `${name} (${source})${since}${summary === "" ? "" : `: ${summary}`}`;
  });
  return {
    action: rule.action,
    rule: rule.kind,
    subject: first.name,
    reason: `${alarms.length === 1 ? "an alarm fires" : `${String(alarms.length)} alarms fire`}: ${texts.join("; ")}`,
    remedy: "find out why it fires; the run goes on when it is over and somebody resumes it",
  };
}
