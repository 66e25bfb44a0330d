/**
 * Replay: the pure fold of a journal's entries into the state of its run. Nothing else is trusted about a run.
 *
 * Not for: storage (file-store.ts) and deciding what to do with the state (providers/execute, providers/runner).
 *
 * Invariants
 * 1. The first entry is `created`, and it is the only one.
 * 2. Epochs never fall: an owner that lost the run's lease cannot write behind the next one.
 * 3. Every start, end and undo of a step belongs to an intent stored before it.
 * 4. A repeated intent with the same idempotency key is the same intent: whoever takes a run over may store it again.
 * 5. A final phase is left only to recover; steps start in no final phase.
 * 6. Folding a prefix and then the rest gives the same state as folding the whole.
 */
import {
  isFinalPhase,
  StoreError,
  type JournalEntry,
  type JournalEvent,
  type Phase,
  type RunState,
  type StepRecord,
} from "../../sdk/model";

/** Major version of the entries' format that this package writes and carries on. */
export const ENTRY_VERSION = 1;

/**
 * An event with its stamp, ready to be appended.
 * @param at wall time, ms since the epoch
 * @param epoch epoch of the run's lease
 */
export function createEntry(event: JournalEvent, at: number, epoch: number): JournalEntry {
  return { v: ENTRY_VERSION, at, epoch, ...event };
}

/**
 * Folds all entries of a run.
 * @throws StoreError corrupt, with the position, on a sequence that no run can write; version on an unknown `v`
 */
export function replay(run: string, entries: readonly JournalEntry[]): RunState {
  const fold = new RunFold(run);
  for (const entry of entries) fold.add(entry);
  return fold.state();
}

type Created = Extract<JournalEntry, { kind: "created" }>;
type WavePlanned = Extract<JournalEntry, { kind: "wave-planned" }>;
type StepIntent = Extract<JournalEntry, { kind: "step-intent" }>;
type UndoIntent = Extract<JournalEntry, { kind: "undo-intent" }>;
type StepStatus = StepRecord["status"];

/** Statuses in which an effect of the step may be under way. */
const OPEN: readonly StepStatus[] = ["intended", "started"];
const CAN_BE_UNDONE: readonly StepStatus[] = ["intended", "started", "done", "failed", "undo-failed"];

/** The fold as an object, for whoever appends: adding an entry costs the same however long the journal is. */
export class RunFold {
  private created: Created | undefined;
  private phase: Phase = "armed";
  private phaseReason = "created";
  private epoch = 0;
  private length = 0;
  private startedAt: number | undefined;
  private endedAt: number | undefined;
  private failure: RunState["failure"];
  private cancelled: RunState["cancelled"];
  private readonly waves = new Map<number, WavePlanned["wave"]>();
  private readonly wavesDone = new Set<number>();
  private readonly steps = new Map<string, StepRecord>();
  private readonly undoKeys = new Map<string, string>();
  private readonly decisions: { readonly at: number; readonly text: string }[] = [];

  constructor(readonly run: string) {}

  /**
   * Folds one more entry.
   * @throws StoreError as {@link replay}; the fold must not be used afterwards
   */
  add(entry: JournalEntry): void {
    this.checkStamp(entry);
    switch (entry.kind) {
      case "created":
        this.created = entry;
        break;
      case "phase":
        this.enterPhase(entry.phase, entry.reason, entry.at);
        break;
      case "taken-over":
      case "notice":
        break;
      case "wave-planned":
        this.planWave(entry);
        break;
      case "wave-done":
        if (!this.waves.has(entry.index)) this.refuse(entry, `ends wave ${String(entry.index)}, which was not planned`);
        if (this.wavesDone.has(entry.index)) this.refuse(entry, `ends wave ${String(entry.index)} a second time`);
        this.wavesDone.add(entry.index);
        break;
      case "decision":
        this.decisions.push({ at: entry.at, text: entry.text });
        break;
      case "asked":
        if (entry.wish === "cancel") this.cancelled = { by: entry.by, why: entry.why };
        break;
      case "step-intent":
        this.intendStep(entry);
        break;
      case "step-started":
        this.changeStep(entry, OPEN, { status: "started", operation: entry.operation });
        break;
      case "step-done":
        this.changeStep(entry, OPEN, {
          status: "done",
          result: entry.result,
          alreadyDone: entry.alreadyDone,
          endAt: entry.at,
        });
        break;
      case "step-failed":
        this.changeStep(entry, OPEN, { status: "failed", reason: entry.reason, endAt: entry.at });
        break;
      case "undo-intent":
        this.intendUndo(entry);
        break;
      case "undo-done":
        this.changeStep(entry, ["undoing"], { status: "undone", note: entry.note, endAt: entry.at });
        break;
      case "undo-failed":
        this.changeStep(entry, ["undoing"], { status: "undo-failed", reason: entry.reason, endAt: entry.at });
        break;
      case "failure":
        this.failure = entry.failure;
        break;
      default:
        this.refuse(entry, `is of the unknown kind ${JSON.stringify((entry as { kind?: unknown }).kind)}`);
    }
    this.length += 1;
  }

  /**
   * The state so far.
   * @throws StoreError corrupt when there is no entry yet
   */
  state(): RunState {
    if (!this.created) {
      throw new StoreError("corrupt", `journal of run ${this.run} has no entries`, {
        remedy: "remove the run's folder from the store and start the run again; it has changed nothing yet",
      });
    }
    return {
      id: this.run,
      phase: this.phase,
      phaseReason: this.phaseReason,
      attempt: this.created.attempt,
      digest: this.created.digest,
      bundle: this.created.bundle,
      plan: this.created.plan,
      waves: [...this.waves.values()],
      wavesDone: [...this.wavesDone],
      steps: [...this.steps.values()],
      ...(this.failure ? { failure: this.failure } : {}),
      ...(this.cancelled ? { cancelled: this.cancelled } : {}),
      decisions: [...this.decisions],
      createdAt: this.created.at,
      ...(this.startedAt === undefined ? {} : { startedAt: this.startedAt }),
      ...(this.endedAt === undefined ? {} : { endedAt: this.endedAt }),
      length: this.length,
    };
  }

  /** Phase as in `state().phase`, without building the rest. */
  currentPhase(): Phase {
    return this.phase;
  }

  /** One step as in `state().steps`, without building the rest. */
  step(id: string): StepRecord | undefined {
    return this.steps.get(id);
  }

  private checkStamp(entry: JournalEntry): void {
    const version: unknown = entry.v;
    if (version !== ENTRY_VERSION) {
      throw new StoreError(
        "version",
        `entry ${String(this.length)} of run ${this.run} has format ${String(version)}, this package knows ${String(ENTRY_VERSION)}`,
        { remedy: "carry the run on with the version of pulumi-archipelago that started it" },
      );
    }
    if (this.created && entry.kind === "created") this.refuse(entry, "creates the run a second time");
    if (!this.created && entry.kind !== "created") this.refuse(entry, "comes before the run was created");
    if (!Number.isFinite(entry.at) || !Number.isFinite(entry.epoch)) this.refuse(entry, "has no time or no epoch");
    if (entry.epoch < this.epoch) {
      this.refuse(entry, `has epoch ${String(entry.epoch)} after ${String(this.epoch)}: written without the lease`);
    }
    this.epoch = entry.epoch;
  }

  private enterPhase(phase: Phase, reason: string, at: number): void {
    if (isFinalPhase(this.phase) && phase !== this.phase && phase !== "recovering") {
      this.refuse({ kind: "phase" }, `leads from ${this.phase} to ${phase}`);
    }
    this.phase = phase;
    this.phaseReason = reason;
    if (phase === "running") this.startedAt ??= at;
    this.endedAt = isFinalPhase(phase) ? (this.endedAt ?? at) : undefined;
  }

  private planWave(entry: WavePlanned): void {
    const { index } = entry.wave;
    if (this.wavesDone.has(index)) this.refuse(entry, `plans wave ${String(index)} again after its end`);
    const last = Math.max(0, ...this.waves.keys());
    if (!this.waves.has(index) && index <= last) {
      this.refuse(entry, `plans wave ${String(index)} after wave ${String(last)}`);
    }
    this.waves.set(index, entry.wave);
  }

  private intendStep(entry: StepIntent): void {
    const { step, key, prior, at } = entry;
    if (isFinalPhase(this.phase)) this.refuse(entry, `starts step ${step.id} in phase ${this.phase}`);
    const earlier = this.steps.get(step.id);
    if (earlier && OPEN.includes(earlier.status) && earlier.key === key) return;
    if (earlier && (OPEN.includes(earlier.status) || earlier.status === "undoing")) {
      this.refuse(entry, `starts step ${step.id} while it is ${earlier.status}`);
    }
    if (earlier?.status === "done" && earlier.key === key) {
      this.refuse(entry, `starts step ${step.id} a second time with the same key`);
    }
    // Deleted first so that the map keeps the order of the latest intents.
    this.steps.delete(step.id);
    this.undoKeys.delete(step.id);
    this.steps.set(step.id, { step, key, prior, status: "intended", intentAt: at });
  }

  private intendUndo(entry: UndoIntent): void {
    if (this.steps.get(entry.id)?.status === "undoing" && this.undoKeys.get(entry.id) === entry.key) return;
    this.changeStep(entry, CAN_BE_UNDONE, { status: "undoing" });
    this.undoKeys.set(entry.id, entry.key);
  }

  private changeStep(
    entry: { readonly kind: JournalEvent["kind"]; readonly id: string },
    from: readonly StepStatus[],
    change: Partial<StepRecord> & Pick<StepRecord, "status">,
  ): void {
    const record = this.steps.get(entry.id);
    if (!record) this.refuse(entry, `names step ${entry.id}, which has no intent`);
    if (!from.includes(record.status)) this.refuse(entry, `comes for step ${entry.id} while it is ${record.status}`);
    this.steps.set(entry.id, { ...record, ...change });
  }

  private refuse(entry: { readonly kind: JournalEvent["kind"] }, what: string): never {
    throw new StoreError("corrupt", `entry ${String(this.length)} (${entry.kind}) of run ${this.run} ${what}`, {
      remedy: "nothing was changed; restore the run's folder from a backup, or cancel the run and check its hosts",
    });
  }
}
