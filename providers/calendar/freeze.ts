/**
 * Freezes: ranges of local dates in which a window stays shut.
 *
 * Not for: one-off pauses of a run, which are requests to the runner.
 */
import { Temporal } from "temporal-polyfill";
import { startOfDateMs } from "./zone";

/** A half-open stretch of time, ms since the epoch. */
export interface Span {
  readonly startMs: number;
  readonly endMs: number;
}

/** A freeze as dates, or the rule that its text breaks. */
export type ParsedFreeze =
  | { readonly kind: "ok"; readonly first: Temporal.PlainDate; readonly last: Temporal.PlainDate }
  | { readonly kind: "mistake"; readonly rule: string; readonly remedy: string };

const FORM = "two dates, first and last day, like 2026-12-20/2027-01-03";

/** Reads `YYYY-MM-DD/YYYY-MM-DD`; both days belong to the freeze. Never throws. */
export function parseFreeze(text: string): ParsedFreeze {
  const match = /^(\d{4}-\d{2}-\d{2})\/(\d{4}-\d{2}-\d{2})$/.exec(text);
  if (!match) {
    const single = parseDate(text);
    return {
      kind: "mistake",
      rule: `must be ${FORM}`,
      remedy: single ? `for one day write "${text}/${text}"` : "write dates as YYYY-MM-DD with a slash between them",
    };
  }
  const [first, last] = [parseDate(match[1] ?? ""), parseDate(match[2] ?? "")];
  if (!first || !last) {
    const wrong = first ? match[2] : match[1];
    return { kind: "mistake", rule: `must be ${FORM}`, remedy: `${String(wrong)} is no day of the calendar` };
  }
  if (Temporal.PlainDate.compare(first, last) > 0) {
    return {
      kind: "mistake",
      rule: "must not end before it begins",
      remedy: `write "${last.toString()}/${first.toString()}"`,
    };
  }
  return { kind: "ok", first, last };
}

/** Freezes of a zone as stretches of time, sorted and disjoint. Malformed ones are left out; validation names them. */
export function freezeSpans(freezes: readonly string[], timezone: string): readonly Span[] {
  const spans = freezes
    .map(parseFreeze)
    .filter((freeze) => freeze.kind === "ok")
    .map(({ first, last }) => ({
      startMs: startOfDateMs(first, timezone),
      endMs: startOfDateMs(last.add({ days: 1 }), timezone),
    }))
    .sort((a, b) => a.startMs - b.startMs);
  const merged: Span[] = [];
  for (const span of spans) {
    const before = merged.at(-1);
    if (before && span.startMs <= before.endMs) {
      merged[merged.length - 1] = { startMs: before.startMs, endMs: Math.max(before.endMs, span.endMs) };
    } else merged.push(span);
  }
  return merged;
}

/** What is left of a stretch without the given sorted, disjoint ones. */
export function subtractSpans(from: Span, holes: readonly Span[]): readonly Span[] {
  const left: Span[] = [];
  let startMs = from.startMs;
  for (const hole of holes) {
    if (hole.endMs <= startMs) continue;
    if (hole.startMs >= from.endMs) break;
    if (hole.startMs > startMs) left.push({ startMs, endMs: hole.startMs });
    startMs = hole.endMs;
  }
  if (startMs < from.endMs) left.push({ startMs, endMs: from.endMs });
  return left;
}

function parseDate(text: string): Temporal.PlainDate | undefined {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(text)) return undefined;
  try {
    return Temporal.PlainDate.from(text, { overflow: "reject" });
  } catch {
    return undefined;
  }
}
