/**
 * Processes of this machine as Linux tells them in /proc: identity, state, CPU time, memory, environment.
 *
 * Not for: starting any (replicas.ts, operations.ts).
 *
 * Invariant: a process is known by pid and start time, so that a recycled pid is never taken for the old process.
 */
import { readdirSync, readFileSync } from "node:fs";

/** A process, also after its pid was given to another. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Start time in clock ticks since the machine booted. */
  readonly startTicks: number;
}

/** A process at one moment. */
export interface ProcessStat extends ProcessIdentity {
  readonly group: number;
  /** User and system time of it and of the children it has waited for, in clock ticks. */
  readonly cpuTicks: number;
  readonly residentBytes: number;
}

/** Linux reports times in 1/100 s to user space on every architecture that Node supports (USER_HZ). */
export const TICKS_PER_SECOND = 100;
/** Page size of every machine this runs on is 4 KiB, or the resident size is a lower bound. */
const PAGE_BYTES = 4096;

/** The process of a pid; undefined when there is none or only its exit status is left (a zombie). */
export function readProcess(pid: number): ProcessStat | undefined {
  let text: string;
  try {
    text = readFileSync(`/proc/${String(pid)}/stat`, "latin1");
  } catch {
    return undefined;
  }
  // The command name may hold spaces and brackets: the fields begin behind the last bracket (proc(5)).
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const state = fields[0];
  const field = (number: number): number => Number(fields[number - 3]);
  // Of a process that is killed the first thread may be gone while others still hold its ports and files.
  if ((state === "Z" || state === "X") && field(20) <= 1) return undefined;
  return {
    pid,
    group: field(5),
    startTicks: field(22),
    cpuTicks: field(14) + field(15) + field(16) + field(17),
    residentBytes: field(24) * PAGE_BYTES,
  };
}

/**
 * Bytes that a process has read from and written to disks so far; undefined where the kernel does not tell: another
 * user's process, or task accounting left out.
 */
export function readDiskBytes(pid: number): number | undefined {
  try {
    const text = readFileSync(`/proc/${String(pid)}/io`, "latin1");
    const field = (name: string): number => Number(new RegExp(`^${name}: (\\d+)$`, "m").exec(text)?.[1] ?? 0);
    return field("read_bytes") + field("write_bytes");
  } catch {
    return undefined;
  }
}

/** True while exactly this process runs. */
export function isRunning(identity: ProcessIdentity | undefined): boolean {
  return identity !== undefined && readProcess(identity.pid)?.startTicks === identity.startTicks;
}

/** All processes. */
export function listProcesses(): readonly ProcessStat[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map((name) => readProcess(Number(name)))
    .filter((found) => found !== undefined);
}

/** Processes of this user whose environment has the variable with this value: everything that was started with it. */
export function findByEnvironment(name: string, value: string): readonly ProcessStat[] {
  const wanted = `${name}=${value}`;
  return listProcesses().filter(({ pid }) => pid !== process.pid && readEnvironment(pid).includes(wanted));
}

/** Pids of all processes of this user that carry the variable, by its value. */
export function groupByEnvironment(name: string): ReadonlyMap<string, readonly number[]> {
  const found = new Map<string, number[]>();
  for (const { pid } of listProcesses()) {
    const entry = readEnvironment(pid).find((text) => text.startsWith(`${name}=`));
    if (entry === undefined) continue;
    const value = entry.slice(name.length + 1);
    found.set(value, [...(found.get(value) ?? []), pid]);
  }
  return found;
}

/** Signals a process group whose leader is still the process we know; false when it is gone. */
export function signalGroup(leader: ProcessIdentity, signal: NodeJS.Signals): boolean {
  return isRunning(leader) && send(-leader.pid, signal);
}

/** Signals everything started with this variable, whatever group it went to; returns how many processes. */
export function signalByEnvironment(name: string, value: string, signal: NodeJS.Signals): number {
  const found = findByEnvironment(name, value);
  for (const { pid } of found) send(pid, signal);
  return found.length;
}

function send(target: number, signal: NodeJS.Signals): boolean {
  try {
    process.kill(target, signal);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return false;
    throw error;
  }
}

function readEnvironment(pid: number): readonly string[] {
  try {
    return readFileSync(`/proc/${String(pid)}/environ`, "utf8").split("\0");
  } catch {
    return []; // Gone meanwhile, or another user's.
  }
}
