/**
 * Lanes of a wave at run time: a host's steps begin when every limit that its lane counts against has room, and hold
 * their places until it works again; its soak is part of the lane but holds none.
 *
 * Not for: which limits there are; the plan says (`Wave.lanes`).
 *
 * Invariant: whoever executes a wave again counts the lanes that are under way already.
 */
import type { PlanStep, StepRecord, Wave } from "../../sdk/model";

/** Host whose lane a step belongs to; undefined where a step stands for itself. */
export type LaneOf = (step: PlanStep) => string | undefined;

/** Finds the lanes of a wave's steps. */
export function laneOfSteps(wave: Wave): LaneOf {
  if (!wave.lanes) return () => undefined;
  const { uses } = wave.lanes;
  const origins = new Map(wave.moves.map((move) => [move.id, move.from]));
  return (step) => {
    const host = "move" in step ? origins.get(step.move) : "host" in step ? step.host : soaking(step);
    return host !== undefined && uses[host] !== undefined ? host : undefined;
  };
}

function soaking(step: PlanStep): string | undefined {
  return step.kind === "soak" && step.hosts.length === 1 ? step.hosts[0] : undefined;
}

/** Counts lanes under way against the limits. A host that soaks works again: its lane holds no place any more. */
export class LaneGate {
  private readonly laneOf: LaneOf;
  private readonly left = new Map<string, number>();
  private readonly open = new Set<string>();
  private readonly taken = new Map<string, number>();
  private hasBegun = false;
  private isClosed = false;

  constructor(
    private readonly wave: Wave,
    statusOf: (id: string) => StepRecord["status"] | undefined,
  ) {
    this.laneOf = laneOfSteps(wave);
    if (!wave.lanes) return;
    for (const step of wave.steps) {
      const lane = this.laneOf(step);
      if (lane === undefined || step.kind === "soak" || statusOf(step.id) === "done") continue;
      this.left.set(lane, (this.left.get(lane) ?? 0) + 1);
    }
    for (const step of wave.steps) {
      const lane = this.laneOf(step);
      if (lane !== undefined && statusOf(step.id) !== undefined && this.left.has(lane)) this.enter(lane);
    }
  }

  /** True when a step may begin; its lane is under way then. */
  admit(step: PlanStep): boolean {
    const lane = this.laneOf(step);
    if (lane === undefined || step.kind === "soak" || this.open.has(lane)) return true;
    if (this.isClosed) return false;
    const limits = this.wave.lanes?.limits ?? {};
    const uses = this.wave.lanes?.uses[lane] ?? [];
    if (uses.some((name) => (this.taken.get(name) ?? 0) >= (limits[name] ?? Number.POSITIVE_INFINITY))) return false;
    this.enter(lane);
    return true;
  }

  /** No further lane begins; those under way go on to their end. Without effect while none has begun. */
  close(): void {
    this.isClosed = this.hasBegun;
  }

  /** Whether some steps wait for nothing but a lane that may not begin any more. */
  holdsBack(steps: Iterable<PlanStep>): boolean {
    return this.isClosed && [...steps].every((step) => this.laneOf(step) !== undefined);
  }

  /** A step is done; with the last one of its lane the places are free. */
  leave(step: PlanStep): void {
    const lane = this.laneOf(step);
    if (lane === undefined || step.kind === "soak") return;
    const left = (this.left.get(lane) ?? 0) - 1;
    this.left.set(lane, left);
    if (left > 0 || !this.open.delete(lane)) return;
    for (const name of this.wave.lanes?.uses[lane] ?? []) this.taken.set(name, (this.taken.get(name) ?? 0) - 1);
  }

  private enter(lane: string): void {
    if (this.open.has(lane)) return;
    this.hasBegun = true;
    this.open.add(lane);
    for (const name of this.wave.lanes?.uses[lane] ?? []) this.taken.set(name, (this.taken.get(name) ?? 0) + 1);
  }
}

/** Hosts of a wave of lanes whose lanes have not begun. */
export function lanesNotBegun(
  wave: Wave,
  statusOf: (id: string) => StepRecord["status"] | undefined,
): readonly string[] {
  const laneOf = laneOfSteps(wave);
  const left = new Set(Object.keys(wave.lanes?.uses ?? {}));
  for (const step of wave.steps) {
    const lane = laneOf(step);
    if (lane !== undefined && statusOf(step.id) !== undefined) left.delete(lane);
  }
  return [...left];
}

/** Hosts whose lanes are through, soak included: what follows in the wave does not put them in doubt. */
export function wholeLanes(
  wave: Wave,
  statusOf: (id: string) => StepRecord["status"] | undefined,
): ReadonlySet<string> {
  const laneOf = laneOfSteps(wave);
  const whole = new Set(Object.keys(wave.lanes?.uses ?? {}));
  for (const step of wave.steps) {
    const lane = laneOf(step);
    if (lane !== undefined && statusOf(step.id) !== "done") whole.delete(lane);
  }
  return whole;
}
