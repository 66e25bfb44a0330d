/**
 * Seeded random numbers: mulberry32 by Tommy Ettinger (public domain, 2017), 32 bits of state, passes gjrand's tests.
 * Small and the same on every machine.
 *
 * Not for: secrets, or statistics that need more than 2^32 draws.
 */

/** A stream of random numbers that its seed fully determines. */
export interface Random {
  /** Uniform in [0, 1). */
  next(): number;
  /** A whole number in [from, to], both included. */
  integer(from: number, to: number): number;
  /** A normal deviate with mean 0 and deviation 1 (Box and Muller, 1958). */
  normal(): number;
  /** An independent stream for a named part, so that one part's draws do not change another's. */
  fork(name: string): Random;
}

/** Creates the stream of a seed; only its lower 32 bits count. */
export function createRandom(seed: number): Random {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  return {
    next,
    integer: (from, to) => from + Math.floor(next() * (to - from + 1)),
    normal: () => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next()),
    fork: (name) => createRandom(seed ^ hashText(name)),
  };
}

/** 32-bit FNV-1a (Fowler, Noll, Vo). */
function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  }
  return hash >>> 0;
}
