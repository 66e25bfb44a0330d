/**
 * What a command of the command line is, and how its arguments are read: one table of options gives the parsing, the
 * help, the shell completion and the "did you mean".
 *
 * Not for: what commands do, and how errors are shown (main.ts).
 *
 * Invariants
 * 1. Every mistake in the arguments is reported at once, before anything is done.
 * 2. Every command has `--json` and `--help`.
 */
import { parseArgs } from "node:util";
import { didYouMean } from "../../sdk/model";
import type { Terminal } from "./terminal";

/** One option of a command. */
export interface OptionDefinition {
  /** What stands for the value in the help, such as `FILE`; absent: a flag. */
  readonly value?: string;
  /** What it does, and what happens without it. Lines are broken by the help. */
  readonly about: string;
}

/** Options by name, without the dashes. */
export type OptionTable = Readonly<Record<string, OptionDefinition>>;

/** What was given: texts for options with a value, true or false for flags. */
export type OptionValues<O extends OptionTable> = {
  readonly [K in keyof O]: O[K] extends { readonly value: string } ? string | undefined : boolean;
};

/** Arguments without dashes. */
export interface PositionalDefinition {
  /** As in the help, such as `RUN`. */
  readonly name: string;
  readonly isOptional?: boolean;
  /** What a shell completes there. @default nothing */
  readonly completes?: "runs" | "files" | readonly string[];
}

/** One call of a command. */
export interface Call<O extends OptionTable = OptionTable> {
  readonly options: OptionValues<O>;
  readonly positionals: readonly string[];
  readonly isJson: boolean;
  readonly terminal: Terminal;
}

/** A command as its file declares it. */
export interface CommandDefinition<O extends OptionTable> {
  readonly name: string;
  /** One line for the list. */
  readonly summary: string;
  /** What it does, for `--help`: short lines. */
  readonly about: string;
  readonly positionals?: readonly PositionalDefinition[];
  readonly options: O;
  /** Command lines with what they do. */
  readonly examples?: readonly (readonly [command: string, does: string])[];
  /** @returns the exit code, see exit-codes.ts @throws UsageError for arguments that do not fit together */
  run(call: Call<O>): Promise<number>;
}

/** A command as the frame uses it. */
export interface Command {
  readonly name: string;
  readonly summary: string;
  readonly help: string;
  readonly positionals: readonly PositionalDefinition[];
  readonly options: OptionTable;
  /** @returns the exit code @throws UsageError for wrong arguments */
  run(args: readonly string[], terminal: Terminal): Promise<number>;
}

/** Wrong arguments: exit code 2. Nothing was changed. */
export class UsageError extends Error {
  override readonly name = "UsageError";
  readonly kind = "UsageError";
}

/** Options of every command. */
const COMMON_OPTIONS = {
  json: { about: "print JSON for programs, on standard output alone" },
  help: { about: "show this" },
} as const satisfies OptionTable;

/** Width of the help's text. */
const HELP_WIDTH = 100;

/** Makes a command of its definition. */
export function defineCommand<const O extends OptionTable>(definition: CommandDefinition<O>): Command {
  const { name, summary, positionals = [] } = definition;
  const options = { ...definition.options, ...COMMON_OPTIONS };
  return {
    name,
    summary,
    help: renderHelp(definition, options),
    positionals,
    options,
    run: async (args, terminal) => {
      const parsed = parseArguments(args, options, positionals, name);
      return definition.run({
        options: parsed.options as OptionValues<O>,
        positionals: parsed.positionals,
        isJson: parsed.options["json"] === true,
        terminal,
      });
    },
  };
}

/** The unknown word with what was probably meant. */
export function describeUnknown(what: string, word: string, known: readonly string[]): string {
  const near = didYouMean(word, known);
  return `unknown ${what} "${word}"; ${near === undefined ? `there are: ${known.join(", ")}` : `did you mean "${near}"?`}`;
}

interface ParsedArguments {
  readonly options: Readonly<Record<string, string | boolean | undefined>>;
  readonly positionals: readonly string[];
}

function parseArguments(
  args: readonly string[],
  options: OptionTable,
  positionals: readonly PositionalDefinition[],
  command: string,
): ParsedArguments {
  const { tokens } = parseArgs({
    args: [...args],
    options: Object.fromEntries(
      Object.entries(options).map(([name, { value }]) => [name, { type: value === undefined ? "boolean" : "string" }]),
    ),
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  const mistakes: string[] = [];
  const given: Record<string, string | boolean | undefined> = {};
  for (const [name, { value }] of Object.entries(options)) given[name] = value === undefined ? false : undefined;
  const seen = new Set<string>();
  const words: string[] = [];
  let hasUnknown = false;
  for (const token of tokens) {
    if (token.kind === "positional") words.push(token.value);
    if (token.kind !== "option") continue;
    const option = Object.hasOwn(options, token.name) ? options[token.name] : undefined;
    if (!option) {
      hasUnknown = true;
      mistakes.push(
        describeUnknown(
          "option",
          token.rawName,
          Object.keys(options).map((name) => `--${name}`),
        ),
      );
      continue;
    }
    if (seen.has(token.name)) mistakes.push(`${token.rawName} stands twice; leave one out`);
    seen.add(token.name);
    if (option.value === undefined) {
      if (token.value !== undefined) mistakes.push(`${token.rawName} takes no value; leave out "=${token.value}"`);
      given[token.name] = true;
    } else if (token.value === undefined || (!token.inlineValue && /^-./.test(token.value))) {
      mistakes.push(`${token.rawName} needs a value; write ${token.rawName} ${option.value}`);
    } else {
      given[token.name] = token.value;
    }
  }
  // A word after an unknown option may be its value: what else is wrong cannot be told then.
  if (!hasUnknown) mistakes.push(...mistakesInWords(words, positionals));
  if (mistakes.length > 0) {
    throw new UsageError(`${mistakes.join("\n  ")}\n  See: archipelago ${command} --help`);
  }
  return { options: given, positionals: words };
}

function mistakesInWords(words: readonly string[], positionals: readonly PositionalDefinition[]): readonly string[] {
  const missing = positionals.slice(words.length).filter(({ isOptional }) => isOptional !== true);
  const extra = words.slice(positionals.length);
  return [
    ...missing.map(({ name }) => `${name} is missing`),
    ...extra.map((word) => `"${word}" is one argument too many; leave it out`),
  ];
}

function renderHelp<O extends OptionTable>(definition: CommandDefinition<O>, options: OptionTable): string {
  const { name, about, positionals = [], examples = [] } = definition;
  const words = positionals.map((word) => (word.isOptional === true ? `[${word.name}]` : word.name));
  const rows = Object.entries(options).map(
    ([option, { value, about: text }]) => [`--${option}${value === undefined ? "" : ` ${value}`}`, text] as const,
  );
  const width = Math.max(...rows.map(([flag]) => flag.length));
  const lines = [`Usage: archipelago ${[name, ...words, "[options]"].join(" ")}`, "", about.trim(), ""];
  for (const [flag, text] of rows) {
    const [first = "", ...rest] = wrap(text, HELP_WIDTH - width - 4);
    lines.push(`  ${flag.padEnd(width)}  ${first}`, ...rest.map((line) => `  ${" ".repeat(width)}  ${line}`));
  }
  if (examples.length > 0) {
    lines.push("", "Examples:", ...examples.flatMap(([command, does]) => [`  ${command}`, `      ${does}`]));
  }
  return lines.join("\n");
}

/** Breaks a text into lines. */
function wrap(text: string, width: number): readonly string[] {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= width) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}
