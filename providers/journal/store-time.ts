/**
 * The time of a server that tells it in whole seconds, as between two bounds, and whether this machine's clock agrees.
 *
 * An answer dated D, asked for at monotonic time s and received at r, means that the server's time was in
 * [D, D + 1 s) at some moment between s and r. Every answer narrows the bounds; a few per second bring them down to
 * the time that an answer takes.
 *
 * Not for: deciding about leases (s3-leases.ts).
 *
 * Invariants
 * 1. `earliest() <= server's time <= latest()` while this machine does not sleep.
 * 2. When this machine's wall and monotonic clock part, as after a sleep, the bounds are unknown until the next answer.
 */
import { StoreError } from "../../sdk/model";
import type { Clock } from "../clock";

/** Dates of HTTP are whole seconds. */
const DATE_STEP_MS = 1000;
/** How far the servers behind one address may be apart. */
const SERVERS_APART_MS = 100;
/** Quartz clocks drift by less. */
const DRIFT = 0.0005;
/** A jump of the wall clock beyond this means a sleep or a clock that was set. */
const JUMP_MS = 250;
/** How far a machine's clock may be off: windows open and close by it. */
const LARGEST_CLOCK_ERROR_MS = 5 * 60_000;

/** Offsets of the server's time to this machine's monotonic time. */
interface Offsets {
  readonly low: number;
  readonly high: number;
  /** Monotonic time at which they held. */
  readonly at: number;
  /** Wall minus monotonic time then. */
  readonly wallAhead: number;
}

/** See the file's header. */
export class StoreTime {
  private offsets: Offsets | undefined;

  constructor(private readonly clock: Clock) {}

  /**
   * Takes a dated answer into account.
   * @param dateMs its date, ms since the epoch
   * @param sentAt monotonic time before it was asked for
   */
  observe(dateMs: number, sentAt: number): void {
    const receivedAt = this.clock.monotonic();
    const seen = {
      low: dateMs - receivedAt - SERVERS_APART_MS,
      high: dateMs + DATE_STEP_MS - sentAt + SERVERS_APART_MS,
    };
    const known = this.current();
    const low = Math.max(seen.low, known?.low ?? Number.NEGATIVE_INFINITY);
    const high = Math.min(seen.high, known?.high ?? Number.POSITIVE_INFINITY);
    // Bounds that exclude each other: the server's clock was set. Only the latest answer counts then.
    const bounds = low <= high ? { low, high } : seen;
    this.offsets = { ...bounds, at: receivedAt, wallAhead: this.clock.now() - receivedAt };
  }

  /** True when an answer is needed first. */
  get isUnknown(): boolean {
    return this.current() === undefined;
  }

  /** Lower bound of the server's time, ms since the epoch. Undefined before the first answer. */
  earliest(): number | undefined {
    const known = this.current();
    return known && Math.floor(this.clock.monotonic() + known.low);
  }

  /** Upper bound of the server's time. */
  latest(): number | undefined {
    const known = this.current();
    return known && Math.ceil(this.clock.monotonic() + known.high);
  }

  private current(): { readonly low: number; readonly high: number } | undefined {
    if (!this.offsets) return undefined;
    const { low, high, at, wallAhead } = this.offsets;
    const monotonic = this.clock.monotonic();
    if (Math.abs(this.clock.now() - monotonic - wallAhead) > JUMP_MS) return undefined;
    const drift = (monotonic - at) * DRIFT;
    return { low: low - drift, high: high + drift };
  }
}

/**
 * Refuses to work with a clock that is far from the store's.
 * @throws StoreError denied with both times
 */
export function checkClock(url: string, storeMs: number, clock: Clock): void {
  const differenceMs = clock.now() - storeMs;
  if (Math.abs(differenceMs) <= LARGEST_CLOCK_ERROR_MS) return;
  const minutes = Math.round(Math.abs(differenceMs) / 60_000);
  const apart = minutes < 120 ? `${String(minutes)} minutes` : `${String(Math.round(minutes / 60))} hours`;
  throw new StoreError(
    "denied",
    `run store ${url}: this machine's clock (${new Date(clock.now()).toISOString()}) is ${apart} ` +
      `${differenceMs > 0 ? "ahead of" : "behind"} the store's (${new Date(storeMs).toISOString()})`,
    {
      remedy:
        "windows would open at the wrong time, so nothing was started; set the clock (such as `timedatectl set-ntp " +
        "true`) and run again",
    },
  );
}
