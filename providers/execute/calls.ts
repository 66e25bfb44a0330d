/**
 * Calls of drivers with a bound in time and with repetition where the answer was lost.
 *
 * Not for: what to do when a call has failed for good; that is the step's.
 *
 * Invariants
 * 1. A call ends, answered or not, within its timeout; a driver that hangs cannot hold a run.
 * 2. Only `unreachable` and `timeout` are repeated, always with the same key.
 * 3. `stale-epoch` means that a newer owner exists: it becomes LeaseLostError and is told to `onStale`.
 * 4. `unauthorized` is no verdict about a host: it becomes InterruptedError, and the run's state is kept.
 */
import { DriverError, InterruptedError, isKind, LeaseLostError, messageOf } from "../../sdk/model";
import type { DriverErrorCode } from "../../sdk/model";
import type { Clock } from "../clock";

/** Longest time of one call. Only `reserve` and `release` wait for long work (contracts.ts, invariant 4). */
export const CALL_TIMEOUT_MS = 30_000;
const FIRST_BACK_OFF_MS = 100;
const LONGEST_BACK_OFF_MS = 5_000;

/** What {@link callUntil} needs. */
export interface CallOptions {
  readonly clock: Clock;
  /** Aborts when the lease is lost; its reason is thrown. */
  readonly signal: AbortSignal;
  /** Wall time in ms at which no further try begins. */
  readonly giveUpAt: number;
  /** Longest time of one try. */
  readonly timeoutMs: number;
  /** Checked right before each try. @throws LeaseLostError */
  assertHeld(): void;
  /** Told about a newer owner. */
  onStale(error: LeaseLostError): void;
}

/** The code of a DriverError, also from another copy of the package; undefined for anything else. */
export function driverErrorCode(error: unknown): DriverErrorCode | undefined {
  return isKind(error, "DriverError") ? (error as DriverError).code : undefined;
}

/**
 * Refused credentials are no fault of a host: undoing would be refused as well. The run stops and is carried on by
 * whoever has good ones.
 */
export function interruptedBy(unauthorized: unknown): InterruptedError {
  return new InterruptedError(
    `credentials are refused: ${messageOf(unauthorized)}`,
    "renew them, then `pulumi up` or a runner carries the run on",
  );
}

/** True when it is unknown whether the call took effect. */
export function isUncertain(error: unknown): boolean {
  const code = driverErrorCode(error);
  return code === "unreachable" || code === "timeout";
}

/** Calls until there is an answer or `giveUpAt` has passed; then the last error is thrown. */
export async function callUntil<T>(options: CallOptions, call: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const { clock, signal, timeoutMs } = options;
  let backOffMs = FIRST_BACK_OFF_MS;
  for (;;) {
    throwIfLost(options);
    try {
      return await callOnce(clock, signal, timeoutMs, call);
    } catch (error) {
      throwIfLost(options);
      if (driverErrorCode(error) === "stale-epoch") {
        const lost = new LeaseLostError((error as DriverError).subject, messageOf(error), error);
        options.onStale(lost);
        throw lost;
      }
      if (driverErrorCode(error) === "unauthorized") throw interruptedBy(error);
      if (!isUncertain(error) || clock.now() + backOffMs >= options.giveUpAt) throw error;
    }
    await clock.sleep(backOffMs, signal);
    backOffMs = Math.min(LONGEST_BACK_OFF_MS, backOffMs * 2);
  }
}

async function callOnce<T>(
  clock: Clock,
  signal: AbortSignal,
  timeoutMs: number,
  call: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const over = new AbortController();
  const answered = new AbortController();
  const passOn = (): void => {
    over.abort(signal.reason);
  };
  signal.addEventListener("abort", passOn, { once: true });
  const tooLong = clock.sleep(timeoutMs, answered.signal).then(() => {
    // The timer of a call that was answered in time is nobody's business any more.
    if (answered.signal.aborted) return new Promise<never>(() => undefined);
    const error = new DriverError("timeout", "call", `no answer within ${String(timeoutMs / 1000)} s`);
    over.abort(error);
    throw error;
  });
  const lost = new Promise<never>((_, reject) => {
    over.signal.addEventListener("abort", () => {
      reject(over.signal.reason as Error);
    });
  });
  // Whichever of them loses the race fails unheard.
  tooLong.catch(() => undefined);
  lost.catch(() => undefined);
  try {
    return await Promise.race([call(over.signal), tooLong, lost]);
  } finally {
    signal.removeEventListener("abort", passOn);
    answered.abort(ANSWERED);
  }
}

/** Reason of an abort that nobody reads; without one the platform makes an error with a stack for each call. */
const ANSWERED = "answered";

function throwIfLost(options: CallOptions): void {
  if (options.signal.aborted) throw options.signal.reason;
  options.assertHeld();
}
