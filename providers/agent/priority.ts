/**
 * CPU priority on a local fleet, whose hosts share one machine: what a host does for itself (updating, starting a
 * copy, its agent) must not take the CPU from copies that serve on "other" hosts, as it would not on machines of
 * their own. Each of them runs in a session of its own, and Linux shares the CPU between sessions first: so the session
 * gets a nice value (see providers/niceness.ts). Idle scheduling beside it is for machines that do not group by
 * session: there a nice thread that runs is not interrupted before its slice of about 3 ms ends, and a request waits
 * for that at every hop.
 *
 * Not for: Linux hosts, where a starved start would only be slow, and limits and shares of workloads.
 *
 * Invariant: a priority is lowered only where it can be raised again: idle scheduling takes root for that, the nice
 * value of a session does not.
 */
import { execFile } from "node:child_process";

import { setNiceOfAllThreads, setNiceOfSession } from "../niceness";

const AGENT_NICE = 5;
/** Half of what a session that serves gets: a copy is waited for. */
const START_NICE = 3;
/** A tenth of what serves gets: updates come to an end also where the machine is busy. */
const UPDATE_NICE = 10;
const LOWEST_NICE = 19;

/**
 * What the shell around an update begins with: lowest priority where the machine has the tools. The shell leads a
 * session of its own.
 */
export const LOWEST_PRIORITY =
  `{ echo ${String(UPDATE_NICE)} > /proc/$$/autogroup; } 2>/dev/null; ` +
  `$(command -v chrt >/dev/null && echo chrt --idle 0) nice -n ${String(LOWEST_NICE)}`;

/**
 * Puts the agent itself behind the workloads of its machine: it can wait for some milliseconds, requests cannot. Its
 * session keeps its share: who hands a workload over on a busy machine waits for the agent, and requests meanwhile.
 */
export function lowerAgent(): void {
  if (process.getuid?.() !== 0) return;
  try {
    setNiceOfAllThreads(AGENT_NICE);
  } catch {
    // Not allowed here: a matter of speed, not of correctness.
  }
}

/** Lets a process that was just started yield to those that serve. */
export function lowerWhileStarting(pid: number): void {
  void setNiceOfSession(pid, START_NICE);
  schedule("--idle", pid);
}

/** Gives all threads of a process the normal priority: Linux keeps it for each thread. */
export function raiseToNormal(pid: number): void {
  void setNiceOfSession(pid, 0);
  schedule("--other", pid);
  if (process.getuid?.() === 0) execFile("renice", ["-n", "0", "-g", String(pid)], () => undefined);
}

function schedule(policy: "--idle" | "--other", pid: number): void {
  if (process.getuid?.() !== 0) return;
  // A failure means that the process has just ended or there is no chrt: see the invariant.
  execFile("chrt", ["--all-tasks", policy, "--pid", "0", String(pid)], () => undefined);
}
