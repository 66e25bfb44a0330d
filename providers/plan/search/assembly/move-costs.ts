/**
 * What it costs that processes are not where they were: their own move costs, the distance, the places' prices, and the
 * largest number of moved processes in one service.
 *
 * Not for: use of machines (machines.ts).
 */
import { addWhole, real, setWhole, whole } from "./memory";
import {
  distanceClass,
  distanceClasses,
  distanceCost,
  hasPlacementCosts,
  machineClass,
  machineClasses,
  origin,
  placementCost,
  placementGroup,
  processCost,
  service,
  serviceMoveWeight,
} from "./tables";

/** `i32[s]` processes that are away. */
export let movedOf: usize = 0;
/** `i32[n]` services of which n processes are away. */
export let servicesWithMoved: usize = 0;
let mostMoved: i32 = 0;
let sum: f64 = 0;

/** Of all that is placed. */
export function totalMoveCost(): f64 {
  return sum + serviceMoveWeight * (mostMoved as f64);
}

/** What moving a process changes in move and placement costs; `from` or `to` may be -1. */
export function moveCostChange(process: i32, from: i32, to: i32): f64 {
  return costAt(process, to) - costAt(process, from) + serviceMoveChange(process, from, to);
}

/** A process has moved; `from` or `to` may be -1. */
export function countMove(process: i32, from: i32, to: i32): void {
  sum += costAt(process, to) - costAt(process, from);
  const change = (isAway(process, to) as i32) - (isAway(process, from) as i32);
  if (change === 0) return;
  const own = whole(service, process);
  const before = whole(movedOf, own);
  const after = before + change;
  setWhole(movedOf, own, after);
  addWhole(servicesWithMoved, before, -1);
  addWhole(servicesWithMoved, after, 1);
  if (after > mostMoved) mostMoved = after;
  else if (before === mostMoved && whole(servicesWithMoved, before) === 0) mostMoved = after;
}

function costAt(process: i32, machine: i32): f64 {
  if (machine < 0) return 0;
  const placement = hasPlacementCosts !== 0 ? placementCostAt(process, machine) : 0;
  const home = whole(origin, process);
  if (home < 0 || home === machine) return placement;
  const distance = whole(distanceClass, home) * distanceClasses + whole(distanceClass, machine);
  return placement + real(processCost, process) + real(distanceCost, distance);
}

/** A start that breaks rules has a cost, too: where it is forbidden, a placement costs nothing. */
function placementCostAt(process: i32, machine: i32): f64 {
  const cost = real(placementCost, whole(placementGroup, process) * machineClasses + whole(machineClass, machine));
  return cost === Infinity ? 0 : cost;
}

function isAway(process: i32, machine: i32): bool {
  const home = whole(origin, process);
  return machine >= 0 && home >= 0 && home !== machine;
}

function serviceMoveChange(process: i32, from: i32, to: i32): f64 {
  if (serviceMoveWeight === 0) return 0;
  const change = (isAway(process, to) as i32) - (isAway(process, from) as i32);
  if (change === 0) return 0;
  const moved = whole(movedOf, whole(service, process));
  if (change > 0) return moved === mostMoved ? serviceMoveWeight : 0;
  return moved === mostMoved && whole(servicesWithMoved, moved) === 1 ? -serviceMoveWeight : 0;
}
