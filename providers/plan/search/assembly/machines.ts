/**
 * Where processes are while the search moves them, with all that makes a move cheap to judge: what machines have left,
 * what each machine costs, and which processes are on it.
 *
 * Capacity and dependencies are soft in here: what breaks them is priced, so that a search can pass through states that
 * are not feasible. All other rules are hard: callers ask `canPlace` or `canSwap`, and leave out moves whose `shiftPrice`
 * or `swapPrice` is Infinity.
 *
 * Not for: which moves to make (walk.ts).
 *
 * Invariants
 * 1. `cost` is that of ../evaluate.ts on the present assignment, exactly where the model has whole numbers; processes
 *    that are on no machine count nothing.
 * 2. `excess` is 0 if and only if no capacity is exceeded.
 */
import { balanceChangeBy, balanceChangeByReplacing, balanceCostOf, changeBalance } from "./balances";
import { real, setReal, setWhole, whole } from "./memory";
import { countMove, totalMoveCost } from "./move-costs";
import { randomBelow } from "./random";
import { countService, isFull, missing, missingByShift, missingBySwap } from "./services";
import {
  balances,
  endsAtHome,
  endsAway,
  hasForbidden,
  hasPins,
  machineClass,
  machineClasses,
  machines,
  missingWeight,
  need,
  openCost,
  origin,
  pinned,
  placeBits,
  placeItems,
  placementCost,
  placementGroup,
  placeRow,
  placeStart,
  resources,
  service,
  units,
} from "./tables";

const FIRST_LIST: i32 = 8;

/** `i32[p]` machine, -1 for none. */
export let assignment: usize = 0;
/** `f64[(m * R + r) * 2]` safety minus use, and behind it capacity minus use on both ends. */
export let slack: usize = 0;
/** `i32[m]` processes on it. */
export let counts: usize = 0;
/** `u32[m]` where the list of them begins, and its room. */
export let lists: usize = 0;
export let listRoom: usize = 0;
/** `i32[p]` in the list of its machine. */
export let slot: usize = 0;
/** `f64[m]` cost of what is above safety. */
export let loadOf: usize = 0;
/** `f64[m]` that with balance and opening cost. */
export let machineCost: usize = 0;
/** `f64[m]` use above capacity, in units of mean requirements. */
export let excessOf: usize = 0;
/** `u8[m * R]` its resources, the first `overCounts[m]` of each row over safety or capacity: these refuse most. */
export let order: usize = 0;
export let overCounts: usize = 0;
/** `f64[r * 2]` what a unit above safety costs, and behind it the price of a unit above capacity. */
export let weights: usize = 0;
/** Sum of `excessOf`. */
export let excess: f64 = 0;
let machineCosts: f64 = 0;
let machinesOver: i32 = 0;
let pricePerExcess: f64 = 0;
let missingPrice: f64 = 0;

/** Rates all machines; before it nothing is placed. */
export function begin(pricePerUnit: f64): void {
  setPrice(pricePerUnit);
  for (let machine = 0; machine < machines; machine += 1) rate(machine);
}

/** Cost of all that is placed, without the price of excess. */
export function cost(): f64 {
  return machineCosts + totalMoveCost();
}

/** Cost with the price of excess and missing dependencies. */
export function ratedCost(): f64 {
  return cost() + excess * pricePerExcess + (missing as f64) * missingPrice;
}

/** Whether capacities and dependencies hold; the other rules do wherever moves keep them. */
export function isFeasible(): bool {
  return excess === 0 && missing === 0;
}

/** What one unit of excess (a mean requirement of a resource) costs from now on. */
export function setPrice(pricePerUnit: f64): void {
  pricePerExcess = pricePerUnit;
  missingPrice = pricePerUnit * missingWeight;
  for (let r = 0; r < resources; r += 1) {
    setReal(weights, r * 2, real(units, r * 2));
    setReal(weights, r * 2 + 1, real(units, r * 2 + 1) * pricePerUnit);
  }
}

/** What the rated cost of a machine falls by when a process that is there leaves it. */
export function gainOf(process: i32, machine: i32): f64 {
  const needed = rowOf(process);
  const ends = endsOf(process, machine);
  const free = slackOf(machine);
  let at = orderOf(machine);
  const until = at + (whole(overCounts, machine) as usize);
  let gain = f64x2.splat(0);
  for (; at < until; at += 1) {
    const r = load<u8>(at) as usize;
    const above = f64x2.pmax(f64x2.neg(v128.load(free + (r << 4))), f64x2.splat(0));
    gain = f64x2.add(gain, f64x2.mul(f64x2.pmin(above, amountOf(needed, ends, r)), v128.load(weights + (r << 4))));
  }
  let total = sumOf(gain);
  if (balances > 0) total -= balanceChangeBy(machine, process, 1);
  if (whole(counts, machine) === 1) total += real(openCost, machine);
  return total;
}

/**
 * What a machine's rated cost grows by when a process that is elsewhere comes; some number above `limit` when it
 * grows by more than that.
 */
export function costOfPlacing(machine: i32, process: i32, limit: f64): f64 {
  let base: f64 = whole(counts, machine) === 0 ? real(openCost, machine) : 0;
  if (balances > 0) base += balanceChangeBy(machine, process, -1);
  const needed = rowOf(process);
  const ends = endsOf(process, machine);
  const free = slackOf(machine);
  let at = orderOf(machine);
  const until = at + (resources as usize);
  let grown = f64x2.replace_lane(f64x2.splat(0), 0, base);
  for (; at < until; at += 1) {
    const r = load<u8>(at) as usize;
    const amount = amountOf(needed, ends, r);
    const lacking = f64x2.pmax(f64x2.sub(amount, v128.load(free + (r << 4))), f64x2.splat(0));
    grown = f64x2.add(grown, f64x2.mul(f64x2.pmin(lacking, amount), v128.load(weights + (r << 4))));
    if (sumOf(grown) > limit) break;
  }
  return sumOf(grown);
}

/**
 * What a machine's rated cost changes by when a process that is elsewhere takes the place of `leaving`; some number
 * above `limit` when it grows by more than that.
 */
export function changeByReplacing(machine: i32, leaving: i32, process: i32, limit: f64): f64 {
  const needed = rowOf(process);
  const ends = endsOf(process, machine);
  const given = rowOf(leaving);
  const givenEnds = endsOf(leaving, machine);
  const free = slackOf(machine);
  let at = orderOf(machine);
  const until = at + (resources as usize);
  let base = -real(loadOf, machine) - real(excessOf, machine) * pricePerExcess;
  if (balances > 0) base += balanceChangeByReplacing(machine, leaving, process);
  let change = f64x2.replace_lane(f64x2.splat(0), 0, base);
  for (; at < until; at += 1) {
    const r = load<u8>(at) as usize;
    const left = v128.load(free + (r << 4));
    const missed = f64x2.sub(f64x2.sub(amountOf(needed, ends, r), amountOf(given, givenEnds, r)), left);
    change = f64x2.add(change, f64x2.mul(f64x2.pmax(missed, f64x2.splat(0)), v128.load(weights + (r << 4))));
    if (sumOf(change) > limit) break;
  }
  return sumOf(change);
}

export function isPinned(process: i32): bool {
  return hasPins !== 0 && load<u8>(pinned + (process as usize)) === 1;
}

/**
 * Whether pins, forbidden machines and the limit per machine let a process be on a machine where it is not, and that
 * machine could have room for it once others have moved.
 */
export function canPlace(process: i32, machine: i32): bool {
  if (isPinned(process) && whole(origin, process) !== machine) return false;
  if (isFull(process, machine)) return false;
  return isAllowed(process, machine);
}

/** As `canPlace`, for exchanging two processes on different machines. */
export function canSwap(process: i32, other: i32): bool {
  const machine = whole(assignment, process);
  const otherMachine = whole(assignment, other);
  if (whole(service, process) === whole(service, other)) {
    if (!isAllowed(process, otherMachine) || !isAllowed(other, machine)) return false;
    return !isPinned(process) && !isPinned(other);
  }
  return canPlace(process, otherMachine) && canPlace(other, machine);
}

/** Whether a machine has the capacity for a process that is elsewhere. */
export function hasRoom(process: i32, machine: i32): bool {
  const needed = rowOf(process);
  const ends = endsOf(process, machine);
  const free = slackOf(machine);
  for (let r = 0; r < resources; r += 1) {
    if (real(free, r * 2 + 1) < real(needed, r) * real(ends, r * 2 + 1)) return false;
  }
  return true;
}

/** Price of the dependencies that moving a process, placed or not, breaks or mends; Infinity where spread is lost. */
export function shiftPrice(process: i32, machine: i32): f64 {
  return missingPrice * missingByShift(process, whole(assignment, process), machine);
}

/** As `shiftPrice`, for exchanging two processes. */
export function swapPrice(process: i32, other: i32): f64 {
  return missingPrice * missingBySwap(process, whole(assignment, process), other, whole(assignment, other));
}

/** Puts a process on a machine, or on none (-1), whatever the rules say. */
export function move(process: i32, machine: i32): void {
  const from = whole(assignment, process);
  if (from === machine) return;
  countMove(process, from, machine);
  if (from >= 0) {
    takeOff(process, from);
    rate(from);
  }
  setWhole(assignment, process, machine);
  if (machine >= 0) {
    putOn(process, machine);
    rate(machine);
  }
}

/** Exchanges two processes, whatever the rules say. */
export function swap(process: i32, other: i32): void {
  const machine = whole(assignment, process);
  move(process, whole(assignment, other));
  move(other, machine);
}

/** One of the processes on a machine. */
export function processOn(machine: i32, index: i32): i32 {
  return load<i32>((whole(lists, machine) as usize) + ((index as usize) << 2));
}

export function countOf(machine: i32): i32 {
  return whole(counts, machine);
}

/** Use above capacity on a machine, in units of mean requirements. */
export function excessOn(machine: i32): f64 {
  return real(excessOf, machine);
}

/** A machine where a process could be, each with the same probability; any machine where most are possible. */
export function drawPlace(process: i32): i32 {
  const first = whole(placeStart, process);
  const count = whole(placeStart, process + 1) - first;
  return count === 0 ? randomBelow(machines) : whole(placeItems, first + randomBelow(count));
}

function takeOff(process: i32, machine: i32): void {
  changeSlack(process, machine, 1);
  countService(process, machine, -1);
  const list = whole(lists, machine) as usize;
  const last = whole(counts, machine) - 1;
  const moved = whole(list, last);
  const at = whole(slot, process);
  setWhole(list, at, moved);
  setWhole(slot, moved, at);
  setWhole(counts, machine, last);
}

function putOn(process: i32, machine: i32): void {
  changeSlack(process, machine, -1);
  countService(process, machine, 1);
  const count = whole(counts, machine);
  if (count === whole(listRoom, machine)) lengthen(machine, count);
  setWhole(whole(lists, machine) as usize, count, process);
  setWhole(slot, process, count);
  setWhole(counts, machine, count + 1);
}

/** Doubles the room of a list; what it leaves is never more than what it has. */
function lengthen(machine: i32, count: i32): void {
  const room = max<i32>(FIRST_LIST, count * 2);
  const longer = heap.alloc((room as usize) << 2);
  memory.copy(longer, whole(lists, machine) as usize, (count as usize) << 2);
  setWhole(lists, machine, longer as i32);
  setWhole(listRoom, machine, room);
}

function changeSlack(process: i32, machine: i32, sign: f64): void {
  if (balances > 0) changeBalance(machine, process, sign);
  const needed = rowOf(process);
  const ends = endsOf(process, machine);
  const free = slackOf(machine);
  for (let r: usize = 0; r < (resources as usize); r += 1) {
    const amount = f64x2.mul(v128.load64_splat(needed + (r << 3)), v128.load(ends + (r << 4)));
    const at = free + (r << 4);
    v128.store(at, f64x2.add(v128.load(at), f64x2.mul(amount, f64x2.splat(sign))));
  }
}

function rate(machine: i32): void {
  const free = slackOf(machine);
  let overEnd = orderOf(machine);
  let sums = f64x2.splat(0);
  for (let r: usize = 0; r < (resources as usize); r += 1) {
    const left = v128.load(free + (r << 4));
    if (!v128.any_true(f64x2.lt(left, f64x2.splat(0)))) continue;
    sums = f64x2.sub(sums, f64x2.mul(f64x2.pmin(left, f64x2.splat(0)), v128.load(units + (r << 4))));
    store<u8>(overEnd, r as u8);
    overEnd += 1;
  }
  setWhole(overCounts, machine, (overEnd - orderOf(machine)) as i32);
  for (let r: usize = 0; r < (resources as usize); r += 1) {
    if (v128.any_true(f64x2.lt(v128.load(free + (r << 4)), f64x2.splat(0)))) continue;
    store<u8>(overEnd, r as u8);
    overEnd += 1;
  }
  const opening: f64 = whole(counts, machine) > 0 ? real(openCost, machine) : 0;
  const loads = f64x2.extract_lane(sums, 0);
  setReal(loadOf, machine, loads);
  const costs = loads + opening + balanceCostOf(machine);
  machineCosts += costs - real(machineCost, machine);
  setReal(machineCost, machine, costs);
  const above = f64x2.extract_lane(sums, 1);
  const before = real(excessOf, machine);
  // Sums of fractions drift: where nothing is over, nothing may be left of it.
  if (above !== before) {
    machinesOver += ((above > 0) as i32) - ((before > 0) as i32);
    excess = machinesOver === 0 ? 0 : max<f64>(0, excess + above - before);
    setReal(excessOf, machine, above);
  }
}

/** Its resources. */
function orderOf(machine: i32): usize {
  return order + ((machine * resources) as usize);
}

function amountOf(needed: usize, ends: usize, r: usize): v128 {
  return f64x2.mul(v128.load64_splat(needed + (r << 3)), v128.load(ends + (r << 4)));
}

function sumOf(lanes: v128): f64 {
  return f64x2.extract_lane(lanes, 0) + f64x2.extract_lane(lanes, 1);
}

/** `f64[r]` requirement of a process. */
function rowOf(process: i32): usize {
  return need + ((process * resources) as usize) * 8;
}

/** `f64[r * 2]` shares of a process's requirement that its coming or going changes on a machine's safety and capacity. */
function endsOf(process: i32, machine: i32): usize {
  return whole(origin, process) === machine ? endsAtHome : endsAway;
}

/** `f64[r * 2]` of a machine. */
function slackOf(machine: i32): usize {
  return slack + ((machine * resources) as usize) * 16;
}

function isAllowed(process: i32, machine: i32): bool {
  const row = whole(placeRow, process);
  if (row >= 0 && ((whole(placeBits, row + (machine >> 5)) >>> (machine & 31)) & 1) === 0) return false;
  if (hasForbidden === 0) return true;
  const cell = whole(placementGroup, process) * machineClasses + whole(machineClass, machine);
  return real(placementCost, cell) !== Infinity;
}
