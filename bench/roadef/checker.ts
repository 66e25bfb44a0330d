/**
 * Checks an assignment against the text of an instance, by the definition of the challenge. Shares nothing with the
 * search: it has its own reading, its own sums.
 */

export interface Verdict {
  readonly cost: number;
  /** Rules that are broken, the first few of them in words. */
  readonly faults: readonly string[];
}

interface Numbers {
  /** The next whole number of the text. */
  take(): number;
}

const MOST_FAULTS = 5;

/**
 * Judges an assignment.
 * @param modelText the instance's model file
 * @param initialText the assignment that the instance begins with
 * @param solutionText the assignment to judge
 */
export function check(modelText: Uint8Array, initialText: Uint8Array, solutionText: Uint8Array): Verdict {
  const model = numbers(modelText);
  const faults: string[] = [];
  const fault = (text: string): void => {
    if (faults.length < MOST_FAULTS) faults.push(text);
  };
  const list = (count: number): number[] => Array.from({ length: count }, () => model.take());

  const R = model.take();
  const resources = Array.from({ length: R }, () => ({ isTransient: model.take() === 1, weight: model.take() }));
  const M = model.take();
  const moveCosts: Uint32Array[] = [];
  const machines = Array.from({ length: M }, () => {
    const machine = { neighbourhood: model.take(), location: model.take(), capacity: list(R), safety: list(R) };
    const costs = new Uint32Array(M);
    for (let other = 0; other < M; other += 1) costs[other] = model.take();
    moveCosts.push(costs);
    return machine;
  });
  const services = Array.from({ length: model.take() }, () => {
    const spread = model.take();
    return { spread, dependsOn: list(model.take()) };
  });
  const P = model.take();
  const processes = Array.from({ length: P }, () => ({
    service: model.take(),
    requires: list(R),
    moveCost: model.take(),
  }));
  const balances = Array.from({ length: model.take() }, () => ({
    first: model.take(),
    second: model.take(),
    target: model.take(),
    weight: model.take(),
  }));
  const [processWeight, serviceWeight, machineWeight] = [model.take(), model.take(), model.take()];
  const initial = numbers(initialText);
  const solution = numbers(solutionText);
  const placed = processes.map((process) => ({ ...process, from: initial.take(), to: solution.take() }));
  const excess = Number.isNaN(solution.take()) ? undefined : "more numbers than processes";
  if (excess !== undefined) fault(excess);
  if (placed.some(({ to }) => !(to >= 0 && to < M))) return { cost: NaN, faults: ["a machine that does not exist"] };

  const use = machines.map(() => new Float64Array(R));
  const leftBehind = machines.map(() => new Float64Array(R));
  const on = services.map(() => ({
    machines: new Set<number>(),
    locations: new Set<number>(),
    neighbourhoods: new Set<number>(),
    moved: 0,
  }));
  let cost = 0;
  placed.forEach(({ service, requires, moveCost, from, to }, process) => {
    const target = machines[to];
    const places = on[service];
    if (!target || !places) throw new Error(`process ${String(process)} is of no service`);
    if (places.machines.has(to)) fault(`service ${String(service)} is twice on machine ${String(to)}`);
    places.machines.add(to);
    places.locations.add(target.location);
    places.neighbourhoods.add(target.neighbourhood);
    requires.forEach((amount, r) => {
      add(use[to], r, amount);
      if (from !== to && resources[r]?.isTransient) add(leftBehind[from], r, amount);
    });
    if (from === to) return;
    places.moved += 1;
    cost += processWeight * moveCost + machineWeight * (moveCosts[from]?.[to] ?? NaN);
  });
  cost += serviceWeight * on.reduce((most, { moved }) => Math.max(most, moved), 0);
  machines.forEach(({ capacity, safety }, m) => {
    const used = (r: number): number => use[m]?.[r] ?? NaN;
    resources.forEach(({ weight }, r) => {
      const limit = capacity[r] ?? NaN;
      if (!(used(r) + (leftBehind[m]?.[r] ?? NaN) <= limit)) {
        fault(`machine ${String(m)} is over its capacity of resource ${String(r)}`);
      }
      cost += weight * Math.max(0, used(r) - (safety[r] ?? NaN));
    });
    for (const { first, second, target, weight } of balances) {
      const free = (r: number): number => (capacity[r] ?? NaN) - used(r);
      cost += weight * Math.max(0, target * free(first) - free(second));
    }
  });
  services.forEach(({ spread, dependsOn }, service) => {
    const own = on[service];
    if (!own) return;
    if (own.locations.size < spread) fault(`service ${String(service)} is in too few locations`);
    for (const other of dependsOn) {
      for (const neighbourhood of own.neighbourhoods) {
        if (on[other]?.neighbourhoods.has(neighbourhood)) continue;
        fault(`service ${String(service)} misses service ${String(other)} in neighbourhood ${String(neighbourhood)}`);
      }
    }
  });
  return { cost, faults };
}

function add(sums: Float64Array | undefined, index: number, amount: number): void {
  if (sums) sums[index] = (sums[index] ?? 0) + amount;
}

/** Whole numbers of a text, NaN after the last one. */
function numbers(text: Uint8Array): Numbers {
  let position = 0;
  return {
    take: () => {
      let value = NaN;
      for (; position < text.length; position += 1) {
        const digit = (text[position] as number) - 48;
        if (digit >= 0 && digit <= 9) value = Number.isNaN(value) ? digit : value * 10 + digit;
        else if (!Number.isNaN(value)) break;
      }
      return value;
    },
  };
}
