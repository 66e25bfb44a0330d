/**
 * Time as a parameter: the system's clock here, a virtual one in providers/testing.
 *
 * Invariant: code under execute/, runner/, journal/ and guard/ never calls Date.now, setTimeout or performance.now.
 */

/** Wall and monotonic time, and waiting. */
export interface Clock {
  /** Wall time, milliseconds since the epoch. */
  now(): number;
  /** Never goes back; milliseconds from an arbitrary origin. */
  monotonic(): number;
  /**
   * Waits. Resolves early, without an error, when `signal` aborts: callers look at the signal.
   */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** The machine's clock. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  sleep: (ms, signal) =>
    new Promise((resolve) => {
      if (signal?.aborted) {
        resolve();
        return;
      }
      const finish = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", finish);
        resolve();
      };
      const timer = setTimeout(finish, ms);
      signal?.addEventListener("abort", finish, { once: true });
    }),
};

/** Where a run tells what it does. Never throws; a lost listener never stops a run. */
export interface Progress {
  /** A line that stays: waves, decisions, failures. */
  line(text: string): void;
  /** The status of the moment, replaced by the next. */
  status(text: string): void;
}

/** Tells nobody. */
export const silentProgress: Progress = { line: () => undefined, status: () => undefined };
