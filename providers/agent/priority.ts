/**
 * CPU priority on a local fleet, whose hosts share one machine: what a host does for itself (updating, starting a
 * copy, its agent) must not take the CPU from copies that serve on "other" hosts, as it would not on machines of
 * their own. Idle scheduling is needed for that, not only a nice value: a nice thread that runs is not interrupted
 * before its slice of about 3 ms ends, and a request waits for that at every hop.
 *
 * Not for: Linux hosts, where a starved start would only be slow, and limits and shares of workloads.
 *
 * Invariant: a priority is lowered only where it can be raised again, which takes root. Without root, or without
 * `chrt`, everything runs at the same priority: slower answers, nothing else.
 */
import { execFile } from "node:child_process";

import { setNiceOfAllThreads } from "../niceness";

const AGENT_NICE = 5;

/** What the shell around an update begins with: lowest priority where the machine has the tools. */
export const LOWEST_PRIORITY = "$(command -v chrt >/dev/null && echo chrt --idle 0) nice -n 19";

/** Puts the agent itself behind the workloads of its machine: it can wait for some milliseconds, requests cannot. */
export function lowerAgent(): void {
  if (process.getuid?.() !== 0) return;
  try {
    setNiceOfAllThreads(AGENT_NICE);
  } catch {
    // Not allowed here: a matter of speed, not of correctness.
  }
}

/** Lets a process that was just started run only where nothing else wants the CPU. */
export function lowerWhileStarting(pid: number): void {
  schedule("--idle", pid);
}

/** Gives all threads of a process the normal priority: Linux keeps it for each thread. */
export function raiseToNormal(pid: number): void {
  schedule("--other", pid);
  if (process.getuid?.() === 0) execFile("renice", ["-n", "0", "-g", String(pid)], () => undefined);
}

function schedule(policy: "--idle" | "--other", pid: number): void {
  if (process.getuid?.() !== 0) return;
  // A failure means that the process has just ended or there is no chrt: see the invariant.
  execFile("chrt", ["--all-tasks", policy, "--pid", "0", String(pid)], () => undefined);
}
