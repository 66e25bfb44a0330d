/**
 * One service at run time: who may take a request now, who waits, what clients saw, and how long a hand-over paused
 * it.
 *
 * Not for: the rules of a hand-over (service-record.ts), storage, and the single request (exchange.ts).
 *
 * Invariants
 * 1. An exclusive service sends to its owner only, only while no hand-over holds requests, and only while the owner
 *    says that it is active. Everybody else waits.
 * 2. `apply` takes records that are on disk already: what a request sees survives a restart.
 */
import type { Service } from "../../../../sdk/model";
import type { Clock } from "../../../clock";
import type { AccessLogWriter } from "./access-log-writer";
import { BackendRuntime } from "./backend";
import type { BackendListener } from "./backend";
import { CallStats } from "./call-stats";
import type { SwitchLimits } from "./config";
import type { ServiceListener, ServicePlane } from "./data-plane";
import { isHolding } from "./service-record";
import type { HandOverRecord, PauseResult, ServiceRecord } from "./service-record";
import { TrafficStats } from "./traffic-stats";
import { WaitingRoom } from "./waiting-room";
import type { Waiter } from "./waiting-room";
import { chooseWeighted } from "./weighted-choice";

/** Node fires timers at once that are set to more. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** See the file's header. */
export class ServiceRuntime implements BackendListener, ServicePlane {
  readonly stats = new TrafficStats();
  readonly calls = new CallStats();
  readonly refusesPaths = true;
  readonly room: WaitingRoom;
  private backends: readonly BackendRuntime[] = [];
  private pause: Pause | undefined;
  /** Token of the latest pause that is over, so that it is not begun again before its result is on record. */
  private pausedLast: string | undefined;
  private deadlineTimer: NodeJS.Timeout | undefined;

  constructor(
    public record: ServiceRecord,
    readonly limits: SwitchLimits,
    readonly clock: Clock,
    private readonly listener: ServiceListener,
    readonly accessLog?: AccessLogWriter,
  ) {
    this.room = new WaitingRoom(limits.maxWaiting, () => clock.monotonic());
    void this.apply(record);
  }

  get name(): string {
    return this.record.name;
  }

  /** Takes over a record: backends come, change and go, parking begins and ends. */
  apply(record: ServiceRecord): Promise<void> {
    this.record = record;
    const before = new Map(this.backends.map((backend) => [backend.record.replica, backend]));
    this.backends = record.backends.map((declared) => {
      const known = before.get(declared.replica);
      if (known?.record.address === declared.address) {
        before.delete(declared.replica);
        known.update(declared, this.clock.now());
        return known;
      }
      const fresh = new BackendRuntime(declared, this);
      void fresh.check();
      return fresh;
    });
    for (const gone of before.values()) gone.close();
    for (const backend of this.backends) {
      backend.setKind(record.exclusive && backend.record.replica === record.owner ? "owner" : "health");
    }
    // Before the state is taken: what came over an upgraded connection is in it, or was never acknowledged.
    if (isHolding(record, this.clock.now())) for (const backend of this.backends) backend.closeTunnels();
    this.followHandOver(record.handOver);
    this.wake();
    return Promise.resolve();
  }

  /** A backend that may take a request now, its turn taken; those in `tried` are left out. Undefined: wait. */
  choose(tried?: ReadonlySet<BackendRuntime>): BackendRuntime | undefined {
    if (this.record.exclusive) return this.activeOwner();
    return chooseWeighted(this.backends, (backend) => backend.isUsable && tried?.has(backend) !== true);
  }

  /** Puts a request into the waiting room; false when it is full. */
  wait(waiter: Waiter): boolean {
    if (!this.room.enter(waiter)) return false;
    for (const backend of this.backends) if (this.isUrgent(backend)) backend.hurry();
    return true;
  }

  /** True while requests that have to wait do so because of a hand-over. */
  countParked(): boolean {
    if (this.pause === undefined) return false;
    this.pause.parkedRequests += 1;
    return true;
  }

  /** A request that waited for a hand-over was sent after this time. */
  noteHeld(heldMs: number): void {
    if (this.pause !== undefined) this.pause.longestHeldMs = Math.max(this.pause.longestHeldMs, heldMs);
  }

  /** What the pause under way has cost until now; undefined when there is none. */
  pauseSoFar(): PauseResult | undefined {
    if (this.pause === undefined) return undefined;
    const { startedAt, parkedRequests, longestHeldMs } = this.pause;
    return { pauseMs: this.clock.monotonic() - startedAt, parkedRequests, longestHeldMs };
  }

  /** Asks the owner of an exclusive service anew whether it is active; requests flow as soon as it says so. */
  async askOwner(): Promise<void> {
    await this.backends.find(({ record }) => record.replica === this.record.owner)?.distrust();
  }

  /** Resolves when the first check of a backend is known; at once when there is no such backend. */
  async firstCheck(replica: string): Promise<void> {
    const backend = this.backends.find(({ record }) => record.replica === replica);
    if (backend?.healthy === undefined) await backend?.check();
  }

  observe(): Promise<Service> {
    const { name, exclusive, owner, handOver } = this.record;
    const isParked = isHolding(this.record, this.clock.now());
    return Promise.resolve({
      name,
      exclusive,
      ...(owner === undefined ? {} : { owner }),
      backends: this.backends.map((backend) => ({
        replica: backend.record.replica,
        address: backend.record.address,
        weight: backend.weight,
        inFlight: backend.inFlight,
        ...(backend.closedUpgrades === 0 ? {} : { closedUpgrades: backend.closedUpgrades }),
        healthy: backend.healthy === true,
      })),
      ...(this.record.refused ? { refused: this.record.refused } : {}),
      ...(isParked && handOver !== undefined
        ? { parked: { token: handOver.token, expiresAt: handOver.deadline, waiting: this.room.size } }
        : {}),
    });
  }

  /** Mean requests per second of each backend over the last ten seconds. */
  rates(): Readonly<Record<string, number>> {
    const second = Math.floor(this.clock.monotonic() / 1000);
    return Object.fromEntries(
      this.backends.map((backend) => [backend.record.replica, backend.requestsPerSecond(second)]),
    );
  }

  onHealthChange(): void {
    this.wake();
  }

  isUrgent(backend: BackendRuntime): boolean {
    if (backend.weight === 0 || (this.room.size === 0 && this.pause === undefined)) return false;
    if (!this.record.exclusive) return true;
    return backend.record.replica === this.record.owner && !isHolding(this.record, this.clock.now());
  }

  /** Ends checks, timers and waiting; requests under way go on. */
  close(): void {
    clearTimeout(this.deadlineTimer);
    for (const backend of this.backends) backend.close();
    this.room.close();
  }

  private activeOwner(): BackendRuntime | undefined {
    if (isHolding(this.record, this.clock.now())) return undefined;
    const owner = this.backends.find(({ record }) => record.replica === this.record.owner);
    return owner?.isUsable === true && owner.weight > 0 ? owner : undefined;
  }

  private canSend(): boolean {
    if (this.record.exclusive) return this.activeOwner() !== undefined;
    return this.backends.some((backend) => backend.weight > 0 && backend.isUsable);
  }

  /** Sends who waits if that is possible now; the first time after a hand-over this ends the pause. */
  private wake(): void {
    if (!this.canSend()) return;
    const pause = this.pause;
    const now = this.clock.monotonic();
    this.room.release(() => this.canSend());
    if (pause === undefined || this.pause !== pause) return;
    this.pause = undefined;
    this.pausedLast = pause.token;
    const pauseMs = Math.max(now - pause.startedAt, pause.longestHeldMs);
    const { parkedRequests, longestHeldMs } = pause;
    this.listener.onPauseEnd(this.name, pause.token, { pauseMs, parkedRequests, longestHeldMs });
  }

  private followHandOver(handOver: HandOverRecord | undefined): void {
    clearTimeout(this.deadlineTimer);
    if (handOver === undefined || handOver.result !== undefined || handOver.token === this.pausedLast) return;
    const now = this.clock.now();
    if (this.pause?.token !== handOver.token) {
      const startedAt = this.clock.monotonic() - (now - handOver.parkedAt);
      this.pause = { token: handOver.token, startedAt, parkedRequests: 0, longestHeldMs: 0 };
    }
    if (!isHolding(this.record, now)) {
      // What the owner said before or during the hand-over does not count any more.
      void this.askOwner();
      return;
    }
    this.deadlineTimer = setTimeout(
      () => {
        this.listener.onDeadline(this.name);
      },
      Math.min(handOver.deadline - now, LONGEST_TIMER_MS),
    );
  }
}

interface Pause {
  readonly token: string;
  /** Monotonic time. */
  readonly startedAt: number;
  parkedRequests: number;
  longestHeldMs: number;
}
