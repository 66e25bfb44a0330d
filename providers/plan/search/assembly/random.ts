/**
 * Seeded pseudo-random numbers: those of ../random.ts, bit for bit.
 *
 * Source: sfc32 of C. Doty-Humphrey's PractRand.
 */

export let randomA: i32 = 0;
export let randomB: i32 = 0;
export let randomC: i32 = 0;
export let randomCounter: i32 = 0;

/** 31 random bits. */
export function randomBits(): i32 {
  const sum = randomA + randomB + randomCounter;
  randomCounter += 1;
  randomA = randomB ^ (randomB >>> 9);
  randomB = randomC + (randomC << 3);
  randomC = rotl<i32>(randomC, 21) + sum;
  return sum >>> 1;
}

/** Uniform in [0, 1). */
export function randomShare(): f64 {
  return (randomBits() as f64) / 2147483648.0;
}

/** Uniform whole number in [0, count). */
export function randomBelow(count: i32): i32 {
  return ((randomBits() as f64) * ((count as f64) / 2147483648.0)) as i32;
}
