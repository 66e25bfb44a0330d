/**
 * Which request comes next: seeded, so that two runs send the same sequence.
 */

/** One request to be made. */
export interface PlannedRequest {
  readonly kind: "page" | "slow" | "ledger";
  readonly isNewConnection: boolean;
}

/** Shares of the kinds, each 0..1. */
export interface MixShares {
  readonly slowShare: number;
  readonly newConnectionShare: number;
  /** 0 without a ledger. */
  readonly ledgerShare: number;
}

/** An endless sequence of requests. */
export function createRequestMix(shares: MixShares, seed: number): () => PlannedRequest {
  const random = createRandom(seed);
  return () => {
    const draw = random();
    const kind = draw < shares.slowShare ? "slow" : draw < shares.slowShare + shares.ledgerShare ? "ledger" : "page";
    return { kind, isNewConnection: random() < shares.newConnectionShare };
  };
}

/** Mulberry32 by Tommy Ettinger (public domain): small, and even enough for a mix. */
function createRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
