/**
 * Starts the load generator in a process of its own, so that what measures does not share an event loop with what is
 * measured, and in a session of its own: Linux shares the CPU between sessions first (providers/niceness.ts), so that
 * what runs the update does not take the generator's turn. It ends with the process that started it.
 */
import { fork } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { join } from "node:path";
import type { LoadCommand, LoadMessage, LoadOptions, LoadProgress, LoadResult } from "./load-contract";

/** A load under way. */
export interface RunningLoad {
  /** Requests from now on belong to this phase: `steady`, `window`, `after`. */
  mark(phase: string): Promise<void>;
  /** Begins no further request, waits for those under way, and gives the result. */
  stop(): Promise<LoadResult>;
  /** Resolves when the load ends, by `stop` or by its own bounds. Rejects when its process dies. */
  readonly done: Promise<LoadResult>;
  /** Ends its process without a result. */
  kill(): void;
}

/**
 * Starts a load; resolves when requests are being made.
 * @param onProgress called every second; prints to standard error when omitted
 */
export async function startLoad(
  options: LoadOptions,
  onProgress: (progress: LoadProgress) => void = printProgress,
): Promise<RunningLoad> {
  const child = fork(join(__dirname, "generator.js"), {
    stdio: ["ignore", "inherit", "inherit", "ipc"],
    detached: true,
  });
  const done = Promise.withResolvers<LoadResult>();
  // Whoever awaits `done` sees the error; nobody has to.
  done.promise.catch(() => undefined);
  child.on("message", (message: LoadMessage) => {
    if (message.kind === "progress") onProgress(message.progress);
    if (message.kind !== "result") return;
    done.resolve(message.result);
    child.disconnect();
  });
  child.on("exit", (code, signal) => {
    done.reject(new Error(`the load generator ended early (${String(signal ?? code)})`));
  });
  child.on("error", done.reject);
  await Promise.race([answerOf(child, "ready"), done.promise]);
  await ask(child, { kind: "start", options }, "started", done.promise);
  return {
    mark: (phase) => ask(child, { kind: "mark", phase }, "marked", done.promise),
    stop: () => {
      if (child.connected) child.send({ kind: "stop" } satisfies LoadCommand);
      return done.promise;
    },
    done: done.promise,
    kill: () => {
      child.kill("SIGKILL");
    },
  };
}

async function ask(
  child: ChildProcess,
  command: LoadCommand,
  kind: LoadMessage["kind"],
  ended: Promise<unknown>,
): Promise<void> {
  if (!child.connected) return;
  const answer = answerOf(child, kind);
  child.send(command);
  await Promise.race([answer, ended]);
}

function answerOf(child: ChildProcess, kind: LoadMessage["kind"]): Promise<void> {
  return new Promise((resolve) => {
    const listen = (message: LoadMessage): void => {
      if (message.kind !== kind) return;
      child.off("message", listen);
      resolve();
    };
    child.on("message", listen);
  });
}

function printProgress({ phase, requests, failed, inFlight, ackedWrites }: LoadProgress): void {
  process.stderr.write(
    `load: ${phase}: ${String(requests)} requests, ${String(failed)} failed, ${String(inFlight)} under way, ` +
      `${String(ackedWrites)} writes acknowledged\n`,
  );
}
