/**
 * The switch as a whole: its services, their ports, and the changes that callers make.
 *
 * Not for: the wire format of calls (control.ts), fencing and repeated keys (agent/control-server.ts).
 *
 * Invariants
 * 1. Changes happen one after the other; each is on disk before requests see it and before its caller is answered.
 * 2. A question about the owner takes its turn among the changes, so its answer is never older than a change that
 *    was answered, and never says `parked` after the deadline.
 */
import { DriverError } from "../../../../sdk/model";
import type { Service, ServiceCalls } from "../../../../sdk/model";
import type { Clock } from "../../../clock";
import type { ServiceReading } from "../../../metrics/switch-metrics";
import type { HandOverToken } from "../../contracts";
import type { SwitchConfig } from "./config";
import type { DataPlane, ServiceListener, ServicePlane } from "./data-plane";
import {
  cutOver,
  endHandOver,
  ownerAnswer,
  park,
  settle,
  unpark,
  withBackend,
  withoutBackend,
  withRefused,
} from "./service-record";
import type { BackendRecord, OwnerAnswer, PauseResult, ServiceRecord } from "./service-record";
import { StateFile } from "./state-file";
import type { SwitchState } from "./state-file";
import type { TrafficSecond } from "./traffic-stats";

/** How long `unpark` waits for the owner to be active before it answers with the pause until then. */
const UNPARK_WAIT_MS = 2_000;
/** How long `setBackend` waits for the first health check before it answers. */
const FIRST_CHECK_WAIT_MS = 1_000;

/** Wait after a reversal could not be written. */
const DEADLINE_RETRY_MS = 500;

const NO_PAUSE: PauseResult = { pauseMs: 0, parkedRequests: 0, longestHeldMs: 0 };

/** Traffic of one service as it is told. */
export interface ServiceSeconds {
  readonly service: string;
  readonly buckets: readonly TrafficSecond[];
}

/** See the file's header. */
export class TrafficSwitch implements ServiceListener {
  private readonly services = new Map<string, ServicePlane>();
  private readonly file: StateFile;
  private readonly pauseEnds = new Map<string, PromiseWithResolvers<PauseResult>>();
  private controlPort: number;
  private isClosed = false;
  private turn: Promise<unknown> = Promise.resolve();

  constructor(
    config: SwitchConfig,
    state: SwitchState | undefined,
    private readonly clock: Clock,
    private readonly plane: DataPlane,
  ) {
    this.file = new StateFile(config.stateFile);
    this.controlPort = state?.controlPort ?? config.controlPort;
    for (const { name, port, exclusive } of config.services) {
      const known = state?.services.find((service) => service.name === name);
      const record: ServiceRecord = {
        ...(known ?? { backends: [] }),
        name,
        port: port === 0 ? (known?.port ?? 0) : port,
        exclusive,
      };
      this.services.set(name, plane.createService(settle(record, clock.now()), this));
    }
  }

  /** Opens the ports of all services and keeps them in the state file. */
  async listen(): Promise<void> {
    const ports = await this.plane.listen();
    await this.takeTurn(async () => {
      for (const service of this.services.values()) {
        const port = ports[service.name] ?? service.record.port;
        if (port !== service.record.port) await this.replace(service, { ...service.record, port });
      }
      await this.save();
    });
  }

  /** Keeps the control API's port, so that a restarted switch has the same one. */
  async keepControlPort(port: number): Promise<void> {
    this.controlPort = port;
    await this.save();
  }

  /** All services, in turn with the changes (invariant 2). */
  observe(): Promise<readonly Service[]> {
    return this.takeTurn(async () => {
      const services: Service[] = [];
      for (const name of this.services.keys()) services.push(await (await this.settled(name)).observe());
      return services;
    });
  }

  /** Port of each service. */
  servicePorts(): Readonly<Record<string, number>> {
    return Object.fromEntries(Array.from(this.services.values(), ({ record }) => [record.name, record.port]));
  }

  /** Requests per second by service and replica. */
  rates(): Readonly<Record<string, Readonly<Record<string, number>>>> {
    return Object.fromEntries(Array.from(this.services.values(), (service) => [service.name, service.rates()]));
  }

  trafficSince(sinceMs: number): readonly ServiceSeconds[] {
    const now = this.clock.now();
    return Array.from(this.services.values(), ({ name, stats }) => ({
      service: name,
      buckets: stats.since(sinceMs, now),
    }));
  }

  callsSince(sinceMs: number): readonly ServiceCalls[] {
    return Array.from(this.services.values(), ({ name, calls }) => ({ service: name, calls: calls.since(sinceMs) }));
  }

  /** What monitoring is told of each service. */
  async readings(): Promise<readonly ServiceReading[]> {
    const seen = await this.observe();
    return seen.map(({ name, backends, parked }) => ({
      service: name,
      ...(this.services.get(name)?.stats.totals() ?? { requests: 0, failed: 0 }),
      parked: parked?.waiting ?? 0,
      backends: { healthy: backends.filter(({ healthy }) => healthy).length, all: backends.length },
    }));
  }

  /** @throws DriverError not-found */
  owner(name: string): Promise<OwnerAnswer> {
    return this.takeTurn(async () => ownerAnswer((await this.settled(name)).record));
  }

  /** @throws DriverError not-found, refused */
  async setBackend(name: string, backend: BackendRecord): Promise<void> {
    const service = await this.change(name, (record) => withBackend(record, backend));
    await this.within(FIRST_CHECK_WAIT_MS, service.firstCheck(backend.replica));
  }

  /** @throws DriverError not-found, conflict */
  async removeBackend(name: string, replica: string): Promise<void> {
    await this.change(name, (record) => withoutBackend(record, replica));
  }

  /** @throws DriverError not-found, unsupported, conflict */
  async refuse(name: string, owner: string, paths: readonly string[]): Promise<void> {
    if (this.services.get(name)?.refusesPaths === false && paths.length > 0) {
      throw new DriverError("unsupported", name, "the engine of this switch cannot refuse requests by their paths", {
        remedy: "use the embedded engine, or plan again: what a switch does not offer is not planned for",
      });
    }
    await this.change(name, (record) => withRefused(record, owner, paths));
  }

  /** @throws DriverError not-found, unsupported, conflict, expired */
  async park(name: string, token: HandOverToken): Promise<void> {
    await this.change(name, (record, now) => park(record, token.token, token.deadline, now));
  }

  /** @throws DriverError not-found, conflict, expired */
  async cutOver(name: string, token: string, to: Omit<BackendRecord, "weight">): Promise<void> {
    await this.change(name, (record, now) => cutOver(record, token, to, now));
  }

  /** @throws DriverError not-found, expired */
  async unpark(name: string, token: string): Promise<PauseResult> {
    // Before the change: the pause may be over by the time that the change is made.
    const end = Promise.withResolvers<PauseResult>();
    this.pauseEnds.set(token, end);
    try {
      const service = await this.change(name, (record) => unpark(record, token));
      const known = service.record.handOver?.result;
      if (known !== undefined) return known;
      if (service.pauseSoFar() === undefined) return await Promise.race([end.promise, Promise.resolve(NO_PAUSE)]);
      const waited = await this.within(UNPARK_WAIT_MS, end.promise);
      return waited ?? service.pauseSoFar() ?? { ...NO_PAUSE, pauseMs: UNPARK_WAIT_MS };
    } finally {
      this.pauseEnds.delete(token);
    }
  }

  onDeadline(name: string): void {
    this.takeTurn(async () => {
      const service = await this.settled(name);
      await service.apply(service.record);
    }).catch(() => {
      // A full disk must not end the switch: requests stay parked, and it is tried again.
      void this.clock.sleep(DEADLINE_RETRY_MS).then(() => {
        if (!this.isClosed) this.onDeadline(name);
      });
    });
  }

  onPauseEnd(name: string, token: string, result: PauseResult): void {
    this.pauseEnds.get(token)?.resolve(result);
    this.change(name, (record) => (record.handOver?.token === token ? endHandOver(record, result) : record)).catch(
      () => undefined,
    );
  }

  /** Lets requests under way end for at most `graceMs`. */
  async close(graceMs: number): Promise<void> {
    this.isClosed = true;
    await this.plane.close(graceMs);
    await this.turn.catch(() => undefined);
  }

  /** It could not start: see {@link DataPlane.abandon}. */
  async abandon(): Promise<void> {
    this.isClosed = true;
    await this.plane.abandon();
  }

  /** What was awaited, or undefined when it took too long. */
  private async within<T>(ms: number, awaited: Promise<T>): Promise<T | undefined> {
    const ended = new AbortController();
    try {
      return await Promise.race([awaited, this.clock.sleep(ms, ended.signal).then(() => undefined)]);
    } finally {
      ended.abort();
    }
  }

  private change(name: string, rule: (record: ServiceRecord, nowMs: number) => ServiceRecord): Promise<ServicePlane> {
    return this.takeTurn(async () => {
      const service = await this.settled(name);
      await this.replace(service, rule(service.record, this.clock.now()));
      return service;
    });
  }

  /** The service with its deadline applied. */
  private async settled(name: string): Promise<ServicePlane> {
    const service = this.services.get(name);
    if (service === undefined) {
      throw new DriverError("not-found", name, "is not a service of this switch", {
        remedy: `known services: ${[...this.services.keys()].join(", ")}`,
      });
    }
    await this.replace(service, settle(service.record, this.clock.now()));
    return service;
  }

  private async replace(service: ServicePlane, record: ServiceRecord): Promise<void> {
    if (record === service.record) return;
    await this.save(record);
    await service.apply(record);
  }

  private async save(changed?: ServiceRecord): Promise<void> {
    const services = Array.from(this.services.values(), ({ record }) =>
      record.name === changed?.name ? changed : record,
    );
    await this.file.save({ v: 1, controlPort: this.controlPort, services });
  }

  private takeTurn<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.turn.then(work);
    this.turn = mine.catch(() => undefined);
    return mine;
  }
}
