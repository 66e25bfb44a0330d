/**
 * How often services are on machines, in locations and in neighbourhoods, and which rules about services a move keeps:
 * the limit per machine, the spread over locations, and dependencies in each neighbourhood.
 *
 * Not for: what a missing dependency costs (machines.ts).
 *
 * Invariant: `missing` is the number of pairs of services, times the neighbourhoods in which the second one is missing.
 */
import { addWhole, setWhole, whole } from "./memory";
import {
  dependentStart,
  dependents,
  dependsOn,
  dependsOnStart,
  location,
  locationRow,
  locations,
  machineRow,
  machines,
  neighbourhood,
  neighbourhoodRow,
  neighbourhoods,
  perMachine,
  service,
  spreadMin,
} from "./tables";

/** Dependencies that are not met. */
export let missing: i32 = 0;
/** `u16[row * M + m]`. */
export let onMachine: usize = 0;
/** `i32[row * locations + location]`. */
export let inLocation: usize = 0;
/** `i32[row * neighbourhoods + neighbourhood]`. */
export let inNeighbourhood: usize = 0;
/** `i32[row]`. */
export let spreadOf: usize = 0;

/** Whether a machine has as many of the process's service as it may have. */
export function isFull(process: i32, machine: i32): bool {
  const own = whole(service, process);
  const row = whole(machineRow, own);
  return row >= 0 && (countOn(row, machine) as i32) >= whole(perMachine, own);
}

/** How many more dependencies are missing when a process, placed or not (-1), moves; Infinity where spread is lost. */
export function missingByShift(process: i32, from: i32, to: i32): f64 {
  const own = whole(service, process);
  const entered = whole(neighbourhood, to);
  if (from < 0) return missingByEntering(own, entered) as f64;
  if (!keepsSpread(own, whole(location, from), whole(location, to))) return Infinity;
  const left = whole(neighbourhood, from);
  if (left === entered || whole(neighbourhoodRow, own) < 0) return 0;
  return (missingByLeaving(own, left) + missingByEntering(own, entered)) as f64;
}

/** As `missingByShift`, for exchanging two processes. */
export function missingBySwap(process: i32, from: i32, other: i32, to: i32): f64 {
  const own = whole(service, process);
  const others = whole(service, other);
  if (own === others) return 0;
  if (!keepsSpread(own, whole(location, from), whole(location, to))) return Infinity;
  if (!keepsSpread(others, whole(location, to), whole(location, from))) return Infinity;
  const left = whole(neighbourhood, from);
  const entered = whole(neighbourhood, to);
  if (left === entered) return 0;
  return (missingByReplacing(own, others, left) + missingByReplacing(others, own, entered)) as f64;
}

/** One of a process's service comes to a machine (1) or leaves it (-1). */
export function countService(process: i32, machine: i32, change: i32): void {
  const own = whole(service, process);
  const ofMachine = whole(machineRow, own);
  if (ofMachine >= 0) {
    const at = onMachine + ((ofMachine * machines + machine) as usize) * 2;
    store<u16>(at, (load<u16>(at) + change) as u16);
  }
  const ofLocation = whole(locationRow, own);
  if (ofLocation >= 0) {
    const at = ofLocation * locations + whole(location, machine);
    const before = whole(inLocation, at);
    setWhole(inLocation, at, before + change);
    if (before === 0) addWhole(spreadOf, ofLocation, 1);
    else if (before + change === 0) addWhole(spreadOf, ofLocation, -1);
  }
  const ofNeighbourhood = whole(neighbourhoodRow, own);
  if (ofNeighbourhood >= 0) {
    const place = whole(neighbourhood, machine);
    missing += change < 0 ? missingByLeaving(own, place) : missingByEntering(own, place);
    addWhole(inNeighbourhood, ofNeighbourhood * neighbourhoods + place, change);
  }
}

function countOn(row: i32, machine: i32): u16 {
  return load<u16>(onMachine + ((row * machines + machine) as usize) * 2);
}

/** A spread that is too small already must not get smaller. */
function keepsSpread(own: i32, left: i32, entered: i32): bool {
  const row = whole(locationRow, own);
  if (row < 0 || left === entered) return true;
  const at = row * locations;
  const loses: i32 = whole(inLocation, at + left) === 1 ? 1 : 0;
  const gains: i32 = whole(inLocation, at + entered) === 0 ? 1 : 0;
  if (loses <= gains) return true;
  return whole(spreadOf, row) > whole(spreadMin, own);
}

/** How many more dependencies are missing when one of a service leaves a neighbourhood. */
function missingByLeaving(own: i32, place: i32): i32 {
  const row = whole(neighbourhoodRow, own);
  if (row < 0 || whole(inNeighbourhood, row * neighbourhoods + place) !== 1) return 0;
  return neededBy(own, place) - lackedBy(own, place);
}

/** How many more dependencies are missing when one of a service enters a neighbourhood. */
function missingByEntering(own: i32, place: i32): i32 {
  const row = whole(neighbourhoodRow, own);
  if (row < 0 || whole(inNeighbourhood, row * neighbourhoods + place) !== 0) return 0;
  return lackedBy(own, place) - neededBy(own, place);
}

function missingByReplacing(leaving: i32, coming: i32, place: i32): i32 {
  const row = whole(neighbourhoodRow, leaving);
  if (row < 0) return missingByEntering(coming, place);
  const change = missingByLeaving(leaving, place);
  if (whole(neighbourhoodRow, coming) < 0) return change;
  const at = row * neighbourhoods + place;
  addWhole(inNeighbourhood, at, -1);
  const both = change + missingByEntering(coming, place);
  addWhole(inNeighbourhood, at, 1);
  return both;
}

/** How many services that depend on this one are in a neighbourhood. */
function neededBy(own: i32, place: i32): i32 {
  let count = 0;
  const end = whole(dependentStart, own + 1);
  for (let index = whole(dependentStart, own); index < end; index += 1) {
    const dependent = whole(dependents, index);
    const at = whole(neighbourhoodRow, dependent) * neighbourhoods + place;
    if (dependent !== own && whole(inNeighbourhood, at) > 0) count += 1;
  }
  return count;
}

/** How many services that this one depends on are not in a neighbourhood. */
function lackedBy(own: i32, place: i32): i32 {
  let count = 0;
  const end = whole(dependsOnStart, own + 1);
  for (let index = whole(dependsOnStart, own); index < end; index += 1) {
    const other = whole(dependsOn, index);
    const at = whole(neighbourhoodRow, other) * neighbourhoods + place;
    if (other !== own && whole(inNeighbourhood, at) === 0) count += 1;
  }
  return count;
}
