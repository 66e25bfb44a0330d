/**
 * Seeded pseudo-random numbers for inner loops: small whole numbers without allocation. The same seed gives the same
 * numbers on every machine.
 *
 * Not for: keys, tokens or anything else that must not be guessed.
 *
 * Source: sfc32 of C. Doty-Humphrey's PractRand; the seed goes through the mixer of splitmix32.
 */

const BITS_31 = 2 ** 31;
const WARM_UP = 12;

export class FastRandom {
  private a: number;
  private b: number;
  private c: number;
  private counter = 1;

  /** @param seed any finite number; fractions are cut off */
  constructor(seed: number) {
    const whole = Number.isFinite(seed) ? Math.trunc(seed) : 0;
    this.a = mix(whole | 0);
    this.b = mix(this.a ^ Math.floor(whole / 2 ** 32));
    this.c = mix(this.b ^ 0x5f356495);
    for (let round = 0; round < WARM_UP; round += 1) this.bits();
  }

  /** Where it stands: another generator of this kind goes on from there. */
  state(): readonly [a: number, b: number, c: number, counter: number] {
    return [this.a, this.b, this.c, this.counter];
  }

  /** 31 random bits. */
  bits(): number {
    const sum = (((this.a + this.b) | 0) + this.counter) | 0;
    this.counter = (this.counter + 1) | 0;
    this.a = this.b ^ (this.b >>> 9);
    this.b = (this.c + (this.c << 3)) | 0;
    this.c = (((this.c << 21) | (this.c >>> 11)) + sum) | 0;
    return sum >>> 1;
  }

  /** Uniform in [0, 1). */
  next(): number {
    return this.bits() / BITS_31;
  }

  /** Uniform whole number in [0, count), count below 2^31. */
  below(count: number): number {
    return (this.bits() * (count / BITS_31)) | 0;
  }
}

function mix(value: number): number {
  let mixed = (value + 0x9e3779b9) | 0;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x21f0aaad);
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
  return mixed ^ (mixed >>> 15);
}
