/**
 * Tables of text for terminals and logs: columns as wide as they need to be, the last one cut to the width there is.
 *
 * Not for: colours of whole rows and what is in a table.
 */
// eslint-disable-next-line no-control-regex -- colours are control sequences, and take no room
const COLOUR = /(\u001b\[\d+m)/g;

const GAP = "  ";

/**
 * Renders rows below a head. Cells may be coloured.
 * @param columns width that lines should not be wider than; the last column is cut with "..." where it is
 */
export function renderTable(head: readonly string[], rows: readonly (readonly string[])[], columns: number): string {
  const widths = head.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => visibleLength(row[column] ?? ""))),
  );
  const last = head.length - 1;
  const before = widths.slice(0, last).reduce((sum, width) => sum + width + GAP.length, 0);
  const room = Math.max(MINIMUM_LAST_COLUMN, columns - before);
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, column) => (column === last ? cut(cell, room) : pad(cell, widths[column] ?? 0)))
      .join(GAP)
      .trimEnd();
  return [line(head), ...rows.map(line)].join("\n");
}

/** Narrower than this a text says nothing; the terminal may break it instead. */
const MINIMUM_LAST_COLUMN = 24;

/** Length as it shows. */
function visibleLength(text: string): number {
  return text.replace(COLOUR, "").length;
}

function pad(text: string, width: number): string {
  return text + " ".repeat(Math.max(0, width - visibleLength(text)));
}

/** Cuts a text that is wider than there is room, with "..."; colours take no room and stay, so that each one ends. */
export function cut(text: string, width: number): string {
  if (visibleLength(text) <= width) return text;
  let room = Math.max(0, width - 3);
  let isMarked = false;
  return text
    .split(COLOUR)
    .map((part, index) => {
      if (index % 2 === 1) return part;
      const kept = part.slice(0, room);
      room -= kept.length;
      if (kept.length === part.length || isMarked) return kept;
      isMarked = true;
      return `${kept}...`;
    })
    .join("");
}
