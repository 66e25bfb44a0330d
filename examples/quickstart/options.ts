/** What follows `npm run quickstart --`; every mistake is told at once, before anything is started. */
import { parseArgs } from "node:util";
import { didYouMean } from "../../sdk/model";

export const HELP = `Usage: npm run quickstart -- [options]

Starts six hosts (agent processes) in three zones on this machine, puts live traffic on their workloads,
previews and carries out a host update through Pulumi, and prints the measured report.

  --keep        leave the fleet running, for "pulumi preview" and "pulumi up" in this folder
  --stop        only end the fleet that an earlier --keep has left
  --seed N      seed of the generated load history (default 1)
  --rate N      requests a second, 10 to 1000 (default 150)
  --fail        let the update fail on its first host, to see what happens then
  --help        show this`;

/** What was asked for. */
export interface QuickstartOptions {
  readonly keep: boolean;
  readonly stop: boolean;
  readonly fail: boolean;
  readonly help: boolean;
  readonly seed: number;
  readonly rate: number;
}

const FLAGS = ["keep", "stop", "fail", "help"] as const;
const NUMBERS = {
  seed: { usual: 1, least: 0, most: 2 ** 31 - 1 },
  rate: { usual: 150, least: 10, most: 1000 },
} as const;

/** @throws Error whose message lists all mistakes */
export function parseOptions(args: readonly string[]): QuickstartOptions {
  const flags = Object.fromEntries(FLAGS.map((name) => [name, { type: "boolean" as const }]));
  const numbers = Object.fromEntries(Object.keys(NUMBERS).map((name) => [name, { type: "string" as const }]));
  const { values, positionals } = parseArgs({
    args: [...args],
    options: { ...flags, ...numbers },
    strict: false,
    allowPositionals: true,
  });
  const known = [...FLAGS, ...Object.keys(NUMBERS)].map((name) => `--${name}`);
  const mistakes = [...positionals.map((word) => word), ...Object.keys(values).map((name) => `--${name}`)]
    .filter((word) => !known.includes(word))
    .map((word) => {
      const near = didYouMean(word, known);
      return `${word} is no option; ${near === undefined ? `there are ${known.join(", ")}` : `did you mean ${near}?`}`;
    });
  const number = (name: keyof typeof NUMBERS): number => {
    const { usual, least, most } = NUMBERS[name];
    const text = values[name];
    const value = text === undefined ? usual : Number(text);
    if (text === true || !Number.isInteger(value) || value < least || value > most) {
      const given = typeof text === "string" ? ` ("${text}")` : "";
      mistakes.push(`--${name}${given} must be a whole number from ${String(least)} to ${String(most)}`);
    }
    return value;
  };
  const options = {
    keep: values["keep"] === true,
    stop: values["stop"] === true,
    fail: values["fail"] === true,
    help: values["help"] === true,
    seed: number("seed"),
    rate: number("rate"),
  };
  if (mistakes.length > 0) {
    throw new Error(`${["quickstart:", ...mistakes].join("\n  ")}\n  All options: npm run quickstart -- --help`);
  }
  return options;
}
