/**
 * Long work on this host: updates and undos as processes that outlive the agent, and reboots as records.
 *
 * Not for: what a reboot does (reboot.ts) and short reads (command.ts).
 *
 * Invariants
 * 1. An operation is started at most once for a key: its record is on disk before its process, and a record that is
 *    there is followed, never started again.
 * 2. The command's exit code is written to a file by the shell around it, so that it is known whoever watched.
 * 3. One operation runs at a time on a host.
 */
import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { closeSync, existsSync, openSync } from "node:fs";
import { mkdir, open, readFile } from "node:fs/promises";
import { join } from "node:path";
import { DriverError } from "../../sdk/model";
import type { CommandSpec, Operation } from "../drivers/contracts";
import type { Clock } from "../clock";
import { OUTPUT_LIMIT_BYTES } from "./command";
import { LoadWatch } from "./operation-load";
import { HOST_ROOT, INSTANCE, inheritedEnvironment } from "./environment";
import { listFolder, readRecord, writeRecord, type HostFolder } from "./host-folder";
import {
  findByEnvironment,
  isRunning,
  readProcess,
  signalByEnvironment,
  signalGroup,
  type ProcessIdentity,
} from "./process-table";
import { LOWEST_PRIORITY } from "./priority";

/** An operation as it is kept. */
interface OperationRecord {
  readonly kind: "command" | "reboot";
  readonly key: string;
  /** Boot in which it was started. */
  readonly bootId: string;
  readonly startedAt: number;
  readonly command?: CommandSpec;
  readonly instance: string;
  readonly process?: ProcessIdentity;
  /** Present once it is over; the output is in its file. */
  readonly end?: Pick<Operation, "exitCode" | "reason" | "load"> & {
    readonly state: "done" | "failed";
    readonly endedAt: number;
  };
}

/** What operations need from the outside. */
export interface OperationSurroundings {
  readonly host: string;
  readonly root: string;
  /** Why commands are refused; those that were begun before go on. Absent: they are not. */
  readonly immutable?: string;
  readonly folder: HostFolder;
  readonly clock: Clock;
  readonly bootId: () => string;
}

/** How often a command that runs is looked at. */
const POLL_MS = 50;
/** Between the polite and the hard end of a command that is over its deadline. */
const TERM_GRACE_MS = 2_000;
/** POSIX shells answer 127 when there is no such command. */
const EXIT_NOT_FOUND = 127;
/**
 * The shell around a command: at low priority so that workloads are not disturbed, its exit code into a file that
 * appears as a whole. $1 is the command, $2 the file, $3 a folder that the shell which runs the command makes: of two, one
 * does, and the other waits for its end.
 */
const WRAPPER =
  `mkdir "$3" 2>/dev/null || { while [ -d "$3" ] && [ ! -e "$2" ]; do sleep 0.1; done; exit 0; }; ` +
  `${LOWEST_PRIORITY} /bin/sh -c "$1"; code=$?; echo "$code" > "$2.new" && mv "$2.new" "$2"`;

/** See the file's header. */
export class Operations {
  readonly #at: OperationSurroundings;
  readonly #records = new Map<string, OperationRecord>();
  readonly #abort = new AbortController();

  constructor(surroundings: OperationSurroundings) {
    this.#at = surroundings;
  }

  /** Reads the records; ends those of an earlier boot and follows the one that runs. */
  async recover(): Promise<void> {
    const { folder } = this.#at;
    for (const name of await listFolder(folder.operations)) {
      const record = (await readRecord(join(folder.operations, name, "record.json"))) as OperationRecord | undefined;
      if (!record) continue;
      this.#records.set(record.key, record);
      if (record.end) continue;
      if (record.bootId !== this.#at.bootId()) await this.#endEarlierBoot(record);
      else if (record.kind === "command") await this.#adopt(record);
    }
  }

  /** Starts a command, or tells how it stands when the key was seen. */
  async start(key: string, command: CommandSpec): Promise<Operation> {
    const known = this.#records.get(key);
    if (known) return await this.#observe(known);
    const { host, immutable } = this.#at;
    if (immutable !== undefined) {
      throw new DriverError("unsupported", host, `it cannot be updated in place: ${immutable}`, {
        remedy: "replace its machine, or take immutable out of its agent's configuration",
      });
    }
    const record = await this.#begin("command", key, command);
    return await this.#observe(await this.#launch(record, command));
  }

  /** Records a reboot that is about to happen. */
  async beginReboot(key: string): Promise<Operation> {
    return await this.#observe(this.#records.get(key) ?? (await this.#begin("reboot", key)));
  }

  /** True when a reboot of this boot is on record and has not happened. */
  isRebootPending(): boolean {
    return [...this.#records.values()].some(({ kind, end, bootId }) => {
      return kind === "reboot" && !end && bootId === this.#at.bootId();
    });
  }

  /** Undefined when the key was never seen. */
  async observe(key: string): Promise<Operation | undefined> {
    const record = this.#records.get(key);
    return record ? await this.#observe(record) : undefined;
  }

  /** Stops following; the commands go on. */
  close(): void {
    this.#abort.abort();
  }

  async #begin(kind: OperationRecord["kind"], key: string, command?: CommandSpec): Promise<OperationRecord> {
    const running = [...this.#records.values()].find(({ end }) => !end);
    if (running) {
      throw new DriverError("conflict", this.#at.host, `operation ${running.key} is still running`, {
        remedy: "wait for its end",
      });
    }
    const record: OperationRecord = {
      kind,
      key,
      bootId: this.#at.bootId(),
      startedAt: this.#at.clock.now(),
      instance: randomUUID(),
      ...(command ? { command } : {}),
    };
    // In memory first: another call that comes while the disk is written must see it.
    this.#records.set(key, record);
    try {
      await mkdir(this.#at.folder.operation(key), { recursive: true, mode: 0o700 });
      await this.#save(record);
    } catch (error) {
      this.#records.delete(key);
      throw error;
    }
    return record;
  }

  async #launch(record: OperationRecord, command: CommandSpec): Promise<OperationRecord> {
    const started = { ...record, startedAt: this.#at.clock.now(), process: this.#spawn(record, command) };
    await this.#save(started);
    this.#follow(started);
    return started;
  }

  #spawn(record: OperationRecord, command: CommandSpec): ProcessIdentity {
    const output = openSync(this.#outputFile(record), "a", 0o600);
    try {
      const child = spawn(
        "/bin/sh",
        ["-c", WRAPPER, "sh", command.command, this.#exitFile(record), this.#claim(record)],
        {
          cwd: this.#at.root,
          detached: true,
          stdio: ["ignore", output, output],
          env: { ...inheritedEnvironment(), [HOST_ROOT]: this.#at.root, [INSTANCE]: record.instance },
        },
      );
      child.on("error", () => undefined); // No pid then; the follower finds neither process nor exit code.
      child.unref();
      const pid = child.pid ?? -1;
      return { pid, startTicks: readProcess(pid)?.startTicks ?? -1 };
    } finally {
      closeSync(output);
    }
  }

  /** After a restart of the agent, which may have died just before the start, or just after it without the pid. */
  async #adopt(record: OperationRecord): Promise<void> {
    if (record.process) {
      this.#follow(record);
      return;
    }
    const [shell] = findByEnvironment(INSTANCE, record.instance).toSorted((a, b) => a.startTicks - b.startTicks);
    const isBegun = shell !== undefined || existsSync(this.#claim(record)) || existsSync(this.#exitFile(record));
    // What was asked for is still to be done. A shell may have been forked that does not bear its mark yet: it and this
    // one's claim the command, and one of them runs it.
    if (record.command && !isBegun) {
      await this.#launch(record, record.command);
      return;
    }
    const adopted = shell ? { ...record, process: { pid: shell.pid, startTicks: shell.startTicks } } : record;
    if (shell) await this.#save(adopted);
    this.#follow(adopted);
  }

  /** Watches until the end; an error of the disk leaves it open, and a restarted agent looks again. */
  #follow(record: OperationRecord): void {
    this.#followToEnd(record).catch((error: unknown) => {
      process.emitWarning(`operation ${record.key} is no longer followed: ${String(error)}`);
    });
  }

  async #followToEnd(record: OperationRecord): Promise<void> {
    const { clock } = this.#at;
    const deadline = record.startedAt + (record.command?.timeoutMs ?? 0);
    const { signal } = this.#abort;
    const load = new LoadWatch(record.process?.pid ?? -1);
    while (isRunning(record.process)) {
      load.look(clock.now());
      if (clock.now() >= deadline) {
        await this.#endByDeadline(record);
        return;
      }
      await clock.sleep(POLL_MS, signal);
      if (signal.aborted) return;
    }
    const exitCode = await this.#readExitCode(record);
    const seen = load.result();
    await this.#end(record, {
      ...(exitCode === undefined ? { reason: "ended without an exit code" } : outcomeOf(exitCode)),
      ...(seen ? { load: seen } : {}),
    });
  }

  async #endByDeadline(record: OperationRecord): Promise<void> {
    const { clock } = this.#at;
    if (record.process) signalGroup(record.process, "SIGTERM");
    signalByEnvironment(INSTANCE, record.instance, "SIGTERM");
    const hardEnd = clock.monotonic() + TERM_GRACE_MS;
    while (isRunning(record.process) && clock.monotonic() < hardEnd) await clock.sleep(POLL_MS);
    if (record.process) signalGroup(record.process, "SIGKILL");
    signalByEnvironment(INSTANCE, record.instance, "SIGKILL");
    await this.#end(record, { reason: "deadline" });
  }

  async #endEarlierBoot(record: OperationRecord): Promise<void> {
    if (record.kind === "reboot") {
      await this.#end(record, {});
      return;
    }
    const exitCode = await this.#readExitCode(record);
    await this.#end(
      record,
      exitCode === undefined ? { reason: "interrupted by a restart of the host" } : outcomeOf(exitCode),
    );
  }

  async #end(record: OperationRecord, outcome: Pick<Operation, "exitCode" | "reason" | "load">): Promise<void> {
    const state = outcome.reason === undefined ? "done" : "failed";
    await this.#save({ ...record, end: { ...outcome, state, endedAt: this.#at.clock.now() } });
  }

  async #save(record: OperationRecord): Promise<void> {
    await writeRecord(join(this.#at.folder.operation(record.key), "record.json"), record);
    this.#records.set(record.key, record);
  }

  async #observe({ key, startedAt, end, ...record }: OperationRecord): Promise<Operation> {
    const output = await readTail(this.#outputFile({ key, ...record }), OUTPUT_LIMIT_BYTES);
    return { key, startedAt, output, ...(end ?? { state: "running" }) };
  }

  async #readExitCode(record: OperationRecord): Promise<number | undefined> {
    const text = await readFile(this.#exitFile(record), "utf8").catch(() => undefined);
    return text === undefined ? undefined : Number(text.trim());
  }

  #outputFile({ key }: { readonly key: string }): string {
    return join(this.#at.folder.operation(key), "output");
  }

  #claim({ key }: { readonly key: string }): string {
    return join(this.#at.folder.operation(key), "begun");
  }

  #exitFile({ key }: { readonly key: string }): string {
    return join(this.#at.folder.operation(key), "exit");
  }
}

function outcomeOf(exitCode: number): Pick<Operation, "exitCode" | "reason"> {
  if (exitCode === 0) return { exitCode };
  return { exitCode, reason: exitCode === EXIT_NOT_FOUND ? "command not found" : `exit code ${String(exitCode)}` };
}

async function readTail(path: string, limit: number): Promise<string> {
  let file;
  try {
    file = await open(path, "r");
  } catch {
    return ""; // Nothing was started yet.
  }
  try {
    const { size } = await file.stat();
    const length = Math.min(size, limit);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, size - length);
    return buffer.subarray(0, bytesRead).toString("utf8");
  } finally {
    await file.close();
  }
}
