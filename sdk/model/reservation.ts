/**
 * The reserve of a plan over time: which standby hosts are held from when to when, read from the waves that reserve and
 * release them.
 *
 * Not for: how many are needed (providers/plan/reserve-track.ts) and what they cost (providers/plan/cost.ts).
 *
 * Invariant: spans of one host do not overlap, and lie within the time of the waves.
 */
import type { MigrationPlan } from "./plan";

/** A standby host that is held, and paid, for a time. */
export interface ReservedSpan {
  readonly host: string;
  /** Milliseconds since the epoch, at the median: the start of the wave that reserves it. */
  readonly fromMs: number;
  /** The end of the wave that releases it, or of the last one. */
  readonly toMs: number;
}

/** How many hosts are held from a moment on. */
export interface ReserveLevel {
  readonly fromMs: number;
  readonly hosts: number;
}

/** Spans of all reserved hosts, by their beginning. A host that no wave reserves was held before. */
export function reservedSpans({ waves, reserve }: Pick<MigrationPlan, "waves" | "reserve">): readonly ReservedSpan[] {
  const [first, last] = [waves[0], waves.at(-1)];
  if (!first || !last) return [];
  const spans: ReservedSpan[] = [];
  const reservedLater = new Set(waves.flatMap(({ steps }) => steps.flatMap(hostsReservedBy)));
  const held = new Map(
    reserve.hosts.flatMap((host) => (reservedLater.has(host) ? [] : [[host, first.startMs] as const])),
  );
  for (const { steps, startMs, endMs } of waves) {
    for (const step of steps) {
      for (const host of hostsReservedBy(step)) held.set(host, startMs);
      if (step.kind !== "release") continue;
      for (const host of step.hosts) {
        const fromMs = held.get(host);
        if (fromMs !== undefined) spans.push({ host, fromMs, toMs: endMs });
        held.delete(host);
      }
    }
  }
  for (const [host, fromMs] of held) spans.push({ host, fromMs, toMs: last.endMs });
  return spans.sort((a, b) => a.fromMs - b.fromMs || (a.host < b.host ? -1 : 1));
}

function hostsReservedBy(step: MigrationPlan["waves"][number]["steps"][number]): readonly string[] {
  return step.kind === "reserve" ? step.hosts : [];
}

/** The reserve as a step function: its levels, each until the next one; the last one is 0. Empty without a reserve. */
export function reserveLevels(spans: readonly ReservedSpan[]): readonly ReserveLevel[] {
  const changes = new Map<number, number>();
  const add = (atMs: number, by: number): void => {
    changes.set(atMs, (changes.get(atMs) ?? 0) + by);
  };
  for (const { fromMs, toMs } of spans) {
    add(fromMs, 1);
    add(toMs, -1);
  }
  let hosts = 0;
  return [...changes]
    .sort(([a], [b]) => a - b)
    .flatMap(([fromMs, by]) => {
      hosts += by;
      return by === 0 ? [] : [{ fromMs, hosts }];
    });
}

/** Hours for which hosts are held, added up. */
export function reservedHours(spans: readonly ReservedSpan[]): number {
  return spans.reduce((sum, { fromMs, toMs }) => sum + (toMs - fromMs), 0) / 3_600_000;
}
