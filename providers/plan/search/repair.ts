/**
 * Makes a start that breaks rules feasible, as far as that is possible: processes that are nowhere, on forbidden
 * machines, too many of their service on a machine or on machines over capacity are taken off and put where they fit.
 *
 * Not for: what a placement costs; among the machines that can take a process the cheapest is taken.
 */
import type { FastRandom } from "./random";
import { HARD_PRICE } from "./search-state";
import type { SearchState } from "./search-state";

/** Rounds of taking others off a machine to make room before a process is given up. */
const EJECTIONS_PER_PROCESS = 20;

/** Repairs a state in place; processes that no machine takes stay at -1. */
export function repairPlacement(state: SearchState, random: FastRandom): void {
  state.setPrice(HARD_PRICE);
  const waiting = takeOffOffenders(state);
  if (waiting.length === 0) return;
  const sizes = sizesOf(state);
  let ejections = EJECTIONS_PER_PROCESS * waiting.length;
  waiting.sort((a, b) => (sizes[a] as number) - (sizes[b] as number));
  for (let process = waiting.pop(); process !== undefined; process = waiting.pop()) {
    const machine = cheapestMachine(state, process, true);
    if (machine >= 0) {
      state.move(process, machine);
      continue;
    }
    const target = ejections > 0 ? cheapestMachine(state, process, false) : -1;
    if (target < 0) continue;
    state.move(process, target);
    while (state.excessOn(target) > 0 && ejections > 0) {
      const ejected = anyMovable(state, target, process, random);
      if (ejected < 0) break;
      ejections -= 1;
      state.move(ejected, -1);
      waiting.push(ejected);
    }
    if (state.excessOn(target) > 0) state.move(process, -1);
  }
}

function takeOffOffenders(state: SearchState): number[] {
  const { model } = state;
  const waiting: number[] = [];
  state.assignment.slice().forEach((machine, process) => {
    if (machine >= 0) {
      state.move(process, -1);
      if (model.pinned[process] === 1 || state.canPlace(process, machine)) {
        state.move(process, machine);
        return;
      }
    }
    waiting.push(process);
  });
  for (let machine = 0; machine < model.machineCount; machine += 1) {
    while (state.excessOn(machine) > 0) {
      const process = bestToTakeOff(state, machine);
      if (process < 0) break;
      state.move(process, -1);
      waiting.push(process);
    }
  }
  return waiting;
}

/** The process whose leaving makes the machine cheapest; -1 where all are pinned. */
function bestToTakeOff(state: SearchState, machine: number): number {
  let best = -1;
  let bestGain = -Infinity;
  for (let index = 0; index < state.countOn(machine); index += 1) {
    const process = state.processOn(machine, index);
    if (state.model.pinned[process] === 1) continue;
    const gain = state.gainOf(process, machine);
    if (gain > bestGain) [best, bestGain] = [process, gain];
  }
  return best;
}

/** The machine where a process that is nowhere costs least, -1 for none; with `fits` it must stay within capacity. */
function cheapestMachine(state: SearchState, process: number, fits: boolean): number {
  let best = -1;
  let bestCost = Infinity;
  for (let machine = 0; machine < state.model.machineCount; machine += 1) {
    if (!state.canPlace(process, machine)) continue;
    if (fits && !state.hasRoom(process, machine)) continue;
    const cost =
      state.costOfPlacing(machine, process, Infinity) +
      state.moveCostChange(process, -1, machine) +
      state.shiftPrice(process, machine);
    if (cost < bestCost) [best, bestCost] = [machine, cost];
  }
  return best;
}

function anyMovable(state: SearchState, machine: number, except: number, random: FastRandom): number {
  const count = state.countOn(machine);
  const first = random.below(count);
  for (let index = 0; index < count; index += 1) {
    const process = state.processOn(machine, (first + index) % count);
    if (process !== except && state.model.pinned[process] === 0) return process;
  }
  return -1;
}

function sizesOf(state: SearchState): Float64Array {
  const { requirement, resourceCount, processCount } = state.model;
  const totals = new Float64Array(resourceCount);
  requirement.forEach((amount, index) => {
    totals[index % resourceCount] = (totals[index % resourceCount] as number) + amount;
  });
  const sizes = new Float64Array(processCount);
  requirement.forEach((amount, index) => {
    const total = totals[index % resourceCount] as number;
    const process = Math.floor(index / resourceCount);
    if (total > 0) sizes[process] = (sizes[process] as number) + amount / total;
  });
  return sizes;
}
