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

/** Blocks of the workloads that were asked for last, `block[(step - range.from) * paths + path]`, millicores. */
export class DemandBlocks {
  private readonly works: Int32Array;
  private readonly blocks: (Float32Array | undefined)[];
  private readonly size: number;

  constructor(
    private readonly problem: Pick<Problem, "demand" | "works">,
    private readonly range: StepRange,
  ) {
    this.size = problem.demand.paths.length * (range.to - range.from);
    const slots = Math.max(1, Math.min(problem.works.length, Math.floor(MOST_VALUES / Math.max(1, this.size))));
    this.works = new Int32Array(slots).fill(-1);
    this.blocks = new Array<Float32Array | undefined>(slots);
  }

  /** Of one workload, good until the next one is asked for; undefined where it has no forecast. */
  of(work: number): Float32Array | undefined {
    const slot = work % this.works.length;
    if (this.works[slot] === work) return this.blocks[slot];
    const row = this.rowOf(work);
    if (row < 0) return undefined;
    const block = (this.blocks[slot] ??= new Float32Array(this.size));
    gather(this.problem.demand, [row], this.range, [block]);
    this.works[slot] = work;
    return block;
  }

  /** True where these steps are among those that blocks have. */
  covers({ from, to }: StepRange): boolean {
    return from >= this.range.from && to <= this.range.to;
  }

  /** Number of a step within a block. */
  numberOf(step: number): number {
    return step - this.range.from;
  }

  /** Of all workloads, one after the other; they are kept where there is room for all. */
  forEach(tell: (work: number, block: Float32Array | undefined) => void): void {
    const { works, blocks, size } = this;
    const count = this.problem.works.length;
    const isKept = works.length === count;
    const together = Array.from({ length: isKept ? 0 : GATHERED_TOGETHER }, () => new Float32Array(size));
    const gathered: Float32Array[] = [];
    const rows: number[] = [];
    for (let from = 0; from < count; from += GATHERED_TOGETHER) {
      const until = Math.min(count, from + GATHERED_TOGETHER);
      gathered.length = 0;
      rows.length = 0;
      for (let work = from; work < until; work++) {
        const row = this.rowOf(work);
        if (row < 0 || works[work % works.length] === work) continue;
        rows.push(row);
        gathered.push(isKept ? (blocks[work] ??= new Float32Array(size)) : (together[work - from] as Float32Array));
        if (isKept) works[work] = work;
      }
      gather(this.problem.demand, rows, this.range, gathered);
      let next = 0;
      for (let work = from; work < until; work++) {
        const block = works[work % works.length] === work ? blocks[work % works.length] : undefined;
        tell(work, block ?? (this.rowOf(work) < 0 ? undefined : gathered[next++]));
      }
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
  blocks: readonly Float32Array[],
): void {
  const count = paths.length;
  const width = range.to - range.from;
  for (let path = 0; path < count; path++) {
    const values = paths[path] ?? [];
    for (let index = 0; index < rows.length; index++) {
      const block = blocks[index] as Float32Array;
      let from = (rows[index] as number) * rowLength + first + range.from;
      for (let step = 0, at = path; step < width; step++, at += count) block[at] = values[from++] as number;
    }
  }
}
