/**
 * Undoes an open wave: its steps in the reverse order of their intents, each by its stored way back, so that every
 * host ends either as before or named as what could not be undone.
 *
 * Not for: the failback after a good run, which is a wave of the plan.
 *
 * Invariants
 * 1. A host takes work again before its former copies come back, and only if its own undo has succeeded or it is
 *    found fit; else it stays cordoned and its copies stay where they serve.
 * 2. Undoing passes the same budget gate as doing.
 * 3. Undone steps are not undone again; a crash in the middle is resumed by undoing the rest.
 * 4. A host whose replaced machine is being ended is past its return: that is brought to its end, and it stays as updated.
 * 5. A host that does not answer is waited for once, to the deadline of the step that needs it, not at every step.
 */
import { isChange, isKind, isMovesOnly, messageOf } from "../../sdk/model";
import type { DriverError, Move, StepKind, StepRecord, Wave } from "../../sdk/model";
import type { Execution } from "./execution";
import { createStepContext } from "./execution";
import { endsProcess, subjectOf } from "./executor";
import { wholeHosts } from "./lanes";
import { SilentHosts } from "./silent-hosts";
import type { StepContext } from "./step";
import { stepOf } from "./steps";
import { probeOutput } from "./steps/lookup";
import { versionBefore } from "./steps/update";
import { lookAt } from "./steps/validate";

/** What became of an undo. */
export interface UndoOutcome {
  readonly undone: readonly string[];
  readonly notUndone: readonly string[];
  /** Set when it was stopped at a step border; undoing again goes on. */
  readonly stopped?: string;
}

/** How long a host that could not be brought back stays cordoned. */
const KEPT_MS = 30 * 86_400_000;

/** Kinds that change or judge a host itself, not what runs on it. */
const HOST_KINDS: ReadonlySet<StepKind> = new Set([
  "snapshot",
  "update",
  "reboot",
  "replace",
  "validate",
  "uncordon",
  "soak",
]);

/**
 * Undoes what was done of a wave. Of a failback only what is halfway is undone: a copy that is home stays home. Where
 * hosts follow each other, those that are through, soak included, stay updated, as those of the waves before.
 * @throws LeaseLostError; StoreError when the journal cannot be written
 */
export async function undoWave(execution: Execution, wave: Wave): Promise<UndoOutcome> {
  const { journal, stop, progress } = execution;
  const whole = isMovesOnly(wave) ? wholeMoves(execution, wave) : new Set<string>();
  const through = wholeHosts(wave, (id) => journal.step(id)?.status);
  const records = wave.steps
    .filter((step) => !("move" in step && whole.has(step.move)) && !through.keeps(step))
    .flatMap((step) => journal.step(step.id) ?? []);
  const kept = new Set<string>();
  /** Moves whose old copy could not be brought back: the new one stays. */
  const stranded = new Set<string>();
  const notUndone: string[] = [];
  const silent = new SilentHosts(execution, wave);
  await silent.noteOverdue(records);
  for (const planned of orderUndo(records)) {
    const record = journal.step(planned.step.id) ?? planned;
    if (record.status === "undone" || record.alreadyDone === true || record.prior === null) continue;
    // The reserve is needed while copies stay on it; giving back what is held comes after all undoing.
    if (kept.size + through.hosts.size + stranded.size > 0 && record.step.kind === "reserve") continue;
    if (stranded.has("move" in record.step ? record.step.move : "")) continue;
    const keeper = keptBy(record, wave, kept);
    if (keeper !== undefined) {
      if (record.step.kind === "cordon") notUndone.push(describeKept(keeper, wave));
      continue;
    }
    const reason = await stop.reason();
    if (reason !== undefined) return { ...collect(execution, wave, notUndone), stopped: reason };
    if (record.status !== "undo-failed") {
      progress.status(`undoing ${record.step.kind} ${subjectOf(record.step)}`);
      await undoStep(execution, wave, record, silent);
    }
    const after = journal.step(record.step.id);
    if (after?.status !== "undo-failed" || record.step.kind === "reserve") continue;
    const isStranded = record.step.kind === "stop-copy" || record.step.kind === "drain";
    const instead = isStranded && !stranded.has(record.step.move) ? describeStranded(record.step.move, wave) : "";
    notUndone.push(`${record.step.kind}: ${after.reason ?? "unknown"}${instead}`);
    if (isStranded) stranded.add(record.step.move);
    if (!isChange(record.step) || (await isFit(execution, wave, record))) continue;
    kept.add(record.step.host);
    await keepCordoned(execution, wave, record, record.step.host);
  }
  return collect(execution, wave, notUndone);
}

/** Moves of which every step is done. */
function wholeMoves({ journal }: Execution, wave: Wave): ReadonlySet<string> {
  const isWhole = (move: string): boolean =>
    wave.steps.every((step) => !("move" in step && step.move === move) || journal.step(step.id)?.status === "done");
  return new Set(wave.moves.map((move) => move.id).filter(isWhole));
}

/** Newest first; a host's cordon right after the host itself is as before, so that its copies can come back. */
export function orderUndo(records: readonly StepRecord[]): readonly StepRecord[] {
  const order = records.filter((record) => record.step.kind !== "cordon").reverse();
  const cordons = records.filter((record) => record.step.kind === "cordon").reverse();
  for (const cordon of cordons) {
    const host = subjectOf(cordon.step);
    const last = order.findLastIndex(
      ({ step }) =>
        HOST_KINDS.has(step.kind) && ("hosts" in step ? step.hosts.includes(host) : subjectOf(step) === host),
    );
    order.splice(last + 1, 0, cordon);
  }
  return order;
}

async function undoStep(execution: Execution, wave: Wave, record: StepRecord, silent: SilentHosts): Promise<void> {
  const { journal } = execution;
  const { step, prior, operation } = record;
  const key = `${record.key}/undo`;
  const isResumed = record.status === "undoing";
  const kind = stepOf(step);
  if (!isResumed) await journal.write({ kind: "undo-intent", id: step.id, key });
  const isTriedOnce = await silent.isInVain(step);
  const stand = { key, prior, operation, isResumed, isUndo: true, isTriedOnce };
  const context = createStepContext(execution, wave, step, kind, stand);
  try {
    const note = await kind.undo(context, prior);
    await journal.write({ kind: "undo-done", id: step.id, note: note ?? "" });
    if (note !== undefined) execution.progress.line(`undone: ${note}`);
  } catch (error) {
    if (endsProcess(error)) throw error;
    await silent.noteFailure(step, error);
    await journal.write({ kind: "undo-failed", id: step.id, reason: reasonOf(error) });
    execution.progress.line(`NOT undone: ${step.kind} of ${subjectOf(step)}: ${messageOf(error)}`);
  }
}

/** True when a host whose update could not be undone may bear traffic: it is as before, or valid as updated. */
async function isFit(execution: Execution, wave: Wave, record: StepRecord): Promise<boolean> {
  const { step, prior, key } = record;
  // Where an undo exists and has failed, nobody knows what state the host is in.
  if (execution.spec.update.undo !== undefined || step.kind === "replace") return false;
  const kind = stepOf(step);
  const context: StepContext = createStepContext(execution, wave, step, kind, { key, prior, isResumed: true });
  const host = subjectOf(step);
  try {
    const before = versionBefore(prior);
    const now = await probeOutput(context, host);
    if (now.output === before) return true;
    return (await lookAt(context, host)).state === "done";
  } catch (error) {
    if (endsProcess(error)) throw error;
    return false;
  }
}

/** The mark of a host that is left broken must not lapse before somebody has looked at it. */
async function keepCordoned(execution: Execution, wave: Wave, record: StepRecord, host: string): Promise<void> {
  const { platform, run, clock } = execution;
  const stand = { key: `${record.key}/keep`, prior: record.prior, isResumed: false };
  const context = createStepContext(execution, wave, record.step, stepOf(record.step), stand);
  const mark = { owner: run, expiresAt: clock.now() + KEPT_MS };
  try {
    const bounds = { giveUpAt: clock.now() };
    await context.effect("cordon", { host }, (call) => platform.hosts.cordon(host, mark, call), bounds);
  } catch (error) {
    if (endsProcess(error)) throw error;
    // A host that does not even answer takes no work either.
  }
}

/** The kept host because of which a step is not undone: its own cordon, and the moves away from it. */
function keptBy({ step }: StepRecord, wave: Wave, kept: ReadonlySet<string>): string | undefined {
  if (step.kind === "cordon") return kept.has(step.host) ? step.host : undefined;
  if (!("move" in step)) return undefined;
  const move: Move | undefined = wave.moves.find((candidate) => candidate.id === step.move);
  return move && kept.has(move.from) ? move.from : undefined;
}

function describeStranded(id: string, { moves }: Wave): string {
  const move = moves.find((candidate) => candidate.id === id);
  if (move?.standIn) return `; ${move.standIn.endpoint} of function ${move.standIn.function} stays in its place`;
  return move?.to === undefined ? "" : `; ${move.newReplica} stays on ${move.to} in its place`;
}

function describeKept(host: string, wave: Wave): string {
  const places = wave.moves.flatMap(({ from, to, newReplica, replica, standIn }) => {
    if (from !== host) return [];
    if (standIn) return [`${standIn.endpoint} of function ${standIn.function} for ${replica}`];
    return to === undefined ? [] : [`${newReplica} on ${to}`];
  });
  const copies = places.length === 0 ? "" : `; its copies stay where they serve: ${places.join(", ")}`;
  const stopped = wave.moves.filter(({ from, method }) => from === host && method === "shed");
  const away = stopped.map(({ replica, workload }) => `${replica} of ${workload}`);
  const missing = away.length === 0 ? "" : `; until it is brought back these do not run: ${away.join(", ")}`;
  return `${host} stays cordoned, for it is neither as before nor valid${copies}${missing}`;
}

/** Notes of all steps undone so far, also by an earlier owner, in the order in which they were undone. */
function collect(execution: Execution, wave: Wave, notUndone: readonly string[]): UndoOutcome {
  const records = wave.steps.flatMap((step) => execution.journal.step(step.id) ?? []);
  const undone = records
    .filter((record) => record.status === "undone" && record.note !== undefined && record.note !== "")
    .sort((a, b) => (a.endAt ?? 0) - (b.endAt ?? 0))
    .map((record) => record.note ?? "");
  return { undone, notUndone };
}

/** The message, which names the subject where a driver wrote it, and what was printed. */
function reasonOf(error: unknown): string {
  const output = isKind(error, "DriverError") ? (error as DriverError).output : undefined;
  return output?.trim() ? `${messageOf(error)}\n${output.trimEnd()}` : messageOf(error);
}
