/**
 * The leases of a run: on the run, its hosts and its pool, renewed in the background while it works.
 *
 * Not for: how a lease is stored (providers/journal).
 *
 * Invariants
 * 1. What is lost stays lost: after the first doubt nothing has an effect any more, until a new owner takes over.
 * 2. A lease is only believed for its time to live since the beginning of its last renewal, by monotonic time.
 * 3. When wall and monotonic time drift apart by more than a quarter of that, the leases count as lost.
 */
import { isKind, LeaseLostError, messageOf, StoreError, type DriverError } from "../../sdk/model";
import type { Clock } from "../clock";
import type { LeaseGuard } from "../execute/execution";
import type { EffectScope } from "../execute/step";
import type { Lease, LeaseStore } from "../journal/run-store";

/** Long enough for a slow store, short enough that a crashed run is soon carried on. */
export const LEASE_TTL_MS = 15_000;
const RENEWALS_PER_TTL = 3;
/** After a renewal without an answer the next one comes sooner. */
const RETRIES_PER_TTL = 15;
const DRIFT_SHARE = 0.25;

/** Lease on a run. */
export function runResource(run: string): string {
  return `run/${run}`;
}

/** Lease on a host of a platform. */
export function hostResource(platform: string, host: string): string {
  return `host/${platform}/${host}`;
}

/** Lease on the reserve of a pool. */
export function poolResource(platform: string, pool: string): string {
  return `pool/${platform}/${pool}`;
}

/** All leases that one process holds for one run. */
export class RunLeases implements LeaseGuard {
  private readonly held = new Map<string, Lease>();
  private readonly lost = new AbortController();
  private readonly ended = new AbortController();
  private provenAt: number;
  private wallAheadOfMonotonic: number;
  private isRenewing = false;

  constructor(
    private readonly store: LeaseStore,
    private readonly clock: Clock,
    private readonly owner: string,
    private readonly names: { readonly run: string; readonly platform: string },
    private readonly ttlMs: number = LEASE_TTL_MS,
  ) {
    this.provenAt = clock.monotonic();
    this.wallAheadOfMonotonic = clock.now() - clock.monotonic();
  }

  get signal(): AbortSignal {
    return this.lost.signal;
  }

  /**
   * Takes leases that are not held yet, in the order of their names so that two runs cannot wait for each other.
   * What was taken before stays held when a later one is not to be had.
   * @throws LeaseHeldError
   */
  async acquire(resources: readonly string[]): Promise<void> {
    const missing = [...new Set(resources)].filter((resource) => !this.held.has(resource)).sort();
    for (const resource of missing) {
      if (this.held.size > 0) this.assertHeld();
      const askedAt = this.clock.monotonic();
      const lease = await this.store.acquire(resource, this.owner, this.ttlMs);
      if (this.held.size === 0) this.prove(askedAt);
      this.held.set(resource, lease);
      if (!this.isRenewing) {
        this.isRenewing = true;
        void this.renewUntilEnded();
      }
    }
  }

  assertHeld(): void {
    if (this.signal.aborted) throw this.signal.reason;
    const { clock, ttlMs } = this;
    const driftMs = Math.abs(clock.now() - clock.monotonic() - this.wallAheadOfMonotonic);
    if (driftMs > ttlMs * DRIFT_SHARE) {
      this.loseAndThrow(`wall time moved by ${String(Math.round(driftMs))} ms against monotonic time`);
    }
    const sinceMs = clock.monotonic() - this.provenAt;
    if (sinceMs >= ttlMs) this.loseAndThrow(`not renewed for ${String(Math.round(sinceMs))} ms`);
  }

  declareLost(error: LeaseLostError): void {
    this.lost.abort(error);
  }

  epochOf(scope: EffectScope): number {
    const resource = scope === "run" ? runResource(this.names.run) : hostResource(this.names.platform, scope.host);
    const lease = this.held.get(resource);
    if (!lease) throw new LeaseLostError(resource, "it was not taken before the effect");
    return lease.epoch;
  }

  /**
   * What it means when a platform refuses an epoch though the store says that the lease is held: somebody works on the
   * same hosts from another run store. Undefined for anything else.
   */
  async explainRefusal(error: unknown, storeUrl: string): Promise<StoreError | undefined> {
    if (!isKind(error, "LeaseLostError") || !isStaleEpoch((error as LeaseLostError).cause)) return undefined;
    for (const lease of this.held.values()) {
      const now = await this.store.inspect(lease.resource).catch(() => undefined);
      if (now?.owner !== lease.owner || now.epoch !== lease.epoch) return undefined;
    }
    return new StoreError(
      "conflict",
      `${messageOf((error as LeaseLostError).cause)}, but no newer owner is in run store ${storeUrl}`,
      {
        remedy:
          "these hosts were worked on from another run store; name that one as `store`, or, where it is gone for good, " +
          "see 'two run stores on one fleet' in the runbook",
        cause: error,
      },
    );
  }

  /** Gives all leases back and ends the renewing; lost ones are left alone. */
  async release(): Promise<void> {
    this.ended.abort();
    const isLost = this.signal.aborted;
    for (const lease of [...this.held.values()].reverse()) {
      this.held.delete(lease.resource);
      if (isLost) continue;
      try {
        await this.store.release(lease);
      } catch {
        // It lapses by itself; there is nothing better to do with a store that does not answer.
      }
    }
  }

  private async renewUntilEnded(): Promise<void> {
    const over = AbortSignal.any([this.ended.signal, this.signal]);
    let isAnswered = true;
    for (;;) {
      await this.clock.sleep(this.ttlMs / (isAnswered ? RENEWALS_PER_TTL : RETRIES_PER_TTL), over);
      if (over.aborted) return;
      isAnswered = await this.renewAll();
    }
  }

  /** False when the store did not answer. */
  private async renewAll(): Promise<boolean> {
    const askedAt = this.clock.monotonic();
    try {
      this.assertHeld();
      for (const lease of [...this.held.values()]) {
        const renewed = await this.store.renew(lease, this.ttlMs);
        if (this.held.has(lease.resource)) this.held.set(lease.resource, renewed);
      }
      this.prove(askedAt);
      return true;
    } catch (error) {
      if (this.ended.signal.aborted) return true;
      // A store that does not answer may answer the next time; until then `assertHeld` counts the time.
      if (isKind(error, "StoreError")) return false;
      const { run } = this.names;
      this.declareLost(
        isKind(error, "LeaseLostError")
          ? (error as LeaseLostError)
          : new LeaseLostError(runResource(run), messageOf(error), error),
      );
      return true;
    }
  }

  private prove(askedAt: number): void {
    this.provenAt = askedAt;
    this.wallAheadOfMonotonic = this.clock.now() - this.clock.monotonic();
  }

  private loseAndThrow(reason: string): never {
    const error = new LeaseLostError(runResource(this.names.run), reason);
    this.declareLost(error);
    throw error;
  }
}

function isStaleEpoch(error: unknown): boolean {
  return isKind(error, "DriverError") && (error as DriverError).code === "stale-epoch";
}
