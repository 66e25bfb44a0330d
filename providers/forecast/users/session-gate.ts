/**
 * Whether following sessions pays: an honest test on the newest third of a log, at origins that the chain was not learned
 * on, against the same forecast without it. Where it does not pay it stays off, and says so.
 *
 * Not for: the chain itself (session-chain.ts).
 */
import { countLoads, learnChain, predictLoads, type MinuteLoads, type Visit } from "./session-chain";

/** What the test found. */
export interface SessionGate {
  readonly isOpen: boolean;
  /** Mean absolute error with sessions over that without. */
  readonly errorRatio: number;
  readonly origins: number;
  /** For people. */
  readonly reason: string;
}

const MINUTE_MS = 60_000;
export const USERS_AHEAD_MINUTES = 10;
const ORIGINS = 24;
const TESTED_SHARE = 1 / 3;
const FEWEST_VISITS = 1_000;
/** It must be better by a tenth: a chain that follows users costs trust when it is only as good. */
const MOST_RATIO = 0.9;
/** Means of the last minutes that stand against it; the best one on the learned part is taken. */
const RECENT_MINUTES = [1, 5, 15] as const;

/** Tests on the log. @param visits in order of time */
export function judgeSessions(visits: readonly Visit[]): SessionGate {
  const closed = (reason: string): SessionGate => ({ isOpen: false, errorRatio: 1, origins: 0, reason });
  const [first, last] = [visits[0], visits.at(-1)];
  if (!first || !last || visits.length < FEWEST_VISITS) {
    return closed(`off: the log has ${String(visits.length)} requests, ${String(FEWEST_VISITS)} are needed to test it`);
  }
  const aheadMs = USERS_AHEAD_MINUTES * MINUTE_MS;
  const splitMs = last.atMs - (last.atMs - first.atMs) * TESTED_SHARE;
  const lastOriginMs = last.atMs - aheadMs;
  if (lastOriginMs - splitMs < ORIGINS * MINUTE_MS) return closed("off: the log is too short to test it");
  const chain = learnChain(visits, splitMs);
  const errorsOf = (originMs: number, predict: (atMs: number) => MinuteLoads): number =>
    distance(predict(originMs), countLoads(visits, chain.endpoints, originMs, USERS_AHEAD_MINUTES));
  const recent =
    (minutes: number) =>
    (atMs: number): MinuteLoads =>
      recentLoads(visits, chain.endpoints, atMs, minutes);
  const learnedOrigins = Array.from({ length: ORIGINS }, (_, i) => splitMs - aheadMs * (1 + i / 2));
  const errors = RECENT_MINUTES.map((minutes) =>
    learnedOrigins.reduce((sum, originMs) => sum + errorsOf(originMs, recent(minutes)), 0),
  );
  const plain = RECENT_MINUTES[errors.indexOf(Math.min(...errors))] ?? RECENT_MINUTES[0];
  let [withSessions, without] = [0, 0];
  for (let i = 0; i < ORIGINS; i++) {
    const originMs = splitMs + ((lastOriginMs - splitMs) * i) / (ORIGINS - 1);
    withSessions += errorsOf(originMs, (atMs) => predictLoads(chain, visits, atMs, USERS_AHEAD_MINUTES));
    without += errorsOf(originMs, recent(plain));
  }
  const errorRatio = without > 0 ? withSessions / without : 1;
  const isOpen = errorRatio <= MOST_RATIO;
  const change = Math.round(Math.abs(1 - errorRatio) * 100);
  return {
    isOpen,
    errorRatio,
    origins: ORIGINS,
    reason:
      `${isOpen ? "on" : "off"}: ${String(USERS_AHEAD_MINUTES)} minutes ahead by endpoint, what users do now is ` +
      `${String(change)} % ${errorRatio < 1 ? "better" : "worse"} than the mean of the last ${String(plain)} min, at ${String(ORIGINS)} tested times`,
  };
}

function recentLoads(
  visits: readonly Visit[],
  endpoints: readonly string[],
  atMs: number,
  minutes: number,
): MinuteLoads {
  const counted = countLoads(visits, endpoints, atMs - minutes * MINUTE_MS, minutes);
  return new Map(
    Array.from(counted, ([endpoint, values]) => [
      endpoint,
      new Float64Array(USERS_AHEAD_MINUTES).fill(values.reduce((sum, value) => sum + value, 0) / minutes),
    ]),
  );
}

function distance(predicted: MinuteLoads, actual: MinuteLoads): number {
  let sum = 0;
  for (const [endpoint, values] of actual) {
    values.forEach((value, m) => {
      sum += Math.abs(value - (predicted.get(endpoint)?.[m] ?? 0));
    });
  }
  return sum;
}
