/**
 * The moves of a walk: shifts, swaps, ejections and forced moves of one process with one machine and what is on it.
 *
 * What makes it fast: a move may cost at most what leaving gains plus a threshold drawn before, so most moves end after
 * one or two resources of the machine they go to, those first that are over; the processes of one machine are tried in a
 * row. A quarter of the moves of a process that is away lead home: where resources are transient, each
 * machine has room for few that come, whatever leaves it.
 *
 * Not for: temperatures and prices (../anneal.ts).
 *
 * Sources: Kirkpatrick, Gelatt and Vecchi, "Optimization by Simulated Annealing", Science 220, 1983; strategic
 * oscillation around the border of feasibility: Glover, "Heuristics for Integer Programming Using Surrogate
 * Constraints", Decision Sciences 8, 1977; forced moves are the big process rearrangement of Gavranovic, Buljubasic and
 * Demirovic, "Variable Neighborhood Search for Google Machine Reassignment problem", ENDM 39, 2012.
 */
import { keep, note, noticeBest } from "./incumbent";
import {
  assignment,
  canPlace,
  canSwap,
  costOfPlacing,
  changeByReplacing,
  counts,
  drawPlace,
  gainOf,
  isPinned,
  lists,
  move,
  ratedCost,
  shiftPrice,
  swap,
  swapPrice,
} from "./machines";
import { real, setWhole, whole } from "./memory";
import { moveCostChange } from "./move-costs";
import { randomBelow, randomBits, randomShare } from "./random";
import { origin } from "./tables";

/** Moves on processes in front, of those that are tried. */
const FRONT_SHARE_BITS: i32 = 0x5999999a;
/** Processes on a machine that one process is tried in the place of, and machines where each of them could go. */
const MOST_PARTNERS: i32 = 12;
const MOST_THIRDS: i32 = 2;
/** A process whose leaving would gain this many temperatures, and does not find a place, is forced now and then. */
const STUCK: f64 = 20;
const STUCK_RARITY: i32 = 1;
/** Share of all moves that forcing may take: where most processes are stuck, few of them can be helped by it. */
const MOST_FORCING: f64 = 0.15;
/** Processes that make room for it, at most, and machines where each of them is tried. */
const MOST_FORCED: i32 = 12;
const FORCED_TARGETS: i32 = 8;

/** `i32` processes that may move, largest first. */
export let movable: usize = 0;
export let movableCount: i32 = 0;
/** `f64[1024]` negative logarithms of evenly spread numbers: a temperature times one of them is a random threshold. */
export let thresholds: usize = 0;
/** `i32` of a move that is forced: processes and where they were. */
export let forced: usize = 0;

const LOGS: i32 = 1024;
let temperature: f64 = 0;
let moves: f64 = 0;
let forcingMoves: f64 = 0;

/** A walk begins: what it counts begins at 0. */
export function beginWalk(): void {
  moves = 0;
  forcingMoves = 0;
}

/**
 * Tries at least so many moves.
 * @param front the first so many processes are tried more often; smaller ones find their places later
 * @returns moves since the walk began
 */
export function walk(least: i32, walkTemperature: f64, front: i32): f64 {
  temperature = walkTemperature;
  const until = moves + (least as f64);
  while (moves < until) {
    const isFront = front < movableCount && randomBits() < FRONT_SHARE_BITS;
    // Squared: of those in front the larger ones are tried more often, as they find a place more seldom.
    const index = isFront ? frontIndex(front) : randomBelow(movableCount);
    tryProcess(whole(movable, index));
  }
  return moves;
}

function frontIndex(front: i32): i32 {
  const share = randomShare();
  return (share * share * (front as f64)) as i32;
}

/** Tries to bring a process to its origin or to some machine, by a shift, a swap or an ejection. */
function tryProcess(process: i32): void {
  const from = whole(assignment, process);
  const home = whole(origin, process);
  const to = home >= 0 && home !== from && (randomBits() & 3) === 0 ? home : drawPlace(process);
  moves += 1;
  if (to === from) return;
  const gain = gainOf(process, from);
  const moveCost = moveCostChange(process, from, to);
  if (tryShift(process, to, gain, moveCost)) return;
  const count = whole(counts, to);
  if (count === 0) return;
  if (mayForce(gain)) {
    const before = moves;
    const isForced = tryForcing(process, to);
    forcingMoves += moves - before;
    if (isForced) return;
  }
  const list = whole(lists, to) as usize;
  let at = randomBelow(count);
  for (let tries = min<i32>(count, MOST_PARTNERS); tries > 0; tries -= 1) {
    const other = whole(list, at);
    at = at + 1 === count ? 0 : at + 1;
    if (tryReplacing(process, from, other, to, gain, moveCost)) return;
  }
}

function mayForce(gain: f64): bool {
  if (forcingMoves > moves * MOST_FORCING) return false;
  return gain > temperature * STUCK && (randomBits() & STUCK_RARITY) === 0;
}

function tryShift(process: i32, to: i32, gain: f64, moveCost: f64): bool {
  if (!canPlace(process, to)) return false;
  const limit = threshold() + gain - moveCost;
  if (limit < 0) return false;
  const grown = costOfPlacing(to, process, limit);
  if (grown > limit || grown + shiftPrice(process, to) > limit) return false;
  keep();
  note(process);
  move(process, to);
  noticeBest();
  return true;
}

/** Puts a process into another one's place, which goes to where the first was, to its origin or to a third machine. */
function tryReplacing(process: i32, from: i32, other: i32, to: i32, gain: f64, moveCost: f64): bool {
  moves += 1;
  let limit = threshold() + gain - moveCost;
  if (isPinned(other)) return false;
  limit -= changeByReplacing(to, other, process, limit);
  if (limit < 0) return false;
  if (trySwap(process, from, other, to, limit - gain)) return true;
  const home = whole(origin, other);
  if (home >= 0 && home !== to && home !== from && tryEjecting(process, other, to, home, limit)) return true;
  for (let tries = MOST_THIRDS; tries > 0; tries -= 1) {
    const third = drawPlace(other);
    if (third !== to && third !== from && tryEjecting(process, other, to, third, limit)) return true;
  }
  return false;
}

/**
 * Puts a process on a machine whatever that costs, then moves what is best to move off that machine, as long as that
 * helps; takes all back if cost has grown too much. Large processes get to where only several others could make room.
 */
function tryForcing(process: i32, to: i32): bool {
  if (!canPlace(process, to) || shiftPrice(process, to) === Infinity) return false;
  const limit = ratedCost() + threshold();
  const from = whole(assignment, process);
  let steps = 0;
  setWhole(forced, 0, process);
  setWhole(forced, 1, from);
  keep();
  note(process);
  move(process, to);
  while (ratedCost() > limit && steps < MOST_FORCED) {
    let bestGain: f64 = 0;
    let chosen = -1;
    let chosenMachine = -1;
    const list = whole(lists, to) as usize;
    for (let at = whole(counts, to) - 1; at >= 0; at -= 1) {
      const other = whole(list, at);
      const gain = gainOf(other, to);
      if (other === process || gain <= bestGain || isPinned(other)) continue;
      const home = whole(origin, other);
      for (let tries = 0; tries < FORCED_TARGETS; tries += 1) {
        const machine = tries === 0 ? home : tries === 1 ? from : drawPlace(other);
        if (machine < 0 || machine === to || !canPlace(other, machine)) continue;
        moves += 1;
        const left = gain - bestGain - moveCostChange(other, to, machine);
        if (left <= 0) continue;
        const grown = costOfPlacing(machine, other, left);
        if (grown >= left) continue;
        const mending = shiftPrice(other, machine);
        if (grown + mending >= left) continue;
        bestGain += left - grown - mending;
        chosen = other;
        chosenMachine = machine;
      }
    }
    if (chosen < 0) break;
    steps += 1;
    setWhole(forced, steps * 2, chosen);
    setWhole(forced, steps * 2 + 1, to);
    note(chosen);
    move(chosen, chosenMachine);
  }
  if (ratedCost() <= limit) {
    noticeBest();
    return true;
  }
  for (; steps >= 0; steps -= 1) move(whole(forced, steps * 2), whole(forced, steps * 2 + 1));
  return false;
}

function trySwap(process: i32, from: i32, other: i32, to: i32, budget: f64): bool {
  const limit = budget - moveCostChange(other, to, from);
  const change = changeByReplacing(from, process, other, limit);
  if (change > limit || !canSwap(process, other) || change + swapPrice(process, other) > limit) return false;
  keep();
  note(process);
  note(other);
  swap(process, other);
  noticeBest();
  return true;
}

function tryEjecting(process: i32, other: i32, to: i32, third: i32, budget: f64): bool {
  moves += 1;
  let limit = budget - moveCostChange(other, to, third);
  if (limit < 0) return false;
  limit -= costOfPlacing(third, other, limit);
  if (limit < 0 || !canPlace(other, third)) return false;
  const otherPrice = shiftPrice(other, third);
  if (otherPrice === Infinity) return false;
  keep();
  note(other);
  move(other, third);
  if (!canPlace(process, to) || otherPrice + shiftPrice(process, to) > limit) {
    move(other, to);
    return false;
  }
  note(process);
  move(process, to);
  noticeBest();
  return true;
}

/** How much a change may cost: with it, a change of cost d is made with the probability exp(-d / temperature). */
function threshold(): f64 {
  return temperature * real(thresholds, randomBelow(LOGS));
}
