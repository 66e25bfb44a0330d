/**
 * Lanes of a wave at run time: a host is cordoned when every limit that its lane counts against has room, and holds its
 * places until it works again; its soak, and the end of a machine that it replaced, are part of the lane but hold none. Before that the new copies of its moves are
 * started, a few lanes ahead of those that have places.
 *
 * Not for: which limits there are; the plan says (`Wave.lanes`).
 *
 * Invariants
 * 1. Whoever executes a wave again counts the lanes that are under way already.
 * 2. A lane that has begun goes on whatever begins after it: lanes ahead wait for places only, which are given back.
 */
import { isMovesOnly } from "../../sdk/model";
import type { PlanStep, StepRecord, Wave } from "../../sdk/model";

/** Host whose lane a step belongs to; undefined where a step stands for itself. */
type LaneOf = (step: PlanStep) => string | undefined;

/** Finds the lanes of a wave's steps. */
function laneOfSteps(wave: Wave): LaneOf {
  if (!wave.lanes) return () => undefined;
  const { uses } = wave.lanes;
  const hostOf = hostOfSteps(wave);
  return (step) => {
    const host = hostOf(step);
    return host !== undefined && uses[host] !== undefined ? host : undefined;
  };
}

/** Finds the host that a step is about: the one that a move leaves, or that soaks alone. */
function hostOfSteps(wave: Wave): LaneOf {
  const origins = new Map(wave.moves.map((move) => [move.id, move.from]));
  return (step) => ("move" in step ? origins.get(step.move) : "host" in step ? step.host : soaking(step));
}

function soaking(step: PlanStep): string | undefined {
  return step.kind === "soak" && step.hosts.length === 1 ? step.hosts[0] : undefined;
}

/** True for what comes when the host works again. */
function holdsNoPlace({ kind }: PlanStep): boolean {
  return kind === "soak" || kind === "discard-replaced";
}

/** Lanes by limit. */
type Counts = Map<string, number>;

/** Counts lanes under way against the limits. A host that soaks works again: its lane holds no place any more. */
export class LaneGate {
  /** Lane of a step; undefined where it stands for itself. */
  readonly laneOf: LaneOf;
  private readonly left = new Map<string, number>();
  /** Lanes of which any step has begun, and those among them that have their places. */
  private readonly begun = new Set<string>();
  private readonly placed = new Set<string>();
  private readonly beginnings: Counts = new Map();
  private readonly taken: Counts = new Map();
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
      if (lane === undefined || holdsNoPlace(step) || statusOf(step.id) === "done") continue;
      this.left.set(lane, (this.left.get(lane) ?? 0) + 1);
    }
    for (const step of wave.steps) {
      const lane = this.laneOf(step);
      if (lane === undefined || statusOf(step.id) === undefined || !this.left.has(lane)) continue;
      this.begin(lane);
      if (!this.isAhead(step)) this.place(lane);
    }
  }

  /** True when a step may begin; its lane is ahead or under way then. */
  admit(step: PlanStep): boolean {
    const lane = this.laneOf(step);
    if (lane === undefined || holdsNoPlace(step) || this.placed.has(lane)) return true;
    if (this.isAhead(step) && this.begun.has(lane)) return true;
    if (this.isClosed && !this.begun.has(lane)) return false;
    const { limits = {}, ahead = {} } = this.wave.lanes ?? {};
    const hasRoom = (counts: Counts, extra: Readonly<Record<string, number>>): boolean =>
      this.usesOf(lane).every(
        (name) => (counts.get(name) ?? 0) < (limits[name] ?? Number.POSITIVE_INFINITY) + (extra[name] ?? 0),
      );
    if (!this.begun.has(lane) && !hasRoom(this.beginnings, ahead)) return false;
    if (!this.isAhead(step)) {
      if (!hasRoom(this.taken, {})) return false;
      this.place(lane);
    }
    this.begin(lane);
    return true;
  }

  /** No further lane begins; those under way go on to their end. Without effect while none has begun, and in a failback. */
  close(): void {
    this.isClosed = this.hasBegun && !isMovesOnly(this.wave);
  }

  /** Whether some steps wait for nothing but a lane that may not begin any more. */
  holdsBack(steps: Iterable<PlanStep>): boolean {
    return this.isClosed && [...steps].every((step) => this.laneOf(step) !== undefined);
  }

  /** A step is done; with the last one of its lane the places are free: then it is true. */
  leave(step: PlanStep): boolean {
    const lane = this.laneOf(step);
    if (lane === undefined || holdsNoPlace(step)) return false;
    const left = (this.left.get(lane) ?? 0) - 1;
    this.left.set(lane, left);
    if (left > 0) return false;
    if (this.begun.delete(lane)) this.count(this.beginnings, lane, -1);
    if (this.placed.delete(lane)) this.count(this.taken, lane, -1);
    return true;
  }

  /** True for the start of a new copy, which puts no host out of service, where lanes go ahead. */
  isAhead({ kind }: PlanStep): boolean {
    return this.wave.lanes?.ahead !== undefined && (kind === "start-copy" || kind === "admit");
  }

  private begin(lane: string): void {
    if (this.begun.has(lane)) return;
    this.hasBegun = true;
    this.begun.add(lane);
    this.count(this.beginnings, lane, 1);
  }

  private place(lane: string): void {
    if (this.placed.has(lane)) return;
    this.placed.add(lane);
    this.count(this.taken, lane, 1);
  }

  private count(counts: Counts, lane: string, by: number): void {
    for (const name of this.usesOf(lane)) counts.set(name, (counts.get(name) ?? 0) + by);
  }

  private usesOf(lane: string): readonly string[] {
    return this.wave.lanes?.uses[lane] ?? [];
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

/** What stays as it is when a wave is taken back. */
export interface WholeHosts {
  readonly hosts: ReadonlySet<string>;
  /** True for a step that is not undone. */
  keeps(step: PlanStep): boolean;
}

/**
 * Hosts whose lanes are through, soak included: what follows in the wave does not put them in doubt; and hosts whose
 * replaced machines are being ended: all else of them is done by then, and that is gone on with.
 */
export function wholeHosts(wave: Wave, statusOf: (id: string) => StepRecord["status"] | undefined): WholeHosts {
  const hostOf = hostOfSteps(wave);
  const through = new Set(Object.keys(wave.lanes?.uses ?? {}));
  const pastReturn = new Set<string>();
  for (const step of wave.steps) {
    const host = hostOf(step);
    const status = statusOf(step.id);
    if (host === undefined) continue;
    if (step.kind === "discard-replaced" && status !== undefined) pastReturn.add(host);
    if (status !== "done") through.delete(host);
  }
  return {
    hosts: new Set([...through, ...pastReturn]),
    keeps: (step) => {
      const host = hostOf(step);
      if (host === undefined) return false;
      return (
        through.has(host) ||
        (pastReturn.has(host) && !(step.kind === "discard-replaced" && statusOf(step.id) !== "done"))
      );
    },
  };
}
