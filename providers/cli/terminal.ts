/**
 * Where a command writes: results to standard output, what is said on the way to standard error. Colours and redrawing
 * only where a person looks at it.
 *
 * Not for: what is written (the commands) and how errors are shown (main.ts).
 *
 * Invariants
 * 1. Standard output carries results alone, so that it can be piped; with `--json` nothing but JSON.
 * 2. No escape sequence goes to anything but a terminal, and no colour where NO_COLOR is set.
 * 3. Texts of others, such as reasons in a store, cannot steer the terminal: of their control characters only line
 *    breaks and tabs pass.
 */
import type { Progress } from "../clock";
import { cut } from "./table";

/** Paints a text; the same text where there are no colours. */
export type Paint = (text: string) => string;

export interface Colours {
  readonly bold: Paint;
  readonly dim: Paint;
  readonly red: Paint;
  readonly green: Paint;
  readonly yellow: Paint;
  readonly blue: Paint;
}

export interface Terminal {
  /** Standard output is a terminal that can be redrawn. */
  readonly isLive: boolean;
  /** Width of a terminal; elsewhere lines have no end, so that nothing is cut from what is piped. */
  readonly columns: number;
  readonly colours: Colours;
  /** A result, on standard output. */
  print(text: string): void;
  printJson(value: unknown): void;
  /** Something said on the way, on standard error. */
  note(text: string): void;
  /** Replaces what the last `redraw` showed; only where `isLive`. */
  redraw(text: string): void;
  /** Progress of long work on standard error: lines, and the status of the moment on terminals. */
  readonly progress: Progress;
}

/** The parts of a stream that matter here. */
export interface TerminalStream {
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly rows?: number;
  write(text: string): unknown;
}

/** Size of a terminal that does not tell. */
const DEFAULT_COLUMNS = 120;
const DEFAULT_ROWS = 40;

const CODES = {
  bold: [1, 22],
  dim: [2, 22],
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
  blue: [34, 39],
} as const;

/**
 * A terminal over two streams.
 * @param environment NO_COLOR (https://no-color.org), FORCE_COLOR and TERM are looked at
 */
export function createTerminal(
  output: TerminalStream,
  errors: TerminalStream,
  environment: Readonly<Record<string, string | undefined>>,
): Terminal {
  const isLive = output.isTTY === true && environment["TERM"] !== "dumb";
  const isStatusShown = errors.isTTY === true && environment["TERM"] !== "dumb";
  let statusLength = 0;
  const clearStatus = (): void => {
    if (statusLength > 0) errors.write("\r\u001b[K");
    statusLength = 0;
  };
  const note = (text: string): void => {
    clearStatus();
    errors.write(`${clean(text)}\n`);
  };
  return {
    isLive,
    get columns() {
      return isLive ? (output.columns ?? DEFAULT_COLUMNS) : Infinity;
    },
    colours: createColours(hasColours(isLive, environment)),
    print: (text) => {
      clearStatus();
      output.write(`${clean(text)}\n`);
    },
    printJson: (value) => {
      clearStatus();
      output.write(`${JSON.stringify(value, null, 2)}\n`);
    },
    note,
    redraw: (text) => {
      // Drawn over line by line: clearing the screen would flicker. A line too many or too long would scroll it away.
      const lines = clean(text)
        .split("\n")
        .slice(0, Math.max(1, (output.rows ?? DEFAULT_ROWS) - 1))
        .map((line) => `${cut(line, output.columns ?? DEFAULT_COLUMNS)}\u001b[K`);
      output.write(`\u001b[H${lines.join("\n")}\n\u001b[J`);
    },
    progress: {
      line: note,
      status: (text) => {
        if (!isStatusShown) return;
        const line = clean(text).slice(0, Math.max(0, (errors.columns ?? DEFAULT_COLUMNS) - 1));
        clearStatus();
        errors.write(line);
        statusLength = line.length;
      },
    },
  };
}

// eslint-disable-next-line no-control-regex -- control characters are what is looked for
const CONTROLS = /\u001b(?!\[\d+m)|[\u0000-\u0008\u000b-\u001a\u001c-\u001f\u007f-\u009f]/g;

/** Takes control characters out of a text; colours pass. */
function clean(text: string): string {
  return text.replace(CONTROLS, "?");
}

function hasColours(isLive: boolean, environment: Readonly<Record<string, string | undefined>>): boolean {
  const { NO_COLOR, FORCE_COLOR } = environment;
  if (NO_COLOR !== undefined && NO_COLOR !== "") return false;
  if (FORCE_COLOR !== undefined && FORCE_COLOR !== "") return FORCE_COLOR !== "0";
  return isLive;
}

function createColours(isOn: boolean): Colours {
  const paint = ([on, off]: readonly [number, number]): Paint =>
    isOn ? (text) => `\u001b[${String(on)}m${text}\u001b[${String(off)}m` : (text) => text;
  return {
    bold: paint(CODES.bold),
    dim: paint(CODES.dim),
    red: paint(CODES.red),
    green: paint(CODES.green),
    yellow: paint(CODES.yellow),
    blue: paint(CODES.blue),
  };
}
