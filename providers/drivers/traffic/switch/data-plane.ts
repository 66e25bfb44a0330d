/**
 * What moves the requests of services, as the switch's rules see it: this process itself (embedded-plane.ts), or an
 * HAProxy that this process steers (haproxy/). Records, deadlines, fencing and the control API are the same for both.
 *
 * Not for: the rules by which records change (service-record.ts).
 *
 * Invariants, for every implementation
 * 1. `apply` gets records that are on disk already. When it resolves, requests meet the record: after a record that
 *    holds no new request is sent to a backend.
 * 2. An exclusive service sends to its owner only, only while no hand-over holds its requests, and only while the
 *    owner says that it is active. A plane that does not know holds.
 * 3. `observe` is never older than its call: `inFlight` 0 after a hold means that no request is at the backend.
 */
import type { Service } from "../../../../sdk/model";
import type { CallStats } from "./call-stats";
import type { PauseResult, ServiceRecord } from "./service-record";
import type { TrafficStats } from "./traffic-stats";

/** What a service tells the switch. */
export interface ServiceListener {
  /** The deadline of its hand-over has come. */
  onDeadline(service: string): void;
  /** Requests flow again after a hand-over. */
  onPauseEnd(service: string, token: string, result: PauseResult): void;
}

/** One service, whoever moves its requests. */
export interface ServicePlane {
  readonly name: string;
  readonly record: ServiceRecord;
  readonly stats: TrafficStats;
  readonly calls: CallStats;
  /** Whether it refuses requests by their paths. */
  readonly refusesPaths: boolean;
  /** Takes over a record: backends come, change and go, parking begins and ends. */
  apply(record: ServiceRecord): Promise<void>;
  observe(): Promise<Service>;
  /** Mean requests per second of each backend over the last ten seconds. */
  rates(): Readonly<Record<string, number>>;
  /** Asks the owner of an exclusive service anew whether it is active; requests flow as soon as it says so. */
  askOwner(): Promise<void>;
  /** Resolves when the first check of a backend is known; at once when there is no such backend. */
  firstCheck(replica: string): Promise<void>;
  /** What the pause under way has cost until now; undefined when there is none. */
  pauseSoFar(): PauseResult | undefined;
}

/** All services. */
export interface DataPlane {
  /** Before `listen`, once for every service. */
  createService(record: ServiceRecord, listener: ServiceListener): ServicePlane;
  /**
   * Takes clients' connections; answers with the port of each service, also of those whose record says 0.
   * @throws Error EADDRINUSE, MistakeError, DriverError failed
   */
  listen(): Promise<Readonly<Record<string, number>>>;
  /** Takes no new connection, lets requests under way end for at most `graceMs`, then breaks them off. */
  close(graceMs: number): Promise<void>;
  /** The switch could not start: ends what this plane began, and leaves what another switch may be using. */
  abandon(): Promise<void>;
}
