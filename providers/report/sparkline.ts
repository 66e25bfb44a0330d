/** A line of blocks as tall as values, for terminals. */

const BLOCKS = "▁▂▃▄▅▆▇█";

/**
 * Draws values from 0 to the highest; groups of them where there are more than `width`, each as tall as its highest,
 * so that no peak is lost. What was not measured is a space.
 */
export function sparkline(values: readonly number[] | Float64Array, width: number, top = highest(values)): string {
  const cells = Math.min(width, values.length);
  let line = "";
  for (let cell = 0; cell < cells; cell++) {
    const from = Math.floor((cell * values.length) / cells);
    const until = Math.floor(((cell + 1) * values.length) / cells);
    const high = highest(values.slice(from, until));
    const block = top > 0 ? Math.min(BLOCKS.length - 1, Math.floor((high / top) * BLOCKS.length)) : 0;
    line += Number.isNaN(high) ? " " : BLOCKS.charAt(block);
  }
  return line;
}

/** The highest measured value; NaN when none was. */
export function highest(values: Iterable<number>): number {
  let high = Number.NaN;
  for (const value of values) if (!Number.isNaN(value) && !(value <= high)) high = value;
  return high;
}
