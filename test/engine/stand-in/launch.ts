/**
 * Starting the SDK's two processes: the program, and the provider of dynamic resources.
 *
 * Invariant: every process started here is ended by `close` at the latest, by its own handle.
 */
import { spawn } from "node:child_process";
import type { ChildProcessByStdio } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";

/** How a program or provider is started. */
export interface LaunchOptions {
  readonly project: string;
  readonly projectDir: string;
  readonly stack: string;
  /** The program's folder. */
  readonly programDir: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly configuration: Readonly<Record<string, string>>;
  /** Gets what the process prints, line by line. */
  readonly onLine: (line: string) => void;
}

/** A running program. */
export interface Program {
  /** Its exit code, 128 and the number of the signal where one ended it. */
  readonly ended: Promise<number>;
  /** SIGINT, and SIGKILL after the time that the CLI grants. */
  interrupt(): void;
}

/** What the CLI grants a program after Ctrl-C. */
const GRACE_MS = 5_000;
/** How long a provider may take to say its port. */
const PROVIDER_START_MS = 30_000;

/** Starts the program with the SDK's runner. */
export function launchProgram(
  options: LaunchOptions & {
    readonly address: string;
    readonly entry: string;
    readonly dryRun: boolean;
    readonly parallel: number;
    readonly typescript: boolean;
    readonly secretKeys: readonly string[];
  },
): Program {
  const runner = require.resolve("@pulumi/pulumi/cmd/run", { paths: [options.programDir] });
  const child = spawn(
    process.execPath,
    [
      runner,
      ...["--monitor", options.address, "--engine", options.address],
      ...["--organization", "organization", "--project", options.project, "--stack", options.stack],
      ...["--root-directory", options.projectDir, "--pwd", options.programDir],
      ...(options.dryRun ? ["--dry-run"] : []),
      ...["--parallel", String(options.parallel)],
      options.entry,
    ],
    {
      cwd: options.programDir,
      stdio: ["ignore", "pipe", "pipe"],
      env: {
        ...process.env,
        ...options.environment,
        PULUMI_CONFIG: JSON.stringify(options.configuration),
        PULUMI_CONFIG_SECRET_KEYS: JSON.stringify(options.secretKeys),
        ...(options.typescript ? { PULUMI_NODEJS_TYPESCRIPT: "true" } : {}),
      },
    },
  );
  const printed = [child.stdout, child.stderr].map((stream) => forwardLines(stream, options.onLine));
  const ended = endOf(child).then(async (code) => {
    await Promise.all(printed);
    return code;
  });
  return {
    ended,
    interrupt: () => {
      child.kill("SIGINT");
      const timer = setTimeout(() => child.kill("SIGKILL"), GRACE_MS);
      void ended.finally(() => {
        clearTimeout(timer);
      });
    },
  };
}

/** Starts the SDK's provider process and waits for its port. */
export async function launchProvider(
  options: LaunchOptions & { readonly address: string },
): Promise<{ readonly port: number; close(): Promise<void> }> {
  const entry = require.resolve("@pulumi/pulumi/cmd/dynamic-provider", { paths: [options.programDir] });
  // Its standard input stays open: a provider may watch it to learn that the engine is gone.
  // In a group of its own, as the CLI starts it: the first Ctrl-C in a terminal is not for it.
  const child = spawn(process.execPath, [entry, options.address], {
    cwd: options.programDir,
    detached: true,
    stdio: ["pipe", "pipe", "pipe"],
    env: {
      ...process.env,
      ...options.environment,
      PULUMI_NODEJS_PROJECT: options.project,
      PULUMI_PROJECT: options.project,
      PULUMI_NODEJS_STACK: options.stack,
      PULUMI_CONFIG: JSON.stringify(options.configuration),
    },
  });
  void forwardLines(child.stderr, options.onLine);
  const port = Promise.withResolvers<number>();
  let isFirst = true;
  void forwardLines(child.stdout, (line) => {
    if (isFirst) port.resolve(Number(line.trim()));
    else options.onLine(line);
    isFirst = false;
  });
  void endOf(child).then((code) => {
    port.reject(new Error(`the provider process ended with ${String(code)} before it said its port`));
  });
  const timer = setTimeout(() => {
    child.kill("SIGKILL");
  }, PROVIDER_START_MS);
  try {
    return { port: await port.promise, close: () => closeProvider(child) };
  } finally {
    clearTimeout(timer);
  }
}

async function closeProvider(child: ChildProcessByStdio<Writable, Readable, Readable>): Promise<void> {
  const ended = endOf(child);
  child.stdin.end();
  child.kill("SIGTERM");
  const timer = setTimeout(() => child.kill("SIGKILL"), GRACE_MS);
  await ended;
  clearTimeout(timer);
}

async function endOf(child: ChildProcessByStdio<Writable | null, Readable, Readable>): Promise<number> {
  if (child.exitCode === null && child.signalCode === null) {
    await Promise.race([once(child, "exit"), once(child, "error")]);
  }
  return child.exitCode ?? 128;
}

async function forwardLines(stream: Readable, onLine: (line: string) => void): Promise<void> {
  for await (const line of createInterface({ input: stream, crlfDelay: Infinity })) onLine(line);
}
