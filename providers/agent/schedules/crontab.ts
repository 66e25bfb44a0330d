/**
 * The lines of a crontab: when a job starts, and which program it is. Pure.
 *
 * Not for: jobs that start with the machine (`@reboot`), and commands' arguments: these may hold secrets and are dropped.
 *
 * Source: crontab(5) of Debian's cron and of cronie; names, ranges, steps, `@daily` and the like, CRON_TZ.
 */

/** A job as it is scheduled. */
export interface ScheduledJob {
  /** The program's name without folder and arguments. */
  readonly program: string;
  /** Five fields. */
  readonly cron: string;
  /** IANA name, where the file names one. */
  readonly timezone?: string;
}

const SHORT_FORMS: Readonly<Record<string, string>> = {
  "@hourly": "0 * * * *",
  "@daily": "0 0 * * *",
  "@midnight": "0 0 * * *",
  "@weekly": "0 0 * * 0",
  "@monthly": "0 0 1 * *",
  "@yearly": "0 0 1 1 *",
  "@annually": "0 0 1 1 *",
};
/** What the five fields may hold: smallest and largest number, and names. */
const FIELDS: readonly { readonly from: number; readonly to: number; readonly names: RegExp }[] = [
  { from: 0, to: 59, names: /^$/ },
  { from: 0, to: 23, names: /^$/ },
  { from: 1, to: 31, names: /^$/ },
  { from: 1, to: 12, names: /^(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)$/i },
  { from: 0, to: 7, names: /^(sun|mon|tue|wed|thu|fri|sat)$/i },
];
const VARIABLE = /^\s*([A-Za-z_]\w*)\s*=\s*(.*)$/;
/** What stands before a program in commands and is none. */
const PREFIXES = new Set([
  "nice",
  "ionice",
  "nohup",
  "exec",
  "sudo",
  "test",
  "[",
  "cd",
  "root",
  "env",
  "timeout",
  "flock",
  "command",
]);

/** Reads a crontab; lines that are none are left out. @param hasUser whether a user stands before the command */
export function parseCrontab(text: string, hasUser: boolean): readonly ScheduledJob[] {
  let timezone: string | undefined;
  return text.split(/\r?\n/).flatMap((line): readonly ScheduledJob[] => {
    const body = line.trim();
    if (body === "" || body.startsWith("#")) return [];
    const variable = VARIABLE.exec(body);
    if (variable) {
      if (variable[1] === "CRON_TZ") timezone = (variable[2] ?? "").replaceAll(/["']/g, "").trim();
      return [];
    }
    const words = body.split(/\s+/);
    const short = SHORT_FORMS[words[0]?.toLowerCase() ?? ""];
    const fields = short === undefined ? words.slice(0, 5) : [];
    if (short === undefined && (fields.length < 5 || !fields.every(isField))) return [];
    const command = words.slice((short === undefined ? 5 : 1) + (hasUser ? 1 : 0)).join(" ");
    if (command === "") return [];
    const cron = short ?? fields.join(" ");
    return [{ program: programOf(command), cron, ...(timezone === undefined || timezone === "" ? {} : { timezone }) }];
  });
}

/** Lists of numbers, names, ranges and `*`, each with a step or without. */
function isField(text: string, index: number): boolean {
  const field = FIELDS[index];
  const isOne = (one: string): boolean =>
    field !== undefined &&
    (field.names.test(one) || (/^\d+$/.test(one) && Number(one) >= field.from && Number(one) <= field.to));
  return text.split(",").every((part) => {
    const [range = "", step, ...more] = part.split("/");
    const hasStep = step === undefined || (/^\d+$/.test(step) && Number(step) > 0);
    return hasStep && more.length === 0 && (range === "*" || range.split("-", 3).every(isOne));
  });
}

/** The first word of a command that is a program of its own. */
export function programOf(command: string): string {
  // `test -e /x || run-parts /y`: the last part is what runs.
  const part = command.split(/&&|\|\||;/).at(-1) ?? command;
  const words = part
    .trim()
    .split(/\s+/)
    .filter((word) => word !== "" && !word.includes("=") && !/^["'{(]/.test(word));
  const first =
    words.find((word) => !word.startsWith("-") && !/^\d/.test(word) && !PREFIXES.has(word)) ?? words[0] ?? "job";
  return first.split("/").at(-1) ?? first;
}
