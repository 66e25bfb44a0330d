/**
 * Which threads of a copy use its CPU, as shares of what all its threads have used since they began.
 *
 * Not for: how much the copy uses (sampler.ts).
 *
 * Invariant: threads are read once in a while, not at every look: a process may have many.
 */
import { readdirSync, readFileSync } from "node:fs";
import type { ThreadUse } from "../../sdk/model";
import type { ProcessIdentity } from "./process-table";

const KEPT_MS = 30_000;
/** Threads that are told of: a planner scores each. */
const MOST_THREADS = 8;
const LEAST_SHARE = 0.05;

/** Threads of one process, remembered for a while. */
interface Remembered {
  readonly startTicks: number;
  readonly untilMs: number;
  readonly threads: readonly ThreadUse[];
}

/** Threads of the processes of a host. */
export class ThreadTable {
  readonly #known = new Map<number, Remembered>();

  constructor(private readonly now: () => number) {}

  /** The busiest threads of a process; undefined where there is but one to tell of, or the process is gone. */
  read({ pid, startTicks }: ProcessIdentity): readonly ThreadUse[] | undefined {
    const known = this.#known.get(pid);
    const isFresh = known?.startTicks === startTicks && this.now() < known.untilMs;
    const threads = isFresh ? known.threads : readThreads(pid);
    if (!isFresh) {
      this.#forget();
      this.#known.set(pid, { startTicks, untilMs: this.now() + KEPT_MS, threads });
    }
    return threads.length > 1 ? threads : undefined;
  }

  #forget(): void {
    for (const [pid, { untilMs }] of this.#known) if (untilMs <= this.now()) this.#known.delete(pid);
  }
}

function readThreads(pid: number): readonly ThreadUse[] {
  const used = listThreads(pid).flatMap((thread) => readTicks(pid, thread) ?? []);
  const total = used.reduce((sum, { ticks }) => sum + ticks, 0);
  if (total === 0) return [];
  return used
    .map(({ id, ticks }) => ({ id, share: Math.round((100 * ticks) / total) / 100 }))
    .filter(({ share }) => share >= LEAST_SHARE)
    .sort((a, b) => b.share - a.share || (a.id < b.id ? -1 : 1))
    .slice(0, MOST_THREADS);
}

function listThreads(pid: number): readonly string[] {
  try {
    return readdirSync(`/proc/${String(pid)}/task`);
  } catch {
    return []; // Gone meanwhile.
  }
}

function readTicks(pid: number, thread: string): { readonly id: string; readonly ticks: number } | undefined {
  try {
    const text = readFileSync(`/proc/${String(pid)}/task/${thread}/stat`, "latin1");
    const name = text.slice(text.indexOf("(") + 1, text.lastIndexOf(")"));
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    return { id: `${name}/${thread}`, ticks: Number(fields[11]) + Number(fields[12]) };
  } catch {
    return undefined; // The thread has ended.
  }
}
