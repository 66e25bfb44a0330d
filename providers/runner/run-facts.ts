/**
 * What can be read from a run's journal about how far it is: the open wave, what it holds, what it has updated.
 * Pure.
 *
 * Not for: what the platform looks like; that is observed.
 */
import { isChange } from "../../sdk/model";
import type { Fleet, Move, RunState, StepKind, StepRecord, Wave } from "../../sdk/model";

/** The last wave when it has not ended yet. */
export function openWave(state: RunState): Wave | undefined {
  const wave = state.waves.at(-1);
  return wave && !state.wavesDone.includes(wave.index) ? wave : undefined;
}

/** True when a step of the wave has failed. */
export function hasFailedStep(state: RunState, wave: Wave): boolean {
  const ids = new Set(wave.steps.map((step) => step.id));
  return state.steps.some(
    ({ step, status }) =>
      ids.has(step.id) &&
      (status === "failed" || status === "undone" || status === "undo-failed" || status === "undoing"),
  );
}

/** Standby hosts that the run holds, sorted. */
export function reservedHosts(state: RunState): readonly string[] {
  const held = new Set<string>();
  for (const { step, status } of state.steps) {
    if (step.kind === "reserve" && holds(status)) for (const host of step.hosts) held.add(host);
    if (step.kind === "release" && status === "done") for (const host of step.hosts) held.delete(host);
  }
  return [...held].sort();
}

/** Hosts that the run has updated and validated, sorted. */
export function updatedHosts(state: RunState): readonly string[] {
  const done = state.steps.flatMap(({ step, status }) => (status === "done" ? [step] : []));
  const validated = new Set(done.flatMap((step) => (step.kind === "validate" ? [step.host] : [])));
  return [...new Set(done.flatMap((step) => (isChange(step) ? [step.host] : [])))]
    .filter((host) => validated.has(host))
    .sort();
}

/**
 * Hosts of each workload's replicas at the run's start: where they are now, followed back through the run's moves.
 * One entry per replica, sorted.
 */
export function originsOf(state: RunState, fleet: Fleet): Readonly<Record<string, readonly string[]>> {
  const moves = [...movesMade(state)].reverse();
  const origins: Record<string, string[]> = Object.fromEntries(fleet.workloads.map((workload) => [workload.name, []]));
  const byCopy = Map.groupBy(moves, ({ newReplica }) => newReplica);
  for (const replica of fleet.replicas) {
    if (replica.state === "stopped") continue;
    let { id, host } = replica;
    // A copy that moves with its memory keeps its id, so each move is followed back once, the last one first.
    const followed = new Set<Move>();
    for (;;) {
      const move = byCopy.get(id)?.find((made) => !followed.has(made));
      if (!move) break;
      followed.add(move);
      host = move.from;
      id = move.replica;
    }
    (origins[replica.workload] ??= []).push(host);
  }
  for (const hosts of Object.values(origins)) hosts.sort();
  return origins;
}

/** Steps after which a copy has left its host. */
const LEAVES: ReadonlySet<StepKind> = new Set(["stop-copy", "hand-over", "live-migrate"]);

/** Moves whose old copy has left and that were not undone. */
function movesMade(state: RunState): readonly Move[] {
  const left = new Set(
    state.steps.flatMap(({ step, status }) =>
      status === "done" && LEAVES.has(step.kind) && "move" in step ? [step.move] : [],
    ),
  );
  return state.waves.flatMap((wave) => wave.moves.filter((move) => left.has(move.id)));
}

/** A reserve step whose hosts may be running for this run. */
function holds(status: StepRecord["status"]): boolean {
  return status !== "undone";
}
