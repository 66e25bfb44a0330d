/**
 * What the shared contract tests have in common. A fixture brings the driver, a clock and what the tests may touch;
 * the tests demand only what providers/drivers/contracts.ts and providers/journal/run-store.ts say.
 */
import { strict as assert } from "node:assert";
import type { Clock } from "../../providers/clock";
import type { CallContext } from "../../providers/drivers/contracts";
import { isKind } from "../../sdk/model";
import type { DriverErrorCode } from "../../sdk/model";

/** What every fixture has. */
export interface ContractFixture {
  readonly clock: Clock;
  /** Runs a test's body: a virtual clock drives it, a real one just calls it. */
  run(body: () => Promise<void>): Promise<void>;
  /** Ends and removes everything that the fixture started. */
  close(): Promise<void>;
}

/** How long the contract tests may take. */
export interface ContractOptions {
  /** Limit of one test and of creating the fixture, in real time. @default 20 seconds */
  readonly timeoutMs?: number;
}

export const DEFAULT_TIMEOUT_MS = 20_000;

/** A signal that never aborts. */
export const NO_ABORT: AbortSignal = new AbortController().signal;

/** Contexts of one owner with keys that never repeat by accident. */
export function createContexts(owner = "contract-run"): (overrides?: Partial<CallContext>) => CallContext {
  let count = 0;
  return (overrides = {}) => {
    count += 1;
    return { key: `${owner}/call-${String(count)}`, epoch: 10, owner, signal: NO_ABORT, ...overrides };
  };
}

/** Repeats an observation until it answers with something, and answers with that. */
export async function eventually<T>(
  clock: Clock,
  what: string,
  observe: () => Promise<T | undefined | false>,
  withinMs = 15_000,
): Promise<T> {
  const endMs = clock.monotonic() + withinMs;
  for (;;) {
    const seen = await observe();
    if (seen !== undefined && seen !== false) return seen;
    if (clock.monotonic() >= endMs) assert.fail(`${what}: not within ${String(withinMs)} ms`);
    await clock.sleep(50);
  }
}

/** The call must fail with a DriverError of this code. */
export async function rejectsWith(
  code: DriverErrorCode | readonly DriverErrorCode[],
  call: Promise<unknown>,
): Promise<void> {
  const codes: readonly string[] = typeof code === "string" ? [code] : code;
  await assert.rejects(call, (error: unknown) => {
    assert.ok(isKind(error, "DriverError"), `must be a DriverError: ${String(error)}`);
    const seen = (error as { readonly code: string }).code;
    assert.ok(codes.includes(seen), `code ${seen} must be ${codes.join(" or ")}: ${String(error)}`);
    return true;
  });
}
