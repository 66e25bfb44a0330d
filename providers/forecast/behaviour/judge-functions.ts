/**
 * Which functions of a service are critical and which can be shed, from what its switch counted: who calls them, how
 * often and how steadily, whether they write, how long they take.
 *
 * A function is the first segment of a path. Evidence adds up to a score; what people say (an override) wins over it.
 *
 * Not for: shedding anything.
 *
 * Invariants
 * 1. A function that writes, or that another workload calls, is never judged sheddable.
 * 2. Little data gives little confidence, whatever the score.
 */
import type { Criticality, FunctionCalls, FunctionEstimate, ServiceCalls, Workload } from "../../../sdk/model";
import { formatPercentage } from "../../../sdk/model";

const READS: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS"]);
/** From this score up critical, from that one down sheddable. */
const CRITICAL_FROM = 1;
const SHEDDABLE_TO = -0.5;
/** Requests and minutes after which half of the doubt is gone. */
const HALF_SURE = { requests: 50, minutes: 10 } as const;
/** Fewer minutes with a call than this share are rare, more than that steady. */
const RARE_SHARE = 0.15;
const STEADY_SHARE = 0.8;
/** So many times slower than the service's usual request is work that nobody waits for in front of a page. */
const SLOW_FACTOR = 10;
const WRITE_SHARE = 0.05;
const LARGE_SHARE = 0.2;

/** Judges the functions of all services, by workload and then by requests. */
export function judgeFunctions(
  workloads: readonly Workload[],
  services: readonly ServiceCalls[],
): readonly FunctionEstimate[] {
  return workloads.flatMap((workload) => {
    const calls = services.find(({ service }) => service === workload.service)?.calls ?? [];
    const groups = Map.groupBy(calls, ({ path }) => functionOf(path));
    const usualMs = median([...groups.values()].map(meanLatency));
    const requests = sum(calls, ({ requests: count }) => count);
    const minutes = new Set(calls.map(({ atMs }) => atMs)).size;
    const measured = [...groups].map(([name, own]) => judge(workload, name, own, { requests, minutes, usualMs }));
    const unseen = (workload.functions ?? []).filter(({ path }) => !groups.has(functionOf(path)));
    return [
      ...measured.sort((a, b) => b.share - a.share || (a.name < b.name ? -1 : 1)),
      ...unseen.map(({ path, criticality }) => ({
        ...{ workload: workload.name, name: functionOf(path), criticality, confidence: 1, share: 0 },
        reason: "as declared; it was not called yet",
      })),
    ];
  });
}

interface Whole {
  readonly requests: number;
  readonly minutes: number;
  readonly usualMs: number;
}

function judge(workload: Workload, name: string, calls: readonly FunctionCalls[], whole: Whole): FunctionEstimate {
  const requests = sum(calls, (call) => call.requests);
  const writes = sum(calls, (call) => (READS.has(call.method) ? 0 : call.requests)) / Math.max(1, requests);
  const callers = [...new Set(calls.map(({ caller }) => caller).filter((caller) => caller !== ""))].sort();
  const steadiness = new Set(calls.map(({ atMs }) => atMs)).size / Math.max(1, whole.minutes);
  const share = requests / Math.max(1, whole.requests);
  const latencyMs = meanLatency(calls);
  const failed = sum(calls, (call) => call.failed) / Math.max(1, requests);
  const evidence: (readonly [points: number, text: string])[] = [];
  if (writes >= WRITE_SHARE) evidence.push([2, `${percent(writes)} of its requests write`]);
  if (callers.length > 0) evidence.push([1.5, `called by ${callers.join(", ")}`]);
  if (steadiness >= STEADY_SHARE) evidence.push([0.6, "called all the time"]);
  else if (steadiness <= RARE_SHARE) evidence.push([-0.8, `called in ${percent(steadiness)} of the minutes`]);
  if (share >= LARGE_SHARE) evidence.push([0.6, `${percent(share)} of the requests`]);
  if (latencyMs >= SLOW_FACTOR * whole.usualMs && whole.usualMs > 0)
    evidence.push([-0.8, `${String(Math.round(latencyMs / whole.usualMs))} times slower than usual`]);
  const score = evidence.reduce((total, [points]) => total + points, 0);
  const isNeeded = writes > 0 || callers.length > 0;
  const criticality: Criticality =
    score >= CRITICAL_FROM ? "critical" : score <= SHEDDABLE_TO && !isNeeded ? "sheddable" : "normal";
  const override = workload.functions?.find(({ path }) => functionOf(path) === name);
  const texts = evidence.map(([, text]) => text);
  if (failed > 0) texts.push(`${percent(failed)} of its requests failed`);
  const measured = texts.length === 0 ? "nothing stands out" : texts.join(", ");
  const base = { workload: workload.name, name, share: Math.round(share * 1e4) / 1e4 };
  if (override) {
    const { criticality: declared } = override;
    const but = declared === criticality ? "" : `; measured it would be ${criticality}`;
    return { ...base, criticality: declared, confidence: 1, reason: `as declared${but}: ${measured}` };
  }
  const known = requests / (requests + HALF_SURE.requests);
  const seen = whole.minutes / (whole.minutes + HALF_SURE.minutes);
  const distance = Math.min(Math.abs(score - CRITICAL_FROM), Math.abs(score - SHEDDABLE_TO));
  const confidence = Math.round(known * seen * (0.5 + 0.5 * Math.tanh(distance)) * 100) / 100;
  return { ...base, criticality, confidence, reason: measured };
}

/** `/orders/:id/items` is of `/orders`. */
function functionOf(path: string): string {
  const [, first = ""] = path.split("/");
  return path.startsWith("/") ? `/${first}` : path;
}

function meanLatency(calls: readonly FunctionCalls[]): number {
  return (
    sum(calls, ({ latencySumMs }) => latencySumMs) /
    Math.max(
      1,
      sum(calls, ({ requests }) => requests),
    )
  );
}

function sum<T>(items: readonly T[], of: (item: T) => number): number {
  return items.reduce((total, item) => total + of(item), 0);
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor((sorted.length - 1) / 2)] ?? 0;
}

function percent(share: number): string {
  return formatPercentage(Math.round(share * 1000) / 1000);
}
