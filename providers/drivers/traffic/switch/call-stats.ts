/**
 * Who calls which function of a service how often, how long it takes and what fails: counts by the minute, kept for six
 * hours.
 *
 * Not for: what clients saw second by second (traffic-stats.ts). Kept in memory: a restarted switch begins anew.
 *
 * Invariants
 * 1. Every request is counted once. Of the paths and callers of a service at most FUNCTIONS_KEPT pairs have a line of
 *    their own within a minute; the rest is counted together as OTHER_PATH.
 * 2. No query string, no id and no text of a client is kept: a path is its template, a caller the name of a workload.
 */
import type { FunctionCalls } from "../../../../sdk/model";

/** A workload that calls another names itself with this header; agents tell it its name as `ARCHIPELAGO_WORKLOAD`. */
export const CALLER_HEADER = "x-archipelago-caller";

/** Path of what has no line of its own. */
export const OTHER_PATH = "(other)";

/** One request that ended, as far as it is counted here. */
export interface CountedCall {
  readonly method: string;
  /** As the client sent it, with query string. */
  readonly target: string;
  /** Content of the caller's header. */
  readonly caller: string | undefined;
  readonly latencyMs: number;
  readonly isFailed: boolean;
  /** Of both bodies. */
  readonly bytes: number;
}

const MINUTE_MS = 60_000;
const KEPT_MINUTES = 6 * 60;
const FUNCTIONS_KEPT = 200;
const SEGMENTS_KEPT = 3;
const LONGEST_SEGMENT = 40;
const METHODS: ReadonlySet<string> = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]);
const WORKLOAD_NAME = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;
/** Numbers, UUIDs, hashes, and anything with many digits: what differs from one request to the next. */
const IDENTIFIER = /^(\d+|[0-9a-f]{8}-[0-9a-f-]{27}|(?=.*\d)[0-9a-f]{8,}|(?=(?:\D*\d){4})[\w.~@:+-]+)$/i;

/** Counts of one service. */
export class CallStats {
  private readonly minutes = new Map<number, Map<string, Count>>();

  /** Counts one request. @param atMs wall time of its end */
  record(atMs: number, call: CountedCall): void {
    const minute = Math.floor(atMs / MINUTE_MS);
    let counts = this.minutes.get(minute);
    if (counts === undefined) {
      counts = new Map();
      this.minutes.set(minute, counts);
      for (const old of this.minutes.keys()) if (old <= minute - KEPT_MINUTES) this.minutes.delete(old);
    }
    const method = METHODS.has(call.method) ? call.method : "OTHER";
    const caller = call.caller !== undefined && WORKLOAD_NAME.test(call.caller) ? call.caller : "";
    const count = countOf(counts, method, templateOf(call.target), caller);
    count.requests += 1;
    if (call.isFailed) count.failed += 1;
    count.latencySumMs += call.latencyMs;
    count.maxMs = Math.max(count.maxMs, call.latencyMs);
    count.bytes += call.bytes;
  }

  /** Counts of the minutes from `sinceMs` on, oldest first. */
  since(sinceMs: number): readonly FunctionCalls[] {
    const first = Math.floor(sinceMs / MINUTE_MS);
    return [...this.minutes]
      .filter(([minute]) => minute >= first)
      .sort(([a], [b]) => a - b)
      .flatMap(([minute, counts]) => Array.from(counts.values(), (count) => ({ atMs: minute * MINUTE_MS, ...count })));
  }
}

interface Count {
  readonly method: string;
  readonly path: string;
  readonly caller: string;
  requests: number;
  failed: number;
  latencySumMs: number;
  maxMs: number;
  bytes: number;
}

function countOf(counts: Map<string, Count>, method: string, path: string, caller: string): Count {
  const key = `${method} ${path} ${caller}`;
  const known = counts.get(key);
  if (known) return known;
  if (counts.size >= FUNCTIONS_KEPT && path !== OTHER_PATH) return countOf(counts, method, OTHER_PATH, "");
  const fresh: Count = { method, path, caller, requests: 0, failed: 0, latencySumMs: 0, maxMs: 0, bytes: 0 };
  counts.set(key, fresh);
  return fresh;
}

/** The path without query, its first segments alone, with `:id` for what differs from one request to the next. */
export function templateOf(target: string): string {
  const [path = ""] = target.split(/[?#]/, 1);
  if (!path.startsWith("/")) return OTHER_PATH;
  const segments = path.split("/").filter((segment) => segment !== "");
  const kept = segments.slice(0, SEGMENTS_KEPT).map((segment) => {
    if (segment.length > LONGEST_SEGMENT || IDENTIFIER.test(segment)) return ":id";
    return segment;
  });
  return `/${kept.join("/")}${segments.length > SEGMENTS_KEPT ? "/..." : ""}`;
}
