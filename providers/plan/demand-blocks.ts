/**
 * Demand of single workloads, laid out as loads are: step by step over all paths, in one piece. A forecast lies in memory
 * path by path, so that one workload's demand is in as many places as there are paths; a search asks for the same few
 * workloads again and again.
 *
 * Not for: all workloads at once, which are taken path by path (capacity.ts).
 */
import type { DemandGrid, Problem } from "./problem";

/** Values that are kept, 16 MB: those of every workload of small fleets, of large ones those that were asked for last. */
const MOST_VALUES = 4_000_000;

/** What blocks are made from. */
type Source = Pick<Problem, "demand" | "works">;

/** Blocks of the workloads that were asked for last. */
class DemandBlocks {
  private readonly works: Int32Array;
  private readonly blocks: (Float32Array | undefined)[];

  constructor(private readonly problem: Source) {
    const size = Math.max(1, problem.demand.paths.length * problem.demand.steps);
    const slots = Math.max(1, Math.min(problem.works.length, Math.floor(MOST_VALUES / size)));
    this.works = new Int32Array(slots).fill(-1);
    this.blocks = new Array<Float32Array | undefined>(slots);
  }

  of(work: number, row: number): Float32Array {
    const slot = work % this.works.length;
    const { paths, steps } = this.problem.demand;
    const block = (this.blocks[slot] ??= new Float32Array(paths.length * steps));
    if (this.works[slot] !== work) {
      gather(this.problem.demand, row, block);
      this.works[slot] = work;
    }
    return block;
  }
}

const blocksOf = new WeakMap<Source, DemandBlocks>();

/**
 * Demand of a workload, `block[step * paths + path]`, millicores; undefined where it has no forecast. It is good until the
 * next one is asked for.
 */
export function demandBlock(problem: Source, work: number): Float32Array | undefined {
  const row = problem.works[work]?.row ?? -1;
  if (row < 0 || problem.demand.paths.length === 0) return undefined;
  let blocks = blocksOf.get(problem);
  if (!blocks) blocksOf.set(problem, (blocks = new DemandBlocks(problem)));
  return blocks.of(work, row);
}

function gather({ paths, rowLength, first, steps }: DemandGrid, row: number, block: Float32Array): void {
  const from = row * rowLength + first;
  const count = paths.length;
  for (let path = 0; path < count; path++) {
    const values = paths[path] ?? [];
    for (let step = 0, at = path; step < steps; step++, at += count) block[at] = values[from + step] as number;
  }
}
