/**
 * What the generator measures, by phase.
 *
 * Not for: making requests (generator.ts).
 */
import { LatencyHistogram } from "./latency-histogram";
import type { LoadFailure, LoadResult, PhaseResult } from "./load-contract";
import type { PlannedRequest } from "./request-mix";

const FAILURES_KEPT = 20;

interface PhaseRecord {
  requests: number;
  failed: number;
  elapsedMs: number;
  maxLagMs: number;
  readonly all: LatencyHistogram;
  readonly byKind: Readonly<Record<PlannedRequest["kind"], LatencyHistogram>>;
}

/** See the file's header. */
export class LoadRecord {
  requests = 0;
  failed = 0;
  readonly ackedLedgerIds: string[] = [];
  private readonly phases = new Map<string, PhaseRecord>();
  private readonly failures: LoadFailure[] = [];
  private readonly slow = { requests: 0, failed: 0, latency: new LatencyHistogram() };
  private current: { name: string; since: number };

  /** @param nowMs monotonic */
  constructor(phase: string, nowMs: number) {
    this.current = { name: phase, since: nowMs };
    this.phaseOf(phase);
  }

  get phase(): string {
    return this.current.name;
  }

  /** Switches the phase; coming back to an earlier one goes on with it. */
  mark(phase: string, nowMs: number): void {
    this.phaseOf(this.current.name).elapsedMs += nowMs - this.current.since;
    this.current = { name: phase, since: nowMs };
    this.phaseOf(phase);
  }

  noteSent(lagMs: number): void {
    const phase = this.phaseOf(this.current.name);
    this.requests += 1;
    phase.requests += 1;
    if (lagMs > phase.maxLagMs) phase.maxLagMs = lagMs;
  }

  noteAnswered(phaseName: string, kind: PlannedRequest["kind"], latencyMs: number): void {
    const phase = this.phaseOf(phaseName);
    phase.byKind[kind].record(latencyMs);
    if (kind !== "slow") {
      phase.all.record(latencyMs);
      return;
    }
    this.slow.requests += 1;
    this.slow.latency.record(latencyMs);
  }

  noteFailed(kind: PlannedRequest["kind"], failure: LoadFailure): void {
    this.failed += 1;
    this.phaseOf(failure.phase).failed += 1;
    if (kind === "slow") {
      this.slow.requests += 1;
      this.slow.failed += 1;
    }
    if (this.failures.length < FAILURES_KEPT) this.failures.push(failure);
  }

  result(nowMs: number): LoadResult {
    this.mark(this.current.name, nowMs);
    return {
      requests: this.requests,
      failed: this.failed,
      failures: this.failures,
      slow: { requests: this.slow.requests, failed: this.slow.failed, latency: this.slow.latency.summary() },
      phases: Object.fromEntries(Array.from(this.phases, ([name, phase]) => [name, phaseResult(phase)])),
      ackedLedgerIds: this.ackedLedgerIds,
    };
  }

  private phaseOf(name: string): PhaseRecord {
    const known = this.phases.get(name);
    if (known !== undefined) return known;
    const fresh: PhaseRecord = {
      requests: 0,
      failed: 0,
      elapsedMs: 0,
      maxLagMs: 0,
      all: new LatencyHistogram(),
      byKind: { page: new LatencyHistogram(), slow: new LatencyHistogram(), ledger: new LatencyHistogram() },
    };
    this.phases.set(name, fresh);
    return fresh;
  }
}

function phaseResult(phase: PhaseRecord): PhaseResult {
  return {
    requests: phase.requests,
    failed: phase.failed,
    seconds: phase.elapsedMs / 1000,
    latency: phase.all.summary(),
    page: phase.byKind.page.summary(),
    ledger: phase.byKind.ledger.summary(),
    slow: phase.byKind.slow.summary(),
    maxLagMs: phase.maxLagMs,
  };
}
