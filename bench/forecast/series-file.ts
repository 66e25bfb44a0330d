/**
 * Reads the benchmark's files: gzip'd CSV with one series a line, values separated by spaces, `nan` for a gap.
 *
 * Not for: metrics of users (providers/observe/recorded.ts).
 */
import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { gunzipSync } from "node:zlib";

/** One series as it stands in a file. */
export interface RawSeries {
  /** File without its ending. */
  readonly set: string;
  readonly id: string;
  /** Seconds since the epoch; 0: unknown. */
  readonly startS: number;
  /** Seconds; 0 where the file does not say. */
  readonly stepS: number;
  /** NaN marks a gap. */
  readonly values: Float64Array;
}

/** Reads `.csv` and `.csv.gz` with the columns `series_id,start_epoch_s,step_s,n,values` or `series_id,values`. */
export function readSeriesFile(path: string): readonly RawSeries[] {
  const bytes = readFileSync(path);
  const text = (path.endsWith(".gz") ? gunzipSync(bytes) : bytes).toString("utf8");
  const set = basename(path).replace(/\.csv(\.gz)?$/, "");
  const [header = "", ...lines] = text.split("\n").filter((line) => line !== "");
  const columns = header.split(",");
  const at = (cells: readonly string[], column: string): string => cells[columns.indexOf(column)] ?? "";
  return lines.map((line) => {
    const cells = line.split(",");
    return {
      set,
      id: at(cells, "series_id"),
      startS: Number(at(cells, "start_epoch_s")),
      stepS: Number(at(cells, "step_s")),
      values: Float64Array.from(at(cells, "values").split(" "), (cell) => (cell === "nan" ? Number.NaN : Number(cell))),
    };
  });
}
