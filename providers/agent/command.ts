/**
 * Short commands of reads: probes and checks. They run in the host's root folder, within a deadline, and end with
 * everything they started.
 *
 * Not for: updates, which outlive the agent (operations.ts).
 */
import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { HOST_ROOT, INSTANCE, inheritedEnvironment } from "./environment";
import { signalByEnvironment } from "./process-table";

/** How a command ended. */
export interface CommandResult {
  /** Absent when it was killed. */
  readonly exitCode?: number;
  /** Standard output. */
  readonly output: string;
  /** Both streams, as they came. */
  readonly transcript: string;
  /** True when the deadline ended it. */
  readonly isTimedOut: boolean;
}

/** Output kept of each stream; the rest is dropped, the newest is kept. */
export const OUTPUT_LIMIT_BYTES = 64 * 1024;

/** Runs `/bin/sh -c command`; `signal` ends it too. */
export async function runCommand(
  root: string,
  command: string,
  timeoutMs: number,
  signal?: AbortSignal,
): Promise<CommandResult> {
  const instance = randomUUID();
  const child = spawn("/bin/sh", ["-c", command], {
    cwd: root,
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...inheritedEnvironment(), [HOST_ROOT]: root, [INSTANCE]: instance },
  });
  const output = createTail();
  const transcript = createTail();
  child.stdout.on("data", (chunk: Buffer) => {
    output.add(chunk);
    transcript.add(chunk);
  });
  child.stderr.on("data", (chunk: Buffer) => {
    transcript.add(chunk);
  });
  const ended = Promise.withResolvers<number | null>();
  child.once("error", ended.reject);
  child.once("exit", ended.resolve);
  const deadline = AbortSignal.timeout(timeoutMs);
  const stop = signal ? AbortSignal.any([signal, deadline]) : deadline;
  const kill = (): void => {
    signalByEnvironment(INSTANCE, instance, "SIGKILL");
  };
  stop.addEventListener("abort", kill, { once: true });
  try {
    const exitCode = await ended.promise;
    await drained(child.stdout, child.stderr);
    return {
      ...(exitCode === null ? {} : { exitCode }),
      output: output.text(),
      transcript: transcript.text(),
      isTimedOut: deadline.aborted,
    };
  } finally {
    stop.removeEventListener("abort", kill);
  }
}

/** Keeps the newest bytes of a stream. */
function createTail(): { readonly add: (chunk: Buffer) => void; readonly text: () => string } {
  let kept: Buffer = Buffer.alloc(0);
  return {
    add: (chunk) => {
      kept = Buffer.concat([kept, chunk]).subarray(-OUTPUT_LIMIT_BYTES);
    },
    text: () => kept.toString("utf8"),
  };
}

/** What was printed before the exit may arrive after it; a background child may keep the pipe open for ever. */
async function drained(...streams: readonly NodeJS.ReadableStream[]): Promise<void> {
  const ends = streams.map(
    (stream) =>
      new Promise<void>((resolve) => {
        if (!stream.readable) resolve();
        else stream.once("close", resolve);
      }),
  );
  const patience = Promise.withResolvers<undefined>();
  const timer = setTimeout(patience.resolve, 200, undefined);
  await Promise.race([Promise.all(ends), patience.promise]);
  clearTimeout(timer);
}
