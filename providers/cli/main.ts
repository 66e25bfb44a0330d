#!/usr/bin/env node
/**
 * The command line `archipelago`: finds the command, shows help and errors. One file per command; each loads what it
 * needs when it runs.
 *
 * Exit codes: exit-codes.ts.
 */
import { isKind, messageOf, refuseNode } from "../../sdk/model";
import { UsageError, describeUnknown } from "./command";
import { COMMANDS } from "./commands";
import { EXIT_CODES } from "./exit-codes";
import { createTerminal, type Terminal } from "./terminal";

async function main(args: readonly string[], terminal: Terminal): Promise<number> {
  const refusal = refuseNode(process.versions.node, process.execPath);
  if (refusal !== undefined) throw new UsageError(refusal);
  const [name, ...rest] = args;
  if (name === undefined || name === "--help" || name === "-h" || name === "help") {
    const [about] = rest;
    if (name === "help" && about !== undefined) {
      terminal.print(commandOf(about).help);
      return EXIT_CODES.done;
    }
    if (name === undefined) terminal.note(usage());
    else terminal.print(usage());
    return name === undefined ? EXIT_CODES.usage : EXIT_CODES.done;
  }
  if (name === "--version" || name === "-v") {
    const { packageVersion } = await import("../runner/environment.js");
    terminal.print(packageVersion());
    return EXIT_CODES.done;
  }
  const command = commandOf(name);
  if (rest.includes("--help") || rest.includes("-h")) {
    terminal.print(command.help);
    return EXIT_CODES.done;
  }
  return command.run(rest, terminal);
}

function commandOf(name: string): (typeof COMMANDS)[number] {
  const command = COMMANDS.find((candidate) => candidate.name === name);
  if (command) return command;
  const names = COMMANDS.map((candidate) => candidate.name);
  throw new UsageError(`${describeUnknown("command", name, names)}\n  See: archipelago --help`);
}

function usage(): string {
  const width = Math.max(...COMMANDS.map(({ name }) => name.length));
  return [
    "Usage: archipelago COMMAND [options]",
    "",
    "Keeps services up while the machines under them are updated: shows and steers the runs of a run store.",
    "",
    ...COMMANDS.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}`),
    "",
    "The run store is --store URL, or that of a window file (--file), of $ARCHIPELAGO_STORE, of ./archipelago.yaml,",
    "or of the quickstart (./.archipelago/quickstart).",
    "",
    'Each command has its own "--help", and "--json" for programs.',
  ].join("\n");
}

/** Shows an error: one line for people on standard error; with `--json` the error as JSON on standard output too. */
function fail(error: unknown, args: readonly string[], terminal: Terminal): number {
  if (args.includes("--json")) terminal.printJson({ v: 1, error: describeError(error) });
  terminal.note(`${terminal.colours.red("archipelago:")} ${messageOf(error)}`);
  if (error instanceof UsageError || isKind(error, "MistakeError")) return EXIT_CODES.usage;
  return isKind(error, "InterruptedError") ? EXIT_CODES.interrupted : EXIT_CODES.failed;
}

function describeError(error: unknown): object {
  const known = error as { kind?: unknown; code?: unknown; remedy?: unknown; mistakes?: unknown };
  const isKnown = typeof error === "object" && error !== null;
  return {
    kind: isKnown && typeof known.kind === "string" ? known.kind : "Error",
    ...(isKnown && typeof known.code === "string" ? { code: known.code } : {}),
    message: messageOf(error),
    ...(isKnown && typeof known.remedy === "string" ? { remedy: known.remedy } : {}),
    ...(isKnown && Array.isArray(known.mistakes) ? { mistakes: known.mistakes as unknown[] } : {}),
  };
}

const terminal = createTerminal(process.stdout, process.stderr, process.env);
// `archipelago status | head` closes the pipe: that is no error.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(EXIT_CODES.done);
  throw error;
});
const args = process.argv.slice(2);
main(args, terminal).then(
  (code) => {
    process.exitCode = code;
  },
  (error: unknown) => {
    process.exitCode = fail(error, args, terminal);
  },
);
