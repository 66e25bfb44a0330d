/** The compiled command line as a process, for tests. */
import { execFile, spawn, type ExecFileOptions } from "node:child_process";
import * as fs from "node:fs/promises";
import * as os from "node:os";
import * as path from "node:path";
import { openFileStore } from "../../providers/journal/file-store";
import type { RunStore } from "../../providers/journal/run-store";
import type { JournalEntry } from "../../sdk/model";

/** What a command printed and how it ended. */
export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export const MAIN = path.join(__dirname, "..", "..", "providers", "cli", "main.js");

/** Environment without what would change a command's words. */
function environment(more: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
  const { ARCHIPELAGO_STORE: _store, NO_COLOR: _none, FORCE_COLOR: _forced, ...rest } = process.env;
  return { ...rest, ...more };
}

/** Runs a command to its end, in a folder where no window file lies. */
export function archipelago(args: readonly string[], options: ExecFileOptions = {}): Promise<Outcome> {
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [MAIN, ...args],
      { cwd: os.tmpdir(), encoding: "utf8", ...options, env: environment(options.env) },
      (error, stdout, stderr) => {
        resolve({ code: error ? Number(error.code) : 0, stdout: String(stdout), stderr: String(stderr) });
      },
    );
  });
}

/** A command that is still running. */
export interface RunningCommand {
  /** Resolves with what was printed so far once it holds the text. */
  seen(text: string | RegExp): Promise<string>;
  signal(name: NodeJS.Signals): void;
  readonly ended: Promise<Outcome>;
}

/** Starts a command and watches what it prints. */
export function startArchipelago(...args: readonly string[]): RunningCommand {
  const child = spawn(process.execPath, [MAIN, ...args], { cwd: os.tmpdir(), env: environment() });
  let stdout = "";
  let stderr = "";
  let waiting: (() => void)[] = [];
  const tell = (): void => {
    for (const look of waiting) look();
  };
  child.stdout.on("data", (chunk: Buffer) => {
    stdout += chunk.toString();
    tell();
  });
  child.stderr.on("data", (chunk: Buffer) => {
    stderr += chunk.toString();
    tell();
  });
  const ended = new Promise<Outcome>((resolve) => {
    child.on("close", (code) => {
      resolve({ code: code ?? -1, stdout, stderr });
      tell();
    });
  });
  return {
    seen: (text) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          const all = stdout + stderr;
          if (typeof text === "string" ? !all.includes(text) : !text.test(all)) {
            if (child.exitCode !== null) reject(new Error(`ended without ${String(text)}:\n${all}`));
            return;
          }
          waiting = waiting.filter((other) => other !== look);
          resolve(all);
        };
        waiting.push(look);
        look();
      }),
    signal: (name) => child.kill(name),
    ended,
  };
}

/** A file store with runs whose entries are given. */
export async function createStore(
  folder: string,
  runs: Readonly<Record<string, readonly JournalEntry[]>>,
): Promise<RunStore> {
  const store = await openFileStore(`file:${folder}`);
  for (const [run, entries] of Object.entries(runs)) await store.append(run, 0, entries);
  return store;
}

/** Names and contents of all files below a folder: equal before and after means that nothing was written. */
export async function contentOf(folder: string): Promise<readonly (readonly [string, string])[]> {
  const entries = await fs.readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => path.join(entry.parentPath, entry.name));
  return Promise.all(files.sort().map(async (file) => [file, await fs.readFile(file, "utf8")] as const));
}
