/** Starting programs from scripts: with the project's own Node, output shown or kept, signals left to the child. */
import { spawn } from "node:child_process";
import { existsSync, realpathSync } from "node:fs";
import { setPriority } from "node:os";
import { delimiter, join, resolve } from "node:path";

/** Root of the repository. */
export const ROOT = resolve(import.meta.dirname ?? new URL(".", import.meta.url).pathname, "..");
const BIN = join(ROOT, "node_modules", ".bin");
/** Niceness. */
const BEHIND = 10;
const PROJECT_NODE = join(BIN, process.platform === "win32" ? "node.cmd" : "node");

/**
 * Runs a program to its end.
 * @param {string} command program on the path, where node_modules/.bin comes first
 * @param {readonly string[]} args
 * @param {{ keepOutput?: boolean, isBehind?: boolean }} options keepOutput: give the output back instead of showing
 *   it; isBehind: let other programs have the processor first
 * @returns {Promise<{ code: number, output: string }>}
 */
export function run(command, args, { keepOutput = false, isBehind = false } = {}) {
  return new Promise((done, fail) => {
    const child = spawn(command, args, {
      cwd: ROOT,
      env: { ...process.env, PATH: `${BIN}${delimiter}${process.env.PATH ?? ""}` },
      stdio: keepOutput ? ["ignore", "pipe", "pipe"] : "inherit",
    });
    if (isBehind && child.pid !== undefined) setPriority(child.pid, BEHIND);
    const chunks = [];
    for (const stream of [child.stdout, child.stderr]) stream?.on("data", (chunk) => chunks.push(chunk));
    // Ctrl-C reaches the child by itself; who started it waits for the child to end in its own way.
    const leave = () => undefined;
    const forward = () => child.kill("SIGTERM");
    process.on("SIGINT", leave).on("SIGTERM", forward);
    child.on("error", fail);
    child.on("close", (code, signal) => {
      process.off("SIGINT", leave).off("SIGTERM", forward);
      done({ code: code ?? (signal === "SIGINT" ? 130 : 1), output: Buffer.concat(chunks).toString() });
    });
  });
}

/**
 * Starts the calling script again with the Node that the project pins, unless it runs there already. A shell that
 * ran `node` before the installation remembers the machine's own.
 */
export async function continueWithProjectNode() {
  if (!existsSync(PROJECT_NODE) || realpathSync(PROJECT_NODE) === realpathSync(process.execPath)) return;
  const { code } = await run(PROJECT_NODE, process.argv.slice(1));
  process.exit(code);
}
