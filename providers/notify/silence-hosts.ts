/**
 * Silences alerts about hosts while a run works on them: from the cordon to when the host takes work again. It follows
 * the run's journal, so that whoever carries the run on finds the same hosts at work, and ends what was left over.
 *
 * Not for: the Alertmanager's interface (alertmanager.ts).
 *
 * Invariants
 * 1. It never holds a run up and never makes it fail: an Alertmanager that does not answer is told of once.
 * 2. What is silenced follows from the journal alone; each change makes it so as a whole, so that one that was missed
 *    is made up for by the next.
 * 3. A run that has ended or waits silences nothing.
 */
import { isFinalPhase, messageOf } from "../../sdk/model";
import type { HostUpdateSpec, JournalEntry } from "../../sdk/model";
import type { Progress } from "../clock";
import type { JournalFollower } from "../journal/follower";
import { openSilences, type AlertmanagerOptions, type SilencedHost, type Silences } from "./alertmanager";

/** Drains, restarts, validations and undoing on top of the update's own deadline. */
const WORK_MARGIN_MS = 30 * 60_000;
/** How long the end of a run waits for silences under way. */
const END_LIMIT_MS = 10_000;

/** What is needed from outside. */
export interface SilenceOptions extends AlertmanagerOptions {
  readonly progress: Progress;
}

/** Follows a run and silences alerts about the hosts that it works on. */
export function createSilenceFollower(options: SilenceOptions): JournalFollower {
  const { clock, progress } = options;
  const reader = new WorkReader();
  const targets = openSilences(options).map((silences) => new Target(silences, progress));
  const makeSo = (run: string): void => {
    for (const target of targets) target.makeSo(run, reader.hosts(clock.now()));
  };
  let runId = "";
  return {
    begin: (run, entries) => {
      runId = run;
      for (const entry of entries) reader.read(entry);
      // What an earlier process has silenced is looked after from here on.
      if (reader.hasWorked) makeSo(run);
    },
    follow: (entries) => {
      if (entries.map((entry) => reader.read(entry)).includes(true)) makeSo(runId);
    },
    end: async () => {
      const ended = new AbortController();
      const settled = Promise.all(targets.map((target) => target.settled())).then(() => {
        ended.abort();
      });
      await Promise.race([settled, clock.sleep(END_LIMIT_MS, ended.signal)]);
      for (const target of targets) target.stop();
    },
  };
}

/** Which hosts are at work, by the journal. */
class WorkReader {
  private readonly atWork = new Set<string>();
  private readonly steps = new Map<string, { readonly kind: "cordon" | "uncordon"; readonly host: string }>();
  private workMs = WORK_MARGIN_MS;
  /** True once some host was at work: there may be something to end. */
  hasWorked = false;

  /** True when other hosts than before are at work. */
  read(entry: JournalEntry): boolean {
    switch (entry.kind) {
      case "created":
        this.workMs = longestWorkMs(entry.bundle.spec);
        return false;
      case "step-intent": {
        const { step } = entry;
        if (step.kind !== "cordon" && step.kind !== "uncordon") return false;
        this.steps.set(step.id, step);
        return step.kind === "cordon" && this.begin(step.host);
      }
      case "step-done":
        return this.change(entry.id, "uncordon", false);
      case "undo-intent":
        return this.change(entry.id, "uncordon", true);
      case "undo-done":
        return this.change(entry.id, "cordon", false);
      case "phase": {
        if (!isFinalPhase(entry.phase) && entry.phase !== "armed") return false;
        const had = this.atWork.size > 0;
        this.atWork.clear();
        return had;
      }
      default:
        return false;
    }
  }

  hosts(nowMs: number): readonly SilencedHost[] {
    return [...this.atWork].map((host) => ({ host, endsAtMs: nowMs + this.workMs }));
  }

  private change(id: string, kind: "cordon" | "uncordon", isAtWork: boolean): boolean {
    const step = this.steps.get(id);
    if (step?.kind !== kind) return false;
    return isAtWork ? this.begin(step.host) : this.atWork.delete(step.host);
  }

  private begin(host: string): boolean {
    const isNew = !this.atWork.has(host);
    this.atWork.add(host);
    this.hasWorked = true;
    return isNew;
  }
}

/** Longest time that a host is at work: the update, its undo, and what goes with both. */
function longestWorkMs({ update, limits }: HostUpdateSpec): number {
  return 2 * update.timeoutMs + limits.drainMs + limits.soakMs + WORK_MARGIN_MS;
}

/** One Alertmanager: the newest wish is carried out, one after the other. */
class Target {
  private readonly stopped = new AbortController();
  private wish: { readonly run: string; readonly hosts: readonly SilencedHost[] } | undefined;
  private working: Promise<void> | undefined;
  private isTold = false;

  constructor(
    private readonly silences: Silences,
    private readonly progress: Progress,
  ) {}

  makeSo(run: string, hosts: readonly SilencedHost[]): void {
    if (this.stopped.signal.aborted) return;
    this.wish = { run, hosts };
    this.working ??= this.work().finally(() => {
      this.working = undefined;
    });
  }

  async settled(): Promise<void> {
    await this.working;
  }

  stop(): void {
    this.stopped.abort();
  }

  private async work(): Promise<void> {
    for (let { wish } = this; wish; wish = this.wish) {
      this.wish = undefined;
      try {
        await this.silences.makeSo(wish.run, wish.hosts, this.stopped.signal);
        this.isTold = false;
      } catch (error) {
        if (!this.isTold) {
          this.progress.line(`silences: alerts about hosts at work may not be silenced: ${messageOf(error)}`);
        }
        this.isTold = true;
      }
    }
  }
}
