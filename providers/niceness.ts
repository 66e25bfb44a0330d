/**
 * Nice values where Linux keeps them.
 *
 * - For each thread: `os.setPriority(process.pid)` changes the main one alone, and V8's threads, which compile and
 *   collect garbage and were there before, would go on taking the CPU from others at the normal priority.
 * - For each session: with automatic grouping (sched(7), "The autogroup feature", on by default), the sessions of a
 *   machine share its CPU evenly, and the nice value and the policy of a thread count only inside of its session. What
 *   was started in a session of its own yields to the others by the nice value of the session.
 *
 * Not for: who is to yield to whom (providers/agent/priority.ts, providers/runner/environment.ts).
 */
import { readdirSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { setPriority } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";

const THREADS = "/proc/self/task";
/** Without root Linux takes ten changes a second on the whole machine, and asks to come again otherwise. */
const AGAIN_MS = 110;
const MOST_TRIES = 30;

/**
 * Sets the nice value of the threads that there are; later ones inherit that of the thread that starts them. Where
 * threads cannot be listed, which is not on Linux, the process is set.
 *
 * @param nice -20..19; lowering it again takes root
 * @throws SystemError where the machine does not allow it
 */
export function setNiceOfAllThreads(nice: number): void {
  for (const thread of listThreads()) {
    try {
      setPriority(thread, nice);
    } catch (error) {
      // A thread that has just ended needs none.
      if ((error as { readonly info?: { readonly code?: string } }).info?.code !== "ESRCH") throw error;
    }
  }
}

function listThreads(): readonly number[] {
  try {
    return readdirSync(THREADS).map(Number);
  } catch {
    return [process.pid];
  }
}

/** Changes one after the other: a session that was lowered and is raised must not be lowered once more, late. */
let last: Promise<void> = Promise.resolve();

/**
 * Sets the nice value of the session that a process leads, after all changes asked for before. Where the machine does
 * not group by session or does not allow it, nothing happens.
 *
 * @param leader a process that was started in a session of its own
 * @param nice 0..19; raising it back to 0 takes no root either
 */
export function setNiceOfSession(leader: number, nice: number): Promise<void> {
  last = last.then(() => writeNice(leader, nice));
  return last;
}

async function writeNice(leader: number, nice: number): Promise<void> {
  for (let tries = 0; tries < MOST_TRIES; tries += 1) {
    try {
      await writeFile(`/proc/${String(leader)}/autogroup`, String(nice), { flag: "r+" });
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN") return;
    }
    await sleep(AGAIN_MS, undefined, { ref: false });
  }
}
