/**
 * The leases of a run: on the run, its hosts and its pool, renewed in the background while it works.
 *
 * Not for: how a lease is stored (providers/journal).
 *
 * Invariants
 * 1. What is lost stays lost: after the first doubt nothing has an effect any more, until a new owner takes over.
 * 2. A lease is only believed for its time to live since the beginning of its last renewal, by monotonic time.
 * 3. When wall and monotonic time drift apart by more than a quarter of `ttlMs`, the leases count as lost.
 * 4. Where renewing is slow (a slow store, or a machine too busy to let this process work), leases are asked for a
 *    longer time before they run out, and for `ttlMs` again once it is quick.
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
/** Slow renewals ask for this many times what the slowest of late has taken, a wake-up that came late included. */
const SLOWNESS_FACTOR = 6;
/** Longest time to live, in `ttlMs`: what a crash on a slow machine leaves behind must end in reasonable time, too. */
const LONGEST_TTL = 4;
/** Leases renewed at once: one after the other would take too long for large fleets. */
const RENEWALS_AT_ONCE = 16;

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
  /** What every lease held was granted for at least, from `provenAt`. */
  private grantedMs: number;
  /** Slowest renewal of late, halved with each that is quicker. */
  private slownessMs = 0;

  constructor(
    private readonly store: LeaseStore,
    private readonly clock: Clock,
    private readonly owner: string,
    private readonly names: { readonly run: string; readonly platform: string },
    private readonly ttlMs: number = LEASE_TTL_MS,
  ) {
    this.provenAt = clock.monotonic();
    this.wallAheadOfMonotonic = clock.now() - clock.monotonic();
    this.grantedMs = ttlMs;
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
      // Not shorter than what the others have: they are believed together.
      const lease = await this.store.acquire(resource, this.owner, Math.max(this.grantedMs, this.wantedMs()));
      this.noteSlowness(askedAt);
      if (this.held.size === 0) this.prove(askedAt, this.ttlMs);
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
    if (sinceMs >= this.grantedMs) this.loseAndThrow(`not renewed for ${String(Math.round(sinceMs))} ms`);
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
      const waitMs = this.ttlMs / (isAnswered ? RENEWALS_PER_TTL : RETRIES_PER_TTL);
      const dueAt = this.clock.monotonic() + waitMs;
      // What was granted for too short a time, as it shows now, is renewed at once.
      if (!isAnswered || this.grantedMs >= this.wantedMs()) await this.clock.sleep(waitMs, over);
      if (over.aborted) return;
      isAnswered = await this.renewAll(Math.min(dueAt, this.clock.monotonic()));
    }
  }

  /** False when the store did not answer. @param dueAt when it was to begin, monotonic time */
  private async renewAll(dueAt: number): Promise<boolean> {
    const askedAt = this.clock.monotonic();
    const ttlMs = this.wantedMs();
    try {
      this.assertHeld();
      const leases = [...this.held.values()];
      for (let first = 0; first < leases.length; first += RENEWALS_AT_ONCE) {
        await Promise.all(leases.slice(first, first + RENEWALS_AT_ONCE).map((lease) => this.renew(lease, ttlMs)));
      }
      this.prove(askedAt, ttlMs);
      this.noteSlowness(dueAt);
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

  private async renew(lease: Lease, ttlMs: number): Promise<void> {
    const renewed = await this.store.renew(lease, ttlMs);
    if (this.held.has(lease.resource)) this.held.set(lease.resource, renewed);
  }

  /** What to ask the store for. */
  private wantedMs(): number {
    return Math.min(LONGEST_TTL * this.ttlMs, Math.max(this.ttlMs, SLOWNESS_FACTOR * this.slownessMs));
  }

  private noteSlowness(sinceMs: number): void {
    this.slownessMs = Math.max(this.clock.monotonic() - sinceMs, this.slownessMs / 2);
  }

  private prove(askedAt: number, ttlMs: number): void {
    this.provenAt = askedAt;
    this.grantedMs = ttlMs;
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
