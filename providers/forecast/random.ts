/**
 * Seeded pseudo-random numbers: the same seed gives the same numbers on every machine and version.
 *
 * Not for: keys, tokens or anything else that must not be guessed.
 *
 * Source: xoshiro128**, D. Blackman and S. Vigna, "Scrambled Linear Pseudorandom Number Generators", ACM TOMS 47(4),
 * 2021; its state is filled by splitmix32 (the 32-bit form of Steele, Lea and Flood's SplitMix, OOPSLA 2014).
 */

/** A stream of pseudo-random numbers. */
export interface Random {
  /** Uniform in [0, 1), 32 bits of it. */
  next(): number;
  /** Uniform whole number in [0, count). */
  below(count: number): number;
  /** Standard normal (Box and Muller, 1958). */
  normal(): number;
}

const UINT32 = 2 ** 32;

/**
 * Creates a stream.
 * @param seed any finite number; fractions are cut off
 */
export function createRandom(seed: number): Random {
  const state = seedState(seed);
  const next = (): number => nextUint32(state) / UINT32;
  return {
    next,
    below: (count) => Math.floor(next() * count),
    // 1 - u lies in (0, 1], so the logarithm is finite.
    normal: () => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next()),
  };
}

/** Both halves of the seed count: seeds beyond 2^32 (times in ms) give streams of their own. */
function seedState(seed: number): Uint32Array {
  const whole = Number.isFinite(seed) ? Math.trunc(seed) : 0;
  let counter = (whole ^ Math.imul(Math.floor(whole / UINT32), 0x85ebca6b)) >>> 0;
  return Uint32Array.from({ length: 4 }, () => {
    counter = (counter + 0x9e3779b9) >>> 0;
    let mixed = counter ^ (counter >>> 16);
    mixed = Math.imul(mixed, 0x21f0aaad);
    mixed ^= mixed >>> 15;
    mixed = Math.imul(mixed, 0x735a2d97);
    return (mixed ^ (mixed >>> 15)) >>> 0;
  });
}

function nextUint32(state: Uint32Array): number {
  const [s0, s1, s2, s3] = [state[0] ?? 0, state[1] ?? 0, state[2] ?? 0, state[3] ?? 0];
  const result = Math.imul(rotateLeft(Math.imul(s1, 5), 7), 9) >>> 0;
  const x2 = s2 ^ s0;
  const x3 = s3 ^ s1;
  state[1] = s1 ^ x2;
  state[0] = s0 ^ x3;
  state[2] = x2 ^ (s1 << 9);
  state[3] = rotateLeft(x3, 11);
  return result;
}

function rotateLeft(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits));
}
