/**
 * Copies of workloads on this host: starts and stops their processes, adopts them after a restart of the agent.
 *
 * Not for: hand-over (hand-over.ts) and traffic.
 *
 * Invariants
 * 1. A copy's processes are a session of their own: they outlive the agent.
 * 2. The record is on disk before its process starts, with a mark that the process carries: whatever was started is
 *    found again, and nothing else is ever adopted or killed.
 * 3. Changes of one copy happen one after the other (`exclusively`).
 */
import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { closeSync, openSync } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { DriverError, messageOf, type Replica, type ReplicaState } from "../../sdk/model";
import type { StartSpec } from "../drivers/contracts";
import type { Clock } from "../clock";
import type { AgentConfig } from "./agent-config";
import { pinTo, readCores, readPinnedCores } from "./cores";
import { HOST_ROOT, INSTANCE, inheritedEnvironment } from "./environment";
import { findFreePort } from "./free-port";
import { watchHealth, type HealthWatch } from "./health-watch";
import { lowerWhileStarting, raiseToNormal } from "./priority";
import { listFolder, readRecord, removeRecord, writeRecord, type HostFolder } from "./host-folder";
import {
  findByEnvironment,
  isRunning,
  readProcess,
  signalByEnvironment,
  signalGroup,
  type ProcessIdentity,
} from "./process-table";
import type { ReplicaRecord } from "./replica-record";
import { ThreadTable } from "./thread-use";
import { WORKLOAD_ADDRESS } from "./workload-endpoint";

/** How often a stopping process is looked at. */
const STOP_POLL_MS = 20;
/** The kernel needs a moment to end a killed process. */
const KILL_PATIENCE_MS = 3_000;

/** See the file's header. */
export class Replicas {
  readonly #config: AgentConfig;
  readonly #folder: HostFolder;
  readonly #clock: Clock;
  readonly #records = new Map<string, ReplicaRecord>();
  readonly #watches = new Map<string, HealthWatch>();
  readonly #queues = new Map<string, Promise<unknown>>();
  readonly #threads: ThreadTable;

  readonly #onStarted: () => void;

  /** @param onStarted called when the process of a copy has just begun and is on record */
  constructor(config: AgentConfig, folder: HostFolder, clock: Clock, onStarted: () => void = () => undefined) {
    this.#onStarted = onStarted;
    this.#threads = new ThreadTable(() => clock.now());
    this.#config = config;
    this.#folder = folder;
    this.#clock = clock;
  }

  /** Reads the records, adopts what runs, ends stops that were begun. */
  async recover(): Promise<void> {
    for (const name of await listFolder(this.#folder.replicas)) {
      if (!name.endsWith(".json")) continue;
      const record = (await readRecord(join(this.#folder.replicas, name))) as ReplicaRecord;
      const adopted = record.process ? record : adoptByMark(record);
      if (adopted !== record) await this.save(adopted);
      this.#records.set(record.spec.replica, adopted);
      if (isRunning(adopted.process)) this.#watch(adopted);
    }
    // A first look before the first answer: copies that serve must not seem to be starting again.
    await Promise.all(Array.from(this.#watches.values(), (watch) => watch.check()));
    for (const { spec, stopping } of this.records()) {
      // One that cannot be ended stays listed, and the next stop says why.
      if (stopping) this.stop(spec.replica, 0).catch(() => undefined);
    }
  }

  records(): readonly ReplicaRecord[] {
    return [...this.#records.values()];
  }

  /** @throws DriverError not-found */
  record(replica: string): ReplicaRecord {
    const record = this.#records.get(replica);
    if (record) return record;
    throw new DriverError("not-found", replica, `does not run on ${this.#config.host}`, {
      remedy: "look where it is now",
    });
  }

  /** All copies, those that run with their busiest threads. */
  list(): readonly Replica[] {
    return this.records().map((record) => {
      const threads = record.process && this.#threads.read(record.process);
      return { ...this.observe(record), ...(threads ? { threads } : {}) };
    });
  }

  /** The copy at this moment. */
  observe(record: ReplicaRecord): Replica {
    const { replica, workload, process: spec } = record.spec;
    const cores = this.coresOf(record);
    return {
      id: replica,
      workload,
      host: this.#config.host,
      state: this.#stateOf(record),
      ...(cores ? { cores } : {}),
      ...(spec.health.path === "" ? {} : { address: `${WORKLOAD_ADDRESS}:${String(record.port)}` }),
    };
  }

  /** The cores that a copy is pinned to, whoever has pinned it. */
  coresOf({ process }: ReplicaRecord): readonly number[] | undefined {
    return process && isRunning(process) ? readPinnedCores(process.pid) : undefined;
  }

  /** Starts a copy; one of that id that runs already is success. */
  async start(spec: StartSpec): Promise<Replica> {
    return await this.exclusively(spec.replica, async () => {
      const existing = this.#records.get(spec.replica);
      if (existing && existing.spec.workload !== spec.workload) {
        throw new DriverError("conflict", spec.replica, `is a copy of ${existing.spec.workload} on this host`);
      }
      if (existing && isRunning(existing.process)) return this.observe(existing);
      if (existing) await this.#endProcesses(existing, 0);
      const port = spec.process.port === 0 ? await findFreePort(WORKLOAD_ADDRESS) : spec.process.port;
      const intent: ReplicaRecord = { spec, instance: randomUUID(), port, mode: spec.standby ? "standby" : "active" };
      await this.save(intent);
      const data = this.#folder.replicaData(spec.replica);
      // A standby copy gets its state by a restore; what an earlier copy of that id left would be stale.
      if (spec.standby) await rm(data, { recursive: true, force: true });
      await mkdir(data, { recursive: true, mode: 0o700 });
      const started = { ...intent, process: await this.#spawn(intent, data) };
      await this.save(started);
      this.#onStarted();
      this.#watch(started);
      return this.observe(started);
    });
  }

  /**
   * Asks the copy to end, kills it at the grace's end. One that is not there is success, and so is one that is not meant:
   * another may have been started under its id since somebody decided to stop it.
   */
  async stop(
    replica: string,
    graceMs: number,
    options: { readonly discardData?: boolean; readonly isMeant?: (record: ReplicaRecord) => boolean } = {},
  ): Promise<void> {
    await this.exclusively(replica, async () => {
      const record = this.#records.get(replica);
      if (!record || options.isMeant?.(record) === false) return;
      await this.save({ ...record, stopping: true });
      await this.#endProcesses(record, graceMs);
      if (options.discardData) await rm(this.#folder.replicaData(replica), { recursive: true, force: true });
      await removeRecord(this.#folder.replicaRecord(replica));
      this.#records.delete(replica);
    });
  }

  /** Ends every copy at once, as a power cut does; their records stay, so that they show as stopped. */
  async killAll(): Promise<void> {
    await Promise.all(
      this.records().map((record) => this.exclusively(record.spec.replica, () => this.#endProcesses(record, 0))),
    );
  }

  /** Stops watching; the copies go on. */
  close(): void {
    for (const watch of this.#watches.values()) watch.stop();
    this.#watches.clear();
  }

  /** Keeps a changed record, on disk first. */
  async save(record: ReplicaRecord): Promise<void> {
    await writeRecord(this.#folder.replicaRecord(record.spec.replica), record);
    this.#records.set(record.spec.replica, record);
  }

  /** Runs `action` when no other change of this copy is under way. */
  async exclusively<T>(replica: string, action: () => Promise<T>): Promise<T> {
    const before = this.#queues.get(replica) ?? Promise.resolve();
    const result = before.then(action);
    const settled = result.catch(() => undefined);
    this.#queues.set(replica, settled);
    try {
      return await result;
    } finally {
      if (this.#queues.get(replica) === settled) this.#queues.delete(replica);
    }
  }

  #stateOf(record: ReplicaRecord): ReplicaState {
    if (!isRunning(record.process)) return "stopped";
    const health = this.#watches.get(record.spec.replica)?.health() ?? "starting";
    if (health !== "healthy") return health;
    return record.mode === "active" ? "healthy" : record.mode;
  }

  #watch(record: ReplicaRecord): void {
    const { replica, process: spec } = record.spec;
    this.#watches.get(replica)?.stop();
    const onFirstHealthy = (): void => {
      if (record.process && this.#config.platform === "local") raiseToNormal(record.process.pid);
    };
    this.#watches.set(replica, watchHealth({ replica, port: record.port }, spec.health, this.#clock, onFirstHealthy));
  }

  async #endProcesses(record: ReplicaRecord, graceMs: number): Promise<void> {
    this.#watches.get(record.spec.replica)?.stop();
    this.#watches.delete(record.spec.replica);
    if (record.process && graceMs > 0 && signalGroup(record.process, "SIGTERM")) {
      await this.#waitForEnd(record.process, graceMs);
    }
    if (record.process) signalGroup(record.process, "SIGKILL");
    // Children that went to other groups, or a start whose pid was never recorded.
    signalByEnvironment(INSTANCE, record.instance, "SIGKILL");
    if (!record.process || (await this.#waitForEnd(record.process, KILL_PATIENCE_MS))) return;
    throw new DriverError("failed", record.spec.replica, `process ${String(record.process.pid)} does not end`, {
      remedy: "look at it on the host; it hangs in the kernel",
    });
  }

  async #waitForEnd(identity: ProcessIdentity, patienceMs: number): Promise<boolean> {
    const end = this.#clock.monotonic() + patienceMs;
    while (isRunning(identity)) {
      if (this.#clock.monotonic() >= end) return false;
      await this.#clock.sleep(STOP_POLL_MS);
    }
    return true;
  }

  /** What the command of a copy begins with that is to have cores of its own. */
  #pinned({ replica, cores }: StartSpec): readonly string[] {
    if (cores === undefined) return [];
    const taken = this.records().flatMap((record) => this.coresOf(record) ?? []);
    return pinTo(cores, readCores("self") ?? [], taken, replica);
  }

  async #spawn(record: ReplicaRecord, data: string): Promise<ProcessIdentity> {
    const { spec } = record;
    const [program, ...parameters] = [...this.#pinned(spec), ...spec.process.command];
    if (program === undefined) throw new DriverError("refused", spec.replica, "has no command to start");
    const logPath = this.#folder.replicaLog(spec.replica);
    await mkdir(dirname(logPath), { recursive: true, mode: 0o700 });
    const log = openSync(logPath, "a", 0o600);
    try {
      const child = spawn(program, parameters, {
        cwd: this.#config.root,
        detached: true,
        stdio: ["ignore", log, log],
        env: {
          ...inheritedEnvironment(),
          ...this.#config.environment,
          ...spec.process.environment,
          [HOST_ROOT]: this.#config.root,
          [INSTANCE]: record.instance,
          PORT: String(record.port),
          ARCHIPELAGO_REPLICA: spec.replica,
          ARCHIPELAGO_WORKLOAD: spec.workload,
          ARCHIPELAGO_HOST: this.#config.host,
          ARCHIPELAGO_DATA: data,
          ...(spec.standby ? { ARCHIPELAGO_STANDBY: "1" } : {}),
        },
      });
      const failure = Promise.withResolvers<never>();
      child.once("error", failure.reject);
      if (child.pid === undefined) return await failure.promise;
      failure.promise.catch(() => undefined);
      child.unref();
      if (this.#config.platform === "local") lowerWhileStarting(child.pid);
      return { pid: child.pid, startTicks: readProcess(child.pid)?.startTicks ?? -1 };
    } catch (error) {
      throw new DriverError("failed", spec.replica, `${program} cannot be started (${messageOf(error)})`, {
        remedy: "check the workload's command and that the program is installed on this host",
        cause: error,
      });
    } finally {
      closeSync(log);
    }
  }
}

/** The process of a start whose pid was not recorded any more: the oldest that carries the record's mark. */
function adoptByMark(record: ReplicaRecord): ReplicaRecord {
  const [oldest] = findByEnvironment(INSTANCE, record.instance).toSorted((a, b) => a.startTicks - b.startTicks);
  return oldest ? { ...record, process: { pid: oldest.pid, startTicks: oldest.startTicks } } : record;
}
