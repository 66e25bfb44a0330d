/**
 * How long steps take, and from that when waves begin and end.
 *
 * Not for: measuring; learned durations come with the input.
 */
import type {
  DurationQuantiles,
  HostUpdateSpec,
  PlanStep,
  StepKind,
  UpdateSpec,
  UpdateWay,
  Wave,
} from "../../sdk/model";
import { replacementTimes, waysOf } from "../../sdk/model";

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
    update: changeTime(spec.update),
    replace: changeTime(replacementTimes(spec.update)),
    ...learned,
    soak: { p50Ms: spec.limits.soakMs, p95Ms: spec.limits.soakMs },
  };
}

function changeTime({ expectedMs, timeoutMs }: Pick<UpdateSpec, "expectedMs" | "timeoutMs">): DurationQuantiles {
  const p95Ms = expectedMs ?? timeoutMs * UPDATE_P95_SHARE;
  return { p50Ms: Math.round(p95Ms * UPDATE_P50_SHARE), p95Ms: Math.round(p95Ms) };
}

/** Time that the change of a host takes, before it is looked at. */
export function timeOfWay(
  way: UpdateWay,
  { reboot }: Pick<UpdateSpec, "reboot">,
  of: StepDurations,
): DurationQuantiles {
  if (way === "replacement") return of.replace;
  return reboot ? sumDurations([of.update, of.reboot]) : of.update;
}

/** Upper bound of several times, each quantile by itself. */
export function longestOf(durations: readonly DurationQuantiles[]): DurationQuantiles {
  return {
    p50Ms: Math.max(0, ...durations.map(({ p50Ms }) => p50Ms)),
    p95Ms: Math.max(0, ...durations.map(({ p95Ms }) => p95Ms)),
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
  return longestOf([surge, durations["hand-over"], durations["live-migrate"]]);
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
 * machine put back, and validated. A command without undo is driven forward instead, which its own P95 already holds.
 * @param ways those of the wave's hosts
 */
export function undoDuration({ update }: HostUpdateSpec, durations: StepDurations, ways: readonly UpdateWay[]): number {
  const undone = ways.filter((way) => way === "replacement" || update.undo !== undefined);
  const times = undone.map((way) => timeOfWay(way, update, durations).p95Ms);
  return times.length === 0 ? 0 : Math.max(...times) + durations.validate.p95Ms + durations.uncordon.p95Ms;
}

/** The ways in which a wave updates hosts; those that the update gives where it changes none. */
export function waysInWave({ steps }: Pick<Wave, "steps">, update: UpdateSpec): readonly UpdateWay[] {
  const given = waysOf(update);
  if (given.length === 1) return given;
  const used = given.filter((way) => steps.some(({ kind }) => kind === STEP_OF_WAY[way]));
  return used.length === 0 ? given : used;
}

const STEP_OF_WAY = { "in-place": "update", replacement: "replace" } as const satisfies Record<UpdateWay, StepKind>;
