/**
 * Starts and ends the processes of a local fleet: agents and the switch, each a session of its own that outlives
 * whoever started it.
 *
 * Not for: workloads, which the agents start.
 *
 * Invariant: a process is ended only when pid and start time are those on record, or when it carries the fleet's
 * mark in its environment.
 */
import { spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { mkdir, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { DriverError } from "../../../sdk/model";
import { FLEET, inheritedEnvironment } from "../../agent/environment";
import {
  findByEnvironment,
  isRunning,
  readProcess,
  signalByEnvironment,
  type ProcessIdentity,
} from "../../agent/process-table";
import { systemClock, type Clock } from "../../clock";
import { readJson, writeJson, type FleetLayout, type ProcessLayout } from "./layout";

/** Agents stay small: there are many on one machine. */
const AGENT_FLAGS = ["--max-old-space-size=64"];
const ENTRY = join(__dirname, "..", "..", "agent", "main.js");
/** Starting takes 0.1 s on an idle machine. */
const START_PATIENCE_MS = 30_000;
const LOST_PATIENCE_MS = 2_000;
const END_PATIENCE_MS = 5_000;
const POLL_MS = 25;
const LOG_TAIL_BYTES = 2_000;

/** What kind of process to start. */
export type FleetProcess = "serve" | "switch";

/**
 * Starts a process unless it serves or is about to, and waits until `isReady` says so.
 * @throws DriverError failed with the end of its log
 */
export async function startFleetProcess(
  fleet: FleetLayout,
  kind: FleetProcess,
  files: ProcessLayout,
  isReady: () => Promise<boolean>,
  clock: Clock = systemClock,
): Promise<void> {
  if (await isReady()) return;
  const launched = (await isProcessRunning(files)) ? undefined : await launch(fleet, kind, files);
  let end = clock.monotonic() + START_PATIENCE_MS;
  let isLost = false;
  while (!(await isReady())) {
    if (launched && !isLost && !isRunning(launched)) {
      // Another start may have been quicker and hold the port: it gets a moment to serve.
      isLost = true;
      end = clock.monotonic() + LOST_PATIENCE_MS;
    }
    if (clock.monotonic() > end) throw await startFailure(kind, files, isLost);
    await clock.sleep(POLL_MS);
  }
}

/** True while the process on record runs. */
export async function isProcessRunning(files: ProcessLayout): Promise<boolean> {
  return isRunning(await readIdentity(files));
}

/** Asks a process to end and waits for it; kills it when it does not. One that does not run is fine. */
export async function stopFleetProcess(files: ProcessLayout, clock: Clock = systemClock): Promise<void> {
  const identity = await readIdentity(files);
  for (const signal of ["SIGTERM", "SIGKILL"] as const) {
    if (!identity || !isRunning(identity)) return;
    process.kill(identity.pid, signal);
    const end = clock.monotonic() + END_PATIENCE_MS;
    while (isRunning(identity) && clock.monotonic() < end) await clock.sleep(POLL_MS);
  }
}

/** Ends everything that belongs to the fleet: agents, switch, workloads, commands. */
export async function killFleet(directory: string, clock: Clock = systemClock): Promise<void> {
  const end = clock.monotonic() + END_PATIENCE_MS;
  // Again, because a process may start another between the look and the kill.
  while (signalByEnvironment(FLEET, directory, "SIGKILL") > 0 && clock.monotonic() < end) await clock.sleep(POLL_MS);
}

/** True while any process of the fleet runs. */
export function isFleetAlive(directory: string): boolean {
  return findByEnvironment(FLEET, directory).length > 0;
}

async function launch(fleet: FleetLayout, kind: FleetProcess, files: ProcessLayout): Promise<ProcessIdentity> {
  await mkdir(dirname(files.process), { recursive: true, mode: 0o700 });
  const log = openSync(files.log, "a", 0o600);
  try {
    const child = spawn(
      process.execPath,
      [...(kind === "serve" ? AGENT_FLAGS : []), ENTRY, kind, "--config", files.config],
      {
        cwd: fleet.directory,
        detached: true,
        stdio: ["ignore", log, log],
        env: { ...inheritedEnvironment(), [FLEET]: fleet.directory },
      },
    );
    const failed = Promise.withResolvers<never>();
    child.once("error", failed.reject);
    if (child.pid === undefined) await failed.promise;
    failed.promise.catch(() => undefined);
    child.unref();
    const pid = child.pid ?? -1;
    const identity: ProcessIdentity = { pid, startTicks: readProcess(pid)?.startTicks ?? -1 };
    // An agent keeps its own record once it holds the port: after a reboot it is another process.
    if (kind === "switch") await writeJson(files.process, identity);
    return identity;
  } finally {
    closeSync(log);
  }
}

async function readIdentity(files: ProcessLayout): Promise<ProcessIdentity | undefined> {
  return (await readJson(files.process)) as ProcessIdentity | undefined;
}

async function startFailure(kind: FleetProcess, files: ProcessLayout, isLost: boolean): Promise<DriverError> {
  const log = await readFile(files.log, "utf8").catch(() => "");
  return new DriverError(
    "failed",
    kind === "serve" ? dirname(files.config) : "switch",
    isLost ? "ended while it was starting" : `does not serve after ${String(START_PATIENCE_MS)} ms`,
    { remedy: `read ${files.log}`, output: log.slice(-LOG_TAIL_BYTES) },
  );
}
