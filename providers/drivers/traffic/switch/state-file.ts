/**
 * The switch's memory on disk: ports, backends, weights, owners and hand-overs, so that a restarted switch goes on
 * where the last one ended.
 *
 * Not for: statistics, which begin anew, and results of calls (agent/call-ledger.ts).
 *
 * Invariants
 * 1. `save` resolves when the state it was given, or a later one, is on disk; the file is always whole.
 * 2. One write at a time; states that came meanwhile are written together.
 */
import { open, readFile, rename } from "node:fs/promises";
import { dirname } from "node:path";
import { StoreError } from "../../../../sdk/model";
import type { ServiceRecord } from "./service-record";

/** Format of the file, JSON. */
export interface SwitchState {
  readonly v: 1;
  readonly controlPort: number;
  readonly services: readonly ServiceRecord[];
}

/**
 * Reads a state file; undefined when there is none yet.
 * @throws StoreError corrupt, version
 */
export async function readSwitchState(file: string): Promise<SwitchState | undefined> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
  let state: unknown;
  try {
    state = JSON.parse(text);
  } catch (error) {
    throw new StoreError("corrupt", `state of the switch ${file} is not JSON`, {
      remedy: "move it away; the switch then starts without backends and asks for them anew",
      cause: error,
    });
  }
  const { v, services } = (state ?? {}) as Partial<SwitchState>;
  if (v !== 1 || !Array.isArray(services)) {
    throw new StoreError("version", `state of the switch ${file} has version ${String(v)}, not 1`, {
      remedy: "start the version of the switch that wrote it",
    });
  }
  return state as SwitchState;
}

/** Writes states, newest last. */
export class StateFile {
  private pending: { state: SwitchState; done: PromiseWithResolvers<undefined> } | undefined;
  private writing = false;

  constructor(private readonly file: string) {}

  /** @throws StoreError full, denied, unavailable */
  save(state: SwitchState): Promise<undefined> {
    if (this.pending === undefined) this.pending = { state, done: Promise.withResolvers() };
    else this.pending.state = state;
    const { promise } = this.pending.done;
    if (!this.writing) void this.writeAll();
    return promise;
  }

  private async writeAll(): Promise<void> {
    this.writing = true;
    while (this.pending !== undefined) {
      const { state, done } = this.pending;
      this.pending = undefined;
      try {
        await replaceFile(this.file, `${JSON.stringify(state)}\n`);
        done.resolve(undefined);
      } catch (error) {
        done.reject(storeError(this.file, error));
      }
    }
    this.writing = false;
  }
}

async function replaceFile(file: string, content: string): Promise<void> {
  const temporary = `${file}.new`;
  const handle = await open(temporary, "w", 0o600);
  try {
    await handle.writeFile(content);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(temporary, file);
  // The new name itself must survive a crash of the machine.
  const directory = await open(dirname(file), "r");
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

function storeError(file: string, error: unknown): StoreError {
  const code = (error as NodeJS.ErrnoException).code;
  return new StoreError(
    code === "ENOSPC" ? "full" : code === "EACCES" || code === "EPERM" ? "denied" : "unavailable",
    `state of the switch ${file} cannot be written: ${String(code ?? error)}`,
    { remedy: "make room or give access; nothing was changed", cause: error },
  );
}
