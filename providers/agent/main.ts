#!/usr/bin/env node
/**
 * `archipelago-agent`: the process on each host, and the traffic switch of a fleet.
 *
 * Not for: what they do; this parses arguments, waits for signals and prints mistakes without a stack trace.
 */
import { spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { isKind, messageOf, refuseNode } from "../../sdk/model";
import { systemClock } from "../clock";
import { readAgentConfig, type AgentConfig } from "./agent-config";
import { lowerAgent } from "./priority";
import { startRotation } from "./rotation";
import { startAgent, startSuccessor, type RunningAgent } from "./serve";

const USAGE = `archipelago-agent keeps the copies of workloads on one host and carries out host updates.

Usage:
  archipelago-agent serve --config FILE    run the agent of a host
  archipelago-agent switch --config FILE   run the traffic switch of a fleet
  archipelago-agent enroll | renew | refresh | install | uninstall | authority
                                           join a fleet and leave it; each has its own --help
  archipelago-agent --help | --version
`;

const EXIT_FAILURE = 1;
const EXIT_USAGE = 2;
/** How long a successor waits for its predecessor to leave the port. */
const SUCCESSION_MS = 10_000;
const SUCCESSION_POLL_MS = 20;

const ENROLMENT = new Set(["enroll", "renew", "refresh", "install", "uninstall", "authority"]);

async function main(parameters: readonly string[]): Promise<void> {
  const refusal = refuseNode(process.versions.node, process.execPath);
  if (refusal !== undefined) throw new UsageError(`${refusal}\n`);
  const [first = "", ...others] = parameters;
  if (ENROLMENT.has(first)) {
    // Loaded only where it is asked for: agents stay small.
    const { runEnrolment } = await import("./enroll/command-line.js");
    await runEnrolment(first, others, __filename).catch((error: unknown) => {
      // What was written on the command line, not in a file.
      throw isKind(error, "MistakeError") ? new UsageError(`archipelago-agent ${first}: ${messageOf(error)}`) : error;
    });
    return;
  }
  const { values, positionals } = parseArgs({
    args: [...parameters],
    allowPositionals: true,
    options: {
      config: { type: "string" },
      help: { type: "boolean", short: "h" },
      version: { type: "boolean" },
      successor: { type: "boolean" },
    },
  });
  if (values.help) {
    process.stdout.write(USAGE);
    return;
  }
  if (values.version) {
    process.stdout.write(`${await readVersion()}\n`);
    return;
  }
  const [command, ...rest] = positionals;
  if (rest.length > 0 || (command !== "serve" && command !== "switch")) throw new UsageError(USAGE);
  if (values.config === undefined) throw new UsageError(`${command} needs --config FILE\n`);
  const configFile = resolve(values.config);
  if (command === "serve") await serve(configFile, values.successor === true);
  else await serveSwitch(configFile);
}

/** Mistakes in how the program was called. */
class UsageError extends Error {}

async function serve(configFile: string, isSuccessor: boolean): Promise<void> {
  // Whoever started the agent may have closed its end; the host must not go down for that.
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => undefined);
  const config = await readAgentConfig(configFile);
  if (config.platform === "local") lowerAgent();
  let isEnding = false;
  const end = async (): Promise<void> => {
    if (isEnding) return;
    isEnding = true;
    rotation.close();
    await agent.close();
    process.exit();
  };
  const reboot = (): void => {
    if (config.platform === "linux") {
      spawn("systemctl", ["reboot"], { stdio: "inherit" }).on("error", fail);
      return;
    }
    startSuccessor(__filename, configFile);
    // Like a machine that restarts: what is under way breaks off, and nothing of this process meets its successor.
    process.exit();
  };
  const agent = await startWhenPortIsFree(config, reboot, isSuccessor ? SUCCESSION_MS : 0);
  const rotation = startRotation({
    config,
    configFile,
    program: __filename,
    clock: systemClock,
    warn: (text) => process.stderr.write(`${text}\n`),
  });
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    process.on(signal, () => {
      end().catch(fail);
    });
  }
  const note = agent.withoutShares === undefined ? "" : `; it offers no shares: ${agent.withoutShares}`;
  process.stdout.write(`${config.host} serves at ${agent.url}${note}\n`);
}

async function startWhenPortIsFree(
  config: AgentConfig,
  onReboot: () => void,
  patienceMs: number,
): Promise<RunningAgent> {
  const end = performance.now() + patienceMs;
  for (;;) {
    try {
      return await startAgent(config, { onReboot });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EADDRINUSE" || performance.now() > end) throw error;
      await new Promise((wake) => setTimeout(wake, SUCCESSION_POLL_MS));
    }
  }
}

/** The switch is loaded only where it runs: agents stay small. */
async function serveSwitch(configFile: string): Promise<void> {
  const { runSwitch } = await import("../drivers/traffic/switch/main.js");
  process.exitCode = await runSwitch(configFile);
}

/** Version of the package this file is part of, whatever folder it was compiled to. */
async function readVersion(): Promise<string> {
  for (let folder = __dirname; folder !== dirname(folder); folder = dirname(folder)) {
    const text = await readFile(join(folder, "package.json"), "utf8").catch(() => undefined);
    const manifest = text === undefined ? {} : (JSON.parse(text) as { name?: string; version?: string });
    if (manifest.name === "pulumi-archipelago" && manifest.version !== undefined) return manifest.version;
  }
  return "unknown";
}

function fail(error: unknown): void {
  const isUsage = error instanceof UsageError || (error as NodeJS.ErrnoException).code?.startsWith("ERR_PARSE_ARGS");
  process.stderr.write(isUsage ? messageOf(error).trimEnd() + "\n" : `archipelago-agent: ${messageOf(error)}\n`);
  process.exit(isUsage ? EXIT_USAGE : EXIT_FAILURE);
}

main(process.argv.slice(2)).catch(fail);
