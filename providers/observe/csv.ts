/**
 * Cells of a CSV text: commas, semicolons or tabs, whichever the first lines hold; quotes as in RFC 4180.
 *
 * Not for: what the cells mean.
 */

/** One line that holds something. */
export interface CsvRow {
  /** From 1 on. */
  readonly line: number;
  readonly cells: readonly string[];
}

const SEPARATORS = [",", ";", "\t"] as const;
/** Lines that are looked at to find the separator. */
const SAMPLED_LINES = 20;

/** More lines than this are no export of a few metrics, and would not fit into memory as cells. */
export const MOST_LINES = 2_000_000;

/**
 * Rows of a text; empty lines and those that begin with `#` are left out. Reads no more than {@link MOST_LINES} lines:
 * one more row than that is the sign of a longer text.
 */
export function parseCsv(text: string): readonly CsvRow[] {
  const body = text.replace(/^\uFEFF/, "");
  const separator = findSeparator(body);
  const rows: CsvRow[] = [];
  let cells: string[] = [];
  let cell = "";
  let isQuoted = false;
  let line = 1;
  let firstLine = 1;
  const endRow = (): void => {
    cells.push(cell.trim());
    const isComment = cells[0]?.startsWith("#") === true;
    if (!isComment && cells.some((one) => one !== "")) rows.push({ line: firstLine, cells });
    cells = [];
    cell = "";
  };
  for (let at = 0; at < body.length && rows.length <= MOST_LINES; at++) {
    const character = body.charAt(at);
    if (character === "\n") line++;
    if (isQuoted) {
      if (character !== '"') cell += character;
      else if (body.charAt(at + 1) === '"') {
        cell += '"';
        at++;
      } else isQuoted = false;
    } else if (character === '"' && cell.trim() === "") isQuoted = true;
    else if (character === separator) {
      cells.push(cell.trim());
      cell = "";
    } else if (character === "\n") {
      endRow();
      firstLine = line;
    } else if (character !== "\r") cell += character;
  }
  endRow();
  return rows;
}

/** The one that most lines hold. */
function findSeparator(text: string): string {
  const lines = text.split("\n", SAMPLED_LINES);
  const holding = SEPARATORS.map((separator) => lines.filter((line) => line.includes(separator)).length);
  return SEPARATORS[holding.indexOf(Math.max(...holding))] ?? ",";
}
