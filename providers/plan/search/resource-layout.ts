/**
 * The numbers of processes and machines in the order in which the search reads them: what is most likely to refuse a
 * process comes first, and what is read together stands together.
 *
 * Not for: changing them as processes move (search-state.ts).
 */
import type { PlacementModel } from "./model";

/** `[p * 2R + r]` requirement, and R further on what its coming and going changes on its origin's capacity. */
export function createNeed(model: PlacementModel, order: Int32Array): Float64Array {
  const { resourceCount, processCount, requirement, transient } = model;
  const need = new Float64Array(processCount * resourceCount * 2);
  for (let process = 0; process < processCount; process += 1) {
    for (let r = 0; r < resourceCount; r += 1) {
      const resource = order[r] as number;
      const amount = requirement[process * resourceCount + resource] as number;
      need[process * 2 * resourceCount + r] = amount;
      need[(process * 2 + 1) * resourceCount + r] = transient[resource] === 1 ? 0 : amount;
    }
  }
  return need;
}

/**
 * `[(m * R + r) * 2]` safety, and behind it capacity, of machines without a process. One that is nowhere yet, or on its
 * way, still counts on its origin where resources are transient.
 */
export function createSlack(model: PlacementModel, order: Int32Array, need: Float64Array): Float64Array {
  const { resourceCount, machineCount, safety, capacity, origin, transient } = model;
  const slack = new Float64Array(capacity.length * 2);
  for (let machine = 0; machine < machineCount; machine += 1) {
    for (let r = 0; r < resourceCount; r += 1) {
      const at = machine * resourceCount + (order[r] as number);
      slack[(machine * resourceCount + r) * 2] = safety[at] as number;
      slack[(machine * resourceCount + r) * 2 + 1] = capacity[at] as number;
    }
  }
  origin.forEach((machine, process) => {
    if (machine < 0) return;
    for (let r = 0; r < resourceCount; r += 1) {
      if (transient[order[r] as number] !== 1) continue;
      const at = (machine * resourceCount + r) * 2 + 1;
      slack[at] = (slack[at] as number) - (need[process * 2 * resourceCount + r] as number);
    }
  });
  return slack;
}

/** `[r]` mean over all processes, in the order of the model. */
export function meanRequirements({ resourceCount, processCount, requirement }: PlacementModel): Float64Array {
  const means = new Float64Array(resourceCount);
  for (let index = 0; index < requirement.length; index += 1) {
    const r = index % resourceCount;
    means[r] = (means[r] as number) + (requirement[index] as number) / processCount;
  }
  return means;
}

/** Those that cost most come first, so that the sums of a move that is too dear end early. */
export function orderResources({ resourceCount, loadWeight }: PlacementModel, means: Float64Array): Int32Array {
  const costOf = (r: number): number => (means[r] as number) * (loadWeight[r] as number);
  return Int32Array.from({ length: resourceCount }, (_, r) => r).sort((a, b) => costOf(b) - costOf(a) || a - b);
}

/**
 * Excess is priced like load: a mean requirement of any resource weighs as much as that of the dearest, so that bytes
 * and thousandths of a CPU can stand side by side.
 */
export function createExcessWeight(
  { loadWeight }: PlacementModel,
  means: Float64Array,
  order: Int32Array,
): Float64Array {
  const dearest = means.reduce((most, mean, r) => Math.max(most, mean * (loadWeight[r] as number)), 0);
  return means.map((_, r) => {
    const mean = means[order[r] as number] as number;
    return mean === 0 ? 1 : (dearest === 0 ? 1 : dearest) / mean;
  });
}
