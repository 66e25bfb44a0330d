/**
 * One backend at run time: its pool of connections, requests under way, and its health.
 *
 * Not for: choosing (weighted-choice.ts) and single requests (exchange.ts).
 *
 * Invariants
 * 1. `inFlight` is exact: begun minus ended, one `end` per `begin`.
 * 2. A draining backend keeps no idle connection.
 */
import { Agent } from "node:http";
import { probe } from "./probe";
import type { ProbeKind } from "./probe";
import type { BackendRecord } from "./service-record";
import type { Weighted } from "./weighted-choice";

/**
 * How long idle connections to a backend are kept. Below the 5 s after which common servers close them, so that a
 * request seldom meets a connection that is just being closed.
 */
const IDLE_CONNECTION_MS = 4_000;
const IDLE_CONNECTIONS = 128;
/** Checks that must fail in a row before a healthy backend gets no new request: one lost check is not an outage. */
const FAILURES_TO_UNHEALTHY = 2;
/** Check interval while it is down and nobody waits for it. */
const RECOVERY_INTERVAL_MS = 200;
/** Check interval while requests wait for it: this is part of the pause of a hand-over. */
const URGENT_INTERVAL_MS = 10;
const RATE_SECONDS = 10;
/** Node fires timers at once that are set to more. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** An upgraded connection at a backend, see tunnel.ts. */
export interface OpenTunnel {
  /** Closes it cleanly, soon. */
  goAway(): void;
}

/** What a backend tells its service. */
export interface BackendListener {
  /** It became healthy or unhealthy. */
  onHealthChange(backend: BackendRuntime): void;
  /** True while requests wait for a backend of the service. */
  isUrgent(backend: BackendRuntime): boolean;
}

/** See the file's header. */
export class BackendRuntime implements Weighted {
  credit = 0;
  inFlight = 0;
  /** Undefined until the first check; no request is sent before it. */
  healthy: boolean | undefined;
  /** Upgraded connections; each counts among those in flight. */
  readonly tunnels = new Set<OpenTunnel>();
  /** How many of them were closed at the end of a drain. */
  closedUpgrades = 0;
  readonly host: string;
  readonly port: number;
  agent = createAgent();
  private failures = 0;
  private timer: NodeJS.Timeout | undefined;
  private drainTimer: NodeJS.Timeout | undefined;
  private checking: Promise<void> | undefined;
  private closed = false;
  private kind: ProbeKind = "health";
  private readonly rate = new RateCounter();

  constructor(
    public record: BackendRecord,
    private readonly listener: BackendListener,
  ) {
    const colon = record.address.lastIndexOf(":");
    this.host = record.address.slice(0, colon).replace(/^\[|\]$/g, "");
    this.port = Number(record.address.slice(colon + 1));
  }

  get weight(): number {
    return this.record.weight;
  }

  get isUsable(): boolean {
    return this.healthy === true && !this.closed;
  }

  /** Changes weight or health check; the address stays. */
  update(record: BackendRecord, nowMs: number): void {
    const wasDraining = this.record.weight === 0;
    this.record = record;
    if (record.weight === 0 && !wasDraining) this.dropIdleConnections();
    clearTimeout(this.drainTimer);
    if (record.weight > 0) this.closedUpgrades = 0;
    else if (record.closeUpgradesAt !== undefined) {
      const leftMs = Math.max(0, Math.min(record.closeUpgradesAt - nowMs, LONGEST_TIMER_MS));
      this.drainTimer = setTimeout(() => {
        this.closedUpgrades += this.closeTunnels();
      }, leftMs);
    }
  }

  /** Closes upgraded connections cleanly; answers with how many. */
  closeTunnels(): number {
    const { size } = this.tunnels;
    for (const tunnel of this.tunnels) tunnel.goAway();
    return size;
  }

  /** `owner` asks whether an exclusive copy is active, and starts without trusting what was known before. */
  setKind(kind: ProbeKind): void {
    if (kind === this.kind) return;
    this.kind = kind;
    void this.distrust();
  }

  /** Forgets its health and checks at once; resolves when it is known again. */
  distrust(): Promise<void> {
    this.healthy = undefined;
    return this.check();
  }

  begin(nowSeconds: number): void {
    this.inFlight += 1;
    this.rate.add(nowSeconds);
  }

  end(): void {
    this.inFlight -= 1;
  }

  /** Mean over the last whole seconds. */
  requestsPerSecond(nowSeconds: number): number {
    return this.rate.mean(nowSeconds);
  }

  /** It refuses connections, or says it must not serve: no further request until a check says otherwise. */
  markUnhealthy(): void {
    if (this.healthy !== false) {
      this.healthy = false;
      this.listener.onHealthChange(this);
    }
    this.schedule();
  }

  /** Checks now, or joins the check under way. */
  check(): Promise<void> {
    clearTimeout(this.timer);
    this.checking ??= this.runCheck().finally(() => {
      this.checking = undefined;
      this.schedule();
    });
    return this.checking;
  }

  /** Requests wait for it: the next check comes soon. */
  hurry(): void {
    if (this.healthy !== true && this.checking === undefined) this.schedule();
  }

  /** Ends checks, idle and upgraded connections; requests under way go on. */
  close(): void {
    this.closed = true;
    clearTimeout(this.timer);
    clearTimeout(this.drainTimer);
    this.closeTunnels();
    this.dropIdleConnections();
  }

  private async runCheck(): Promise<void> {
    const { health } = this.record;
    const kind = this.kind;
    const isGood = await probe(this.host, this.port, kind, health.path, health.timeoutMs);
    // An answer to an older question says nothing.
    if (this.closed || kind !== this.kind) return;
    const before = this.healthy;
    this.failures = isGood ? 0 : this.failures + 1;
    // What an owner says about itself counts at once; a lost health check does not.
    const needed = this.kind === "owner" || before !== true ? 1 : FAILURES_TO_UNHEALTHY;
    if (isGood) this.healthy = true;
    else if (this.failures >= needed) this.healthy = false;
    if (this.healthy !== before) this.listener.onHealthChange(this);
  }

  private schedule(): void {
    clearTimeout(this.timer);
    if (this.closed) return;
    const interval = this.record.health.intervalMs;
    const delay =
      this.healthy === true
        ? interval
        : this.listener.isUrgent(this)
          ? URGENT_INTERVAL_MS
          : Math.min(interval, RECOVERY_INTERVAL_MS);
    this.timer = setTimeout(() => void this.check(), delay);
    this.timer.unref();
  }

  /** Connections in use end with their request, because they belong to a pool that keeps none. */
  private dropIdleConnections(): void {
    const old = this.agent;
    this.agent = createAgent();
    old.maxFreeSockets = 0;
    for (const sockets of Object.values(old.freeSockets)) for (const socket of sockets ?? []) socket.destroy();
  }
}

function createAgent(): Agent {
  return new Agent({ keepAlive: true, maxFreeSockets: IDLE_CONNECTIONS, timeout: IDLE_CONNECTION_MS });
}

/** Counts per second over the last seconds. */
export class RateCounter {
  private readonly counts = new Uint32Array(RATE_SECONDS + 1);
  private second = 0;

  add(second: number): void {
    this.advance(second);
    const slot = second % this.counts.length;
    this.counts[slot] = (this.counts[slot] ?? 0) + 1;
  }

  mean(second: number): number {
    this.advance(second);
    let sum = 0;
    for (let s = second - RATE_SECONDS; s < second; s += 1) sum += this.counts[s % this.counts.length] ?? 0;
    return sum / RATE_SECONDS;
  }

  private advance(second: number): void {
    const from = Math.max(this.second + 1, second - this.counts.length + 1);
    for (let s = from; s <= second; s += 1) this.counts[s % this.counts.length] = 0;
    if (second > this.second) this.second = second;
  }
}
