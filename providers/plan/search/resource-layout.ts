/**
 * The numbers of processes and machines in the order in which the search reads them: what is most likely to refuse a
 * process comes first, and what is read together stands together.
 *
 * Not for: changing them as processes move (search-state.ts).
 */
import type { PlacementModel } from "./model";

/** `[p * R + r]` requirement. */
export function createNeed(model: PlacementModel, order: Int32Array): Float64Array {
  const { resourceCount, requirement } = model;
  return requirement.map((_, at) => {
    const r = at % resourceCount;
    return requirement[at - r + (order[r] as number)] as number;
  });
}

/** `[r * 2]` what a process's going leaves of its use on its origin: 1 for safety; for capacity 0 where transient. */
export function createEndsAtHome({ resourceCount, transient }: PlacementModel, order: Int32Array): Float64Array {
  return new Float64Array(resourceCount * 2).map((_, at) =>
    at % 2 === 1 && transient[order[at >> 1] as number] === 1 ? 0 : 1,
  );
}

/**
 * `[(m * R + r) * 2]` safety, and behind it capacity, of machines without a process. One that is nowhere yet, or on its
 * way, still counts on its origin where resources are transient.
 */
export function createSlack(model: PlacementModel, order: Int32Array): Float64Array {
  const { resourceCount, machineCount, safety, capacity, origin, transient, requirement } = model;
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
      const resource = order[r] as number;
      if (transient[resource] !== 1) continue;
      const at = (machine * resourceCount + r) * 2 + 1;
      slack[at] = (slack[at] as number) - (requirement[process * resourceCount + resource] as number);
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

/** What the mean requirement of the dearest resource costs; 1 where none costs anything. */
export function dearestRequirement({ loadWeight }: PlacementModel, means: Float64Array): number {
  return means.reduce((most, mean, r) => Math.max(most, mean * (loadWeight[r] as number)), 0) || 1;
}

/**
 * `[r * 2]` what a unit above safety costs, and behind it the excess of a unit above capacity. Excess is priced like
 * load: a mean requirement of any resource weighs as much as that of the dearest, so that bytes and thousandths of a CPU
 * can stand side by side.
 */
export function createUnits(model: PlacementModel, means: Float64Array, order: Int32Array): Float64Array {
  const dearest = dearestRequirement(model, means);
  return new Float64Array(model.resourceCount * 2).map((_, at) => {
    const resource = order[at >> 1] as number;
    if (at % 2 === 0) return model.loadWeight[resource] as number;
    const mean = means[resource] as number;
    return mean === 0 ? 1 : dearest / mean;
  });
}
