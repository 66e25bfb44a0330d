/**
 * The nice value of this process, on all of its threads. Linux keeps it for each thread, and
 * `os.setPriority(process.pid)` changes the main one alone: V8's threads, which compile and collect garbage and were
 * there before, would go on taking the CPU from others at the normal priority.
 *
 * Not for: other processes (providers/agent/priority.ts).
 */
import { readdirSync } from "node:fs";
import { setPriority } from "node:os";

const THREADS = "/proc/self/task";

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
