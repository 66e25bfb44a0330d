/**
 * The HAProxy process of a switch: finds the program, starts it, takes over one that an earlier switch left, starts it
 * again when it died, ends it.
 *
 * Not for: what is said to it (runtime-api.ts).
 *
 * Invariants
 * 1. It is a session of its own and outlives a switch that is killed: requests go on, and the next switch takes it over.
 * 2. A running HAProxy with the same configuration is never replaced; one with another is replaced without closing its
 *    ports, and ends when its requests have ended.
 */
import { spawn } from "node:child_process";
import { closeSync, constants, openSync } from "node:fs";
import { access, readFile, writeFile } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { DriverError, MistakeError } from "../../../../../sdk/model";
import { FLEET, inheritedEnvironment } from "../../../../agent/environment";
import { isRunning, readProcess, type ProcessIdentity } from "../../../../agent/process-table";
import type { Clock } from "../../../../clock";
import { HAPROXY_FILES } from "./haproxy-config";
import type { RuntimeApi } from "./runtime-api";

/** Debian puts it where users' paths do not look. */
const FURTHER_FOLDERS = ["/usr/sbin", "/usr/local/sbin"];
/** Starting takes some 20 ms; a port may still be held by a predecessor. */
const START_PATIENCE_MS = 10_000;
const POLL_MS = 20;
/** How often it is looked whether it still runs. */
const WATCH_MS = 200;
/** Waits before it is started again after it could not be. */
const RESTART_MS = 1_000;
const LOG_TAIL_BYTES = 1_000;
const LOG_FILE = "haproxy.log";

/** Path of the haproxy program; undefined when it is not installed. */
export async function findHaproxy(path = process.env["PATH"] ?? ""): Promise<string | undefined> {
  for (const folder of [...path.split(delimiter), ...FURTHER_FOLDERS]) {
    const program = join(folder, "haproxy");
    const isThere = await access(program, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (folder !== "" && isThere) return program;
  }
  return undefined;
}

/** See the file's header. */
export class HaproxyProcess {
  private identity: ProcessIdentity | undefined;
  private watch: NodeJS.Timeout | undefined;
  private isClosed = false;
  /** True when it ran before this switch did. */
  isTakenOver = false;

  constructor(
    private readonly folder: string,
    private readonly api: RuntimeApi,
    private readonly clock: Clock,
    /** It was started again: it has no servers, and holds exclusive services. */
    private readonly onRestart: () => Promise<void>,
  ) {}

  /**
   * Starts it with these files, or takes over one that runs with them.
   * @throws MistakeError when it is not installed, DriverError failed with what it said
   */
  async start(files: { readonly config: string; readonly script: string }): Promise<void> {
    const program = await findHaproxy();
    if (program === undefined) {
      throw MistakeError.of("engine", "haproxy", "needs the program haproxy", "install it: apt-get install haproxy");
    }
    const running = await this.api.pid();
    if (running !== undefined && (await this.holds(files))) {
      this.identity = identify(running);
      this.isTakenOver = true;
    } else {
      await writeFile(join(this.folder, HAPROXY_FILES.config), files.config);
      await writeFile(join(this.folder, HAPROXY_FILES.script), files.script);
      await this.launch(program, running);
    }
    this.watchOver(program, WATCH_MS);
  }

  /** Looks after it no longer. */
  leave(): void {
    this.isClosed = true;
    clearTimeout(this.watch);
  }

  /** Lets requests under way end for at most `graceMs`. */
  async stop(graceMs: number): Promise<void> {
    this.leave();
    const end = this.clock.monotonic() + graceMs;
    if (isRunning(this.identity)) await this.api.send("archipelago end").catch(() => undefined);
    // SIGUSR1 closes the ports and waits for requests.
    if (!this.kill("SIGUSR1")) return;
    while (isRunning(this.identity) && this.clock.monotonic() < end) await this.clock.sleep(POLL_MS);
    this.kill("SIGKILL");
  }

  private async holds(files: { readonly config: string; readonly script: string }): Promise<boolean> {
    const read = (name: string): Promise<string> => readFile(join(this.folder, name), "utf8").catch(() => "");
    return (await read(HAPROXY_FILES.config)) === files.config && (await read(HAPROXY_FILES.script)) === files.script;
  }

  private async launch(program: string, predecessor: number | undefined): Promise<void> {
    const logFile = join(this.folder, LOG_FILE);
    const log = openSync(logFile, "a", 0o600);
    const replaced = predecessor === undefined ? [] : ["-x", HAPROXY_FILES.socket, "-sf", String(predecessor)];
    const failed = Promise.withResolvers<never>();
    try {
      const child = spawn(program, ["-db", "-f", HAPROXY_FILES.config, ...replaced], {
        cwd: this.folder,
        detached: true,
        stdio: ["ignore", log, log],
        env: inheritedEnvironment({ ...process.env, [FLEET]: process.env[FLEET] }),
      });
      child.once("error", failed.reject);
      child.unref();
      failed.promise.catch(() => undefined);
      if (child.pid === undefined) await failed.promise;
      this.identity = identify(child.pid ?? -1);
    } finally {
      closeSync(log);
    }
    const end = this.clock.monotonic() + START_PATIENCE_MS;
    while ((await this.api.pid()) !== this.identity.pid) {
      if (!isRunning(this.identity) || this.clock.monotonic() > end) {
        const said = await readFile(logFile, "utf8").catch(() => "");
        const remedy = `read ${logFile}`;
        throw new DriverError("failed", "haproxy", "does not start", { remedy, output: said.slice(-LOG_TAIL_BYTES) });
      }
      await this.clock.sleep(POLL_MS);
    }
  }

  private watchOver(program: string, afterMs: number): void {
    if (this.isClosed) return;
    this.watch = setTimeout(() => {
      if (isRunning(this.identity)) {
        this.watchOver(program, WATCH_MS);
        return;
      }
      this.launch(program, undefined)
        .then(() => this.onRestart())
        .then(
          () => {
            this.watchOver(program, WATCH_MS);
          },
          () => {
            this.watchOver(program, RESTART_MS);
          },
        );
    }, afterMs);
    this.watch.unref();
  }

  private kill(signal: NodeJS.Signals): boolean {
    if (!this.identity || !isRunning(this.identity)) return false;
    try {
      process.kill(this.identity.pid, signal);
      return true;
    } catch {
      return false; // It ended just now.
    }
  }
}

function identify(pid: number): ProcessIdentity {
  return { pid, startTicks: readProcess(pid)?.startTicks ?? -1 };
}
