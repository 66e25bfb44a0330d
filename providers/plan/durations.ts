/**
 * How long steps take, and from that when waves begin and end.
 *
 * Not for: measuring; learned durations come with the input.
 */
import type { DurationQuantiles, HostUpdateSpec, PlanStep, StepKind } from "../../sdk/model";

import type { PlanInput } from "./plan-input";

/** Expected time of one step of each kind. */
export type StepDurations = Readonly<Record<StepKind, DurationQuantiles>>;

/**
 * Times of kinds that neither the spec nor an earlier run tells. They are guesses on the long side: a plan that
 * ends early costs less than one that does not fit.
 */
const DEFAULTS = {
  reserve: { p50Ms: 20_000, p95Ms: 60_000 },
  release: { p50Ms: 5_000, p95Ms: 20_000 },
  cordon: { p50Ms: 200, p95Ms: 1_000 },
  uncordon: { p50Ms: 200, p95Ms: 1_000 },
  "start-copy": { p50Ms: 4_000, p95Ms: 20_000 },
  admit: { p50Ms: 1_000, p95Ms: 5_000 },
  "live-migrate": { p50Ms: 10_000, p95Ms: 60_000 },
  "await-end": { p50Ms: 0, p95Ms: 0 },
  "set-shares": { p50Ms: 200, p95Ms: 1_000 },
  "stop-copy": { p50Ms: 1_000, p95Ms: 10_000 },
  "refuse-paths": { p50Ms: 200, p95Ms: 1_000 },
  "serve-paths": { p50Ms: 200, p95Ms: 1_000 },
  "deploy-function": { p50Ms: 2_000, p95Ms: 20_000 },
  "remove-function": { p50Ms: 1_000, p95Ms: 10_000 },
  snapshot: { p50Ms: 1_000, p95Ms: 5_000 },
  reboot: { p50Ms: 30_000, p95Ms: 120_000 },
  "discard-replaced": { p50Ms: 1_000, p95Ms: 10_000 },
  validate: { p50Ms: 2_000, p95Ms: 15_000 },
} as const;

/** A hand-over beside its pause: the new copy is started before, the old one is stopped after. */
const HAND_OVER_AROUND: DurationQuantiles = { p50Ms: 5_000, p95Ms: 25_000 };
/** Most requests are short: half of the drains are over by then. */
const DRAIN_P50_MS = 2_000;
/** Commands mostly end well before their P95. */
const UPDATE_P50_SHARE = 0.6;
/** Deadlines are set generously; without a declared time, the P95 is taken as this share of the deadline. */
const UPDATE_P95_SHARE = 0.25;

/** Durations for a spec: learned ones first, then what the spec says, then defaults. */
export function resolveDurations(spec: HostUpdateSpec, learned: PlanInput["durations"]): StepDurations {
  const changeP95Ms = spec.update.expectedMs ?? spec.update.timeoutMs * UPDATE_P95_SHARE;
  const change = { p50Ms: Math.round(changeP95Ms * UPDATE_P50_SHARE), p95Ms: Math.round(changeP95Ms) };
  const longestPauseMs = Math.max(
    0,
    ...spec.islands.flatMap((island) =>
      island.workloads.filter((workload) => workload.exclusive).map((workload) => workload.maxPauseMs),
    ),
  );
  return {
    ...DEFAULTS,
    drain: { p50Ms: Math.min(DRAIN_P50_MS, spec.limits.drainMs), p95Ms: spec.limits.drainMs },
    "hand-over": {
      p50Ms: HAND_OVER_AROUND.p50Ms + Math.round(longestPauseMs / 2),
      p95Ms: HAND_OVER_AROUND.p95Ms + longestPauseMs,
    },
    update: change,
    replace: change,
    ...learned,
    soak: { p50Ms: spec.limits.soakMs, p95Ms: spec.limits.soakMs },
  };
}

/** Time of steps one after the other, all at the median or all at their P95. */
export function sumDurations(durations: readonly DurationQuantiles[]): DurationQuantiles {
  return {
    p50Ms: durations.reduce((sum, duration) => sum + duration.p50Ms, 0),
    p95Ms: durations.reduce((sum, duration) => sum + duration.p95Ms, 0),
  };
}

/** Upper bound of the time of one move of whatever method. */
export function longestMove({ durations }: { readonly durations: StepDurations }): DurationQuantiles {
  const surge = sumDurations([durations["start-copy"], durations.admit, durations.drain, durations["stop-copy"]]);
  const ways = [surge, durations["hand-over"], durations["live-migrate"]];
  return { p50Ms: Math.max(...ways.map(({ p50Ms }) => p50Ms)), p95Ms: Math.max(...ways.map(({ p95Ms }) => p95Ms)) };
}

/**
 * Time of a wave: its longest chain of steps. The P95 takes every step of the chain at its own P95, which is an upper
 * bound: within a wave slow steps tend to come together (a slow disk is slow for all of them).
 */
export function waveDuration(steps: readonly PlanStep[]): DurationQuantiles {
  const ends = new Map<string, DurationQuantiles>();
  const total = { p50Ms: 0, p95Ms: 0 };
  for (const step of steps) {
    const end = { p50Ms: 0, p95Ms: 0 };
    for (const id of step.after) {
      const before = ends.get(id);
      end.p50Ms = Math.max(end.p50Ms, before?.p50Ms ?? 0);
      end.p95Ms = Math.max(end.p95Ms, before?.p95Ms ?? 0);
    }
    end.p50Ms += step.expected.p50Ms;
    end.p95Ms += step.expected.p95Ms;
    ends.set(step.id, end);
    total.p50Ms = Math.max(total.p50Ms, end.p50Ms);
    total.p95Ms = Math.max(total.p95Ms, end.p95Ms);
  }
  return total;
}

/**
 * Time of waves one after the other. The distances from median to P95 add up as independent errors do, as the root
 * of their squares: that all waves are slow at once is far rarer than one in twenty.
 */
export function totalDuration(waves: readonly DurationQuantiles[]): DurationQuantiles {
  const p50Ms = waves.reduce((sum, wave) => sum + wave.p50Ms, 0);
  const spread = Math.hypot(...waves.map((wave) => wave.p95Ms - wave.p50Ms));
  return { p50Ms, p95Ms: p50Ms + Math.ceil(spread) };
}

/**
 * Longest time from any moment of a wave's host work back to a safe state: the update undone, the host restarted or its
 * machine put back, and validated. An update without undo is driven forward instead, which its own P95 already holds.
 */
export function undoDuration(spec: HostUpdateSpec, durations: StepDurations): number {
  const { update } = spec;
  if (update.undo === undefined && update.image === undefined) return 0;
  return (
    durations[update.image === undefined ? "update" : "replace"].p95Ms +
    (update.reboot ? durations.reboot.p95Ms : 0) +
    durations.validate.p95Ms +
    durations.uncordon.p95Ms
  );
}
