/**
 * The plan of a check, made in a thread of its own: observing hundreds of hosts and planning keep a CPU busy for seconds,
 * and the process answers the engine about other resources meanwhile. What the thread holds goes with it.
 *
 * Not for: planning for a check itself (plan-for-check.ts).
 */
import { join } from "node:path";
import { askThread, startThread } from "../threads";
import type { CheckQuestion } from "./check-thread";
import type { CheckAnswer } from "./plan-for-check";
import type { RunInputs, Sent } from "./run-inputs";

/** Compiled beside this file. */
const THREAD_ENTRY = join(__dirname, "check-thread.js");

/**
 * Plans as `planForCheck` does.
 * @throws what it throws
 */
export async function checkInThread(news: Sent<RunInputs>, olds: Partial<Sent<RunInputs>>): Promise<CheckAnswer> {
  const thread = startThread(THREAD_ENTRY);
  try {
    return await askThread(thread, { news, olds } satisfies CheckQuestion, `planning ${news.spec.name}`);
  } finally {
    await thread.terminate();
  }
}
