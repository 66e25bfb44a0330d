/**
 * One service of an HAProxy: holds and releases its requests, and tells how it stands.
 *
 * Not for: its servers (haproxy-servers.ts); the rules of a hand-over (service-record.ts); the way of a request, which is HAProxy's own.
 *
 * Invariants
 * 1. Commands of one service go one after the other; what is commanded follows from the newest record.
 * 2. `apply` of a record that holds has held, and ended upgraded connections, before it touches a server; what is
 *    released is released last.
 * 3. A service that is told to hold and cannot is an error of the call; a release that fails is made up for.
 */
import type { Service } from "../../../../../sdk/model";
import type { Clock } from "../../../../clock";
import { BackendRuntime, RateCounter } from "../backend";
import type { BackendListener } from "../backend";
import { CallStats } from "../call-stats";
import type { ServiceListener, ServicePlane } from "../data-plane";
import { isHolding } from "../service-record";
import type { PauseResult, ServiceRecord } from "../service-record";
import { TrafficStats } from "../traffic-stats";
import { Drains } from "./drains";
import { backendName } from "./haproxy-config";
import { HaproxyServers } from "./haproxy-servers";
import type { LoggedRequest } from "./request-log";
import type { RuntimeApi } from "./runtime-api";
import { replicaOf, serverName } from "./server-name";

/** A server that is gone is deleted when its last connection has ended. */
const DELETE_AGAIN_MS = 1_000;
/** Wait after HAProxy could not be told to release. */
const RETRY_MS = 200;
const FIRST_CHECK_POLL_MS = 10;
const FIRST_CHECK_POLLS = 200;
/** HAProxy ends a hold by itself so long after the deadline: only if this process died meanwhile. */
const HOLD_GRACE_MS = 2_000;
const LONGEST_TIMER_MS = 2 ** 31 - 1;

interface Pause {
  readonly token: string;
  /** Monotonic time. */
  readonly startedAt: number;
}

/** See the file's header. */
export class HaproxyService implements ServicePlane, BackendListener {
  readonly stats = new TrafficStats();
  readonly calls = new CallStats();
  /** Its rules are written when it starts. */
  readonly refusesPaths = false;
  private readonly backend: string;
  private readonly servers: HaproxyServers;
  private readonly drains: Drains;
  private readonly rateOf = new Map<string, RateCounter>();
  /** Asks the owner of an exclusive service whether it is active; HAProxy's own checks ask for health only. */
  private owner: BackendRuntime | undefined;
  /** What HAProxy was told last; undefined: not known. */
  private isHeld: boolean | undefined;
  private pause: Pause | undefined;
  private pausedLast: string | undefined;
  private deadlineTimer: NodeJS.Timeout | undefined;
  private deleteTimer: NodeJS.Timeout | undefined;
  private retryTimer: NodeJS.Timeout | undefined;
  private turn: Promise<unknown> = Promise.resolve();
  private isOpen = false;

  constructor(
    public record: ServiceRecord,
    private readonly api: RuntimeApi,
    private readonly clock: Clock,
    private readonly listener: ServiceListener,
  ) {
    this.backend = backendName(record.name);
    this.servers = new HaproxyServers(record.name, api);
    this.drains = new Drains((replica) => api.endTunnels(this.backend, serverName(replica)));
  }

  get name(): string {
    return this.record.name;
  }

  /** HAProxy serves, maybe as a new process that knows nothing. */
  async open(): Promise<void> {
    this.isOpen = true;
    this.isHeld = undefined;
    this.servers.forget();
    await this.apply(this.record);
  }

  async apply(record: ServiceRecord): Promise<void> {
    const wasHolding = isHolding(this.record, this.clock.now());
    this.record = record;
    if (!this.isOpen) return;
    this.followOwner();
    this.followHandOver(wasHolding);
    await this.takeTurn(async () => {
      await this.followHold({ mayRelease: false });
      if (isHolding(this.record, this.clock.now())) await this.api.endTunnels(this.backend);
      await this.followServers();
      await this.followHold({ mayRelease: true });
    });
  }

  async observe(): Promise<Service> {
    const { name, exclusive, owner, handOver, backends } = this.record;
    const servers = new Map((await this.api.servers(this.backend)).map((server) => [server.name, server]));
    const isParked = isHolding(this.record, this.clock.now());
    const waiting = isParked ? (await this.api.ask<{ waiting: number }>(`archipelago waiting ${name}`)).waiting : 0;
    return {
      name,
      exclusive,
      refusesPaths: false,
      ...(owner === undefined ? {} : { owner }),
      backends: backends.map(({ replica, address, weight }) => {
        const server = servers.get(serverName(replica));
        const isActive = replica !== owner || !exclusive || this.owner?.isUsable === true;
        return {
          replica,
          address,
          weight,
          inFlight: server?.inFlight ?? 0,
          ...this.drains.closedOf(replica),
          healthy: server?.isUp === true && server.isChecked && isActive,
        };
      }),
      ...(isParked && handOver !== undefined
        ? { parked: { token: handOver.token, expiresAt: handOver.deadline, waiting } }
        : {}),
    };
  }

  rates(): Readonly<Record<string, number>> {
    const second = Math.floor(this.clock.monotonic() / 1000);
    return Object.fromEntries(
      this.record.backends.map(({ replica }) => [replica, this.rateOf.get(replica)?.mean(second) ?? 0]),
    );
  }

  /** One request has ended. */
  note(request: LoggedRequest): void {
    const replica = replicaOf(request.server);
    const rate = this.rateOf.get(replica) ?? new RateCounter();
    this.rateOf.set(replica, rate);
    rate.add(Math.floor(this.clock.monotonic() / 1000));
    if (request.isGone) return;
    this.stats.record(this.clock.now(), request.latencyMs, request.isFailed, request.isSlow);
    this.calls.record(this.clock.now(), request);
  }

  async askOwner(): Promise<void> {
    await this.owner?.distrust();
    await this.syncHold();
  }

  async firstCheck(replica: string): Promise<void> {
    for (let poll = 0; poll < FIRST_CHECK_POLLS; poll += 1) {
      const server = (await this.api.servers(this.backend)).find(({ name }) => name === serverName(replica));
      if (server === undefined || server.isChecked) break;
      await this.clock.sleep(FIRST_CHECK_POLL_MS);
    }
    if (replica === this.record.owner && this.owner?.healthy === undefined) await this.askOwner();
  }

  pauseSoFar(): PauseResult | undefined {
    if (this.pause === undefined) return undefined;
    return { pauseMs: this.clock.monotonic() - this.pause.startedAt, parkedRequests: 0, longestHeldMs: 0 };
  }

  onHealthChange(): void {
    this.syncHold().catch(() => {
      clearTimeout(this.retryTimer);
      if (this.isOpen) this.retryTimer = setTimeout(() => this.onHealthChange(), RETRY_MS);
    });
  }

  isUrgent(): boolean {
    return !isHolding(this.record, this.clock.now());
  }

  close(): void {
    this.isOpen = false;
    clearTimeout(this.deadlineTimer);
    clearTimeout(this.deleteTimer);
    clearTimeout(this.retryTimer);
    this.drains.close();
    this.owner?.close();
  }

  private followOwner(): void {
    const { exclusive, owner, backends } = this.record;
    const declared = exclusive ? backends.find(({ replica }) => replica === owner) : undefined;
    const known = this.owner;
    if (known && known.record.replica === declared?.replica && known.record.address === declared.address) {
      known.update(declared, this.clock.now());
      return;
    }
    known?.close();
    this.owner = declared && new BackendRuntime(declared, this);
    this.owner?.setKind("owner");
  }

  private followHandOver(wasHolding: boolean): void {
    clearTimeout(this.deadlineTimer);
    const { handOver } = this.record;
    if (handOver === undefined || handOver.result !== undefined || handOver.token === this.pausedLast) return;
    const now = this.clock.now();
    if (this.pause?.token !== handOver.token) {
      this.pause = { token: handOver.token, startedAt: this.clock.monotonic() - (now - handOver.parkedAt) };
    }
    if (!isHolding(this.record, now)) {
      // What the owner said before or during the hand-over does not count any more.
      if (wasHolding) void this.owner?.distrust();
      return;
    }
    const leftMs = Math.min(handOver.deadline - now, LONGEST_TIMER_MS);
    this.deadlineTimer = setTimeout(() => {
      this.listener.onDeadline(this.name);
    }, leftMs);
  }

  private mayFlow(): boolean {
    if (!this.record.exclusive) return true;
    if (isHolding(this.record, this.clock.now())) return false;
    return this.owner?.isUsable === true && this.owner.weight > 0;
  }

  private syncHold(): Promise<void> {
    return this.takeTurn(() => this.followHold({ mayRelease: true }));
  }

  private async followHold({ mayRelease }: { readonly mayRelease: boolean }): Promise<void> {
    if (!this.record.exclusive || !this.isOpen) return;
    const { handOver } = this.record;
    const isParked = isHolding(this.record, this.clock.now());
    if (!this.mayFlow()) {
      const spanMs = isParked && handOver ? Math.max(1, handOver.deadline - this.clock.now() + HOLD_GRACE_MS) : 0;
      const token = this.pause?.token ?? "";
      if (this.isHeld === true && !isParked) return;
      await this.api.ask(`archipelago hold ${this.name} ${String(Math.ceil(spanMs))} ${encodeURIComponent(token)}`);
      this.isHeld = true;
      return;
    }
    if (!mayRelease) return;
    if (this.isHeld !== false) {
      // The owner said by itself that it is active: that is more than a check of its health.
      const owner = `${this.backend}/${serverName(this.record.owner ?? "")}`;
      await this.api.change([`set server ${owner} health up`]);
      const pauseEndedAt = this.clock.monotonic();
      const { total, longestMs } = await this.api.ask<{ total: number; longestMs: number }>(
        `archipelago release ${this.name}`,
      );
      this.isHeld = false;
      this.endPause(pauseEndedAt, total, longestMs);
    }
  }

  private endPause(endedAt: number, parkedRequests: number, longestHeldMs: number): void {
    const { pause } = this;
    if (pause === undefined) return;
    this.pause = undefined;
    this.pausedLast = pause.token;
    const pauseMs = Math.max(endedAt - pause.startedAt, longestHeldMs);
    this.listener.onPauseEnd(this.name, pause.token, { pauseMs, parkedRequests, longestHeldMs });
  }

  private async followServers(): Promise<void> {
    clearTimeout(this.deleteTimer);
    const isDone = await this.servers.follow(this.record);
    this.drains.follow(this.record.backends, this.clock.now());
    if (isDone || !this.isOpen) return;
    this.deleteTimer = setTimeout(() => {
      this.takeTurn(() => this.followServers()).catch(() => undefined);
    }, DELETE_AGAIN_MS);
    this.deleteTimer.unref();
  }

  private takeTurn<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.turn.then(work);
    this.turn = mine.catch(() => undefined);
    return mine;
  }
}
