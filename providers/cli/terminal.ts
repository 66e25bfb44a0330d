/**
 * Where a command writes: results to standard output, what is said on the way to standard error. Colours and redrawing
 * only where a person looks at it.
 *
 * Not for: what is written (the commands) and how errors are shown (main.ts).
 *
 * Invariants
 * 1. Standard output carries results alone, so that it can be piped; with `--json` nothing but JSON.
 * 2. No escape sequence goes to anything but a terminal, and no colour where NO_COLOR is set.
 */
import type { Progress } from "../clock";

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
  readonly columns: number;
  readonly rows: number;
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

/** Width of output that is not a terminal. */
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
    errors.write(`${text}\n`);
  };
  return {
    isLive,
    get columns() {
      return output.columns ?? DEFAULT_COLUMNS;
    },
    get rows() {
      return output.rows ?? DEFAULT_ROWS;
    },
    colours: createColours(hasColours(isLive, environment)),
    print: (text) => {
      clearStatus();
      output.write(`${text}\n`);
    },
    printJson: (value) => {
      clearStatus();
      output.write(`${JSON.stringify(value, null, 2)}\n`);
    },
    note,
    redraw: (text) => {
      // Each line is cleared to its end: drawing over instead of clearing the screen does not flicker.
      const lines = text.split("\n").map((line) => `${line}\u001b[K`);
      output.write(`\u001b[H${lines.join("\n")}\n\u001b[J`);
    },
    progress: {
      line: note,
      status: (text) => {
        if (!isStatusShown) return;
        const line = text.slice(0, Math.max(0, (errors.columns ?? DEFAULT_COLUMNS) - 1));
        clearStatus();
        errors.write(line);
        statusLength = line.length;
      },
    },
  };
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
