#!/usr/bin/env node
/**
 * The command line `archipelago`. One file per command; each loads what it needs when it runs.
 *
 * Exit codes: 0 done, 1 failed, 2 wrong usage.
 */
import { didYouMean, isKind, messageOf } from "../../sdk/model";
import { UsageError, type Command } from "./command";
import { planCommand } from "./plan";
import { reportCommand } from "./report";

const COMMANDS: readonly Command[] = [planCommand, reportCommand];

async function main(args: readonly string[]): Promise<number> {
  const [name, ...rest] = args;
  if (name === undefined || name === "--help" || name === "help") {
    console.log(usage());
    return name === undefined ? 2 : 0;
  }
  if (name === "--version") {
    const { packageVersion } = await import("../runner/environment.js");
    console.log(packageVersion());
    return 0;
  }
  const command = COMMANDS.find((candidate) => candidate.name === name);
  if (!command) {
    const names = COMMANDS.map((candidate) => candidate.name);
    const near = didYouMean(name, names);
    throw new UsageError(
      `unknown command "${name}"; ${near ? `did you mean "${near}"?` : `known commands: ${names.join(", ")}`}`,
    );
  }
  if (rest.includes("--help")) {
    console.log(command.help);
    return 0;
  }
  return command.run(rest);
}

function usage(): string {
  const width = Math.max(...COMMANDS.map(({ name }) => name.length));
  return [
    "Usage: archipelago COMMAND [options]",
    "",
    ...COMMANDS.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}`),
    "",
    'Each command has its own "--help".',
  ].join("\n");
}

main(process.argv.slice(2)).then(
  (code) => {
    process.exitCode = code;
  },
  (error: unknown) => {
    console.error(`archipelago: ${messageOf(error)}`);
    const isUsage =
      error instanceof UsageError ||
      (error instanceof TypeError && "code" in error && String(error.code).startsWith("ERR_PARSE_ARGS"));
    process.exitCode = isUsage || isKind(error, "MistakeError") ? 2 : 1;
  },
);
