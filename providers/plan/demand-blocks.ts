/**
 * Demand of single workloads in some steps, laid out as loads are: step by step over all paths, in one piece. A forecast
 * lies in memory path by path, so that one workload's demand is in as many places as there are paths; a search asks for the
 * same workloads again and again.
 *
 * Not for: sums over many workloads, which are taken path by path (capacity.ts).
 */
import type { StepRange } from "./capacity";
import type { DemandGrid, Problem } from "./problem";

/** Values that are kept, 16 MB: those of every workload of most fleets, of very large ones those that were asked for last. */
const MOST_VALUES = 4_000_000;

/** Workloads whose blocks are gathered together: what they have on one path lies side by side. */
const GATHERED_TOGETHER = 64;

/** Blocks of the workloads that were asked for last, one after the other in `values`. */
export class DemandBlocks {
  /** A block is `values[place + (step - range.from) * paths + path]`, millicores. */
  readonly values: Float32Array;
  /** By block: the workload that it is of; -1: none so far. */
  private readonly works: Int32Array;
  private readonly size: number;

  constructor(
    private readonly problem: Pick<Problem, "demand" | "works">,
    private readonly range: StepRange,
  ) {
    this.size = problem.demand.paths.length * (range.to - range.from);
    const blocks = Math.max(1, Math.min(problem.works.length, Math.floor(MOST_VALUES / Math.max(1, this.size))));
    this.works = new Int32Array(blocks).fill(-1);
    this.values = new Float32Array(blocks * this.size);
  }

  /** Place of a workload's block, good until the next one is asked for; -1 where it has no forecast. */
  placeOf(work: number): number {
    const block = work % this.works.length;
    const place = block * this.size;
    if (this.works[block] === work) return place;
    const row = this.rowOf(work);
    if (row < 0) return -1;
    gather(this.problem.demand, [row], this.range, this.values, [place]);
    this.works[block] = work;
    return place;
  }

  /** True where these steps are among those that blocks have. */
  covers({ from, to }: StepRange): boolean {
    return from >= this.range.from && to <= this.range.to;
  }

  /** Number of a step within a block. */
  numberOf(step: number): number {
    return step - this.range.from;
  }

  /** Tells the places of all workloads' blocks, one after the other; each is good while it is told. */
  forEach(tell: (work: number, place: number) => void): void {
    const count = this.problem.works.length;
    const together = Math.min(GATHERED_TOGETHER, this.works.length);
    for (let from = 0; from < count; from += together) {
      const until = Math.min(count, from + together);
      const rows: number[] = [];
      const places: number[] = [];
      for (let work = from; work < until; work++) {
        const block = work % this.works.length;
        const row = this.rowOf(work);
        if (row < 0 || this.works[block] === work) continue;
        rows.push(row);
        places.push(block * this.size);
        this.works[block] = work;
      }
      gather(this.problem.demand, rows, this.range, this.values, places);
      for (let work = from; work < until; work++) tell(work, this.placeOf(work));
    }
  }

  private rowOf(work: number): number {
    return this.size === 0 ? -1 : (this.problem.works[work]?.row ?? -1);
  }
}

function gather(
  { paths, rowLength, first }: DemandGrid,
  rows: readonly number[],
  range: StepRange,
  gathered: Float32Array,
  places: readonly number[],
): void {
  const count = paths.length;
  const width = range.to - range.from;
  for (let path = 0; path < count; path++) {
    const values = paths[path] ?? [];
    for (let index = 0; index < rows.length; index++) {
      let from = (rows[index] as number) * rowLength + first + range.from;
      let at = (places[index] as number) + path;
      for (let step = 0; step < width; step++, at += count) gathered[at] = values[from++] as number;
    }
  }
}
