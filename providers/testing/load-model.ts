/**
 * What traffic and load do between two changes of an in-memory fleet: requests served, failed, parked; writes
 * acknowledged and lost; copies available; hosts over their capacity. Everything is worked out from rates, so a night
 * of traffic costs as much as a second.
 *
 * Not for: latency distributions; a request takes its nominal time.
 */
import type { ServiceTraffic } from "../drivers/contracts";
import type { BackendRecord, ReplicaRecord, ServiceRecord } from "./fleet-records";
import type { FleetState } from "./fleet-state";
import { HostLoad } from "./host-load";
import { TrafficHistory } from "./traffic-history";

/** Load over time is looked at on this grid, besides every change. */
const LOAD_GRID_MS = 60_000;

export class LoadModel {
  private readonly originMs: number;
  private settledMs: number;
  private readonly histories = new Map<string, TrafficHistory>();
  /** Copies that serve, as text, by workload. */
  private readonly available = new Map<string, string>();
  private readonly dualWriters = new Set<string>();
  private readonly overFunctions = new Set<string>();
  private readonly hostLoad: HostLoad;

  constructor(private readonly state: FleetState) {
    this.originMs = state.clock.now();
    this.settledMs = this.originMs;
    this.hostLoad = new HostLoad(state, (workload) => this.sharesOf(workload));
  }

  /** Lets traffic and load run up to now. */
  settle(): void {
    const nowMs = this.state.clock.now();
    if (nowMs <= this.settledMs) return;
    for (const service of this.state.services.values()) this.runTraffic(service, this.settledMs, nowMs);
    const firstTick = Math.floor(this.settledMs / LOAD_GRID_MS) + 1;
    for (let tickMs = firstTick * LOAD_GRID_MS; tickMs < nowMs; tickMs += LOAD_GRID_MS)
      this.hostLoad.findOverload(tickMs);
    this.settledMs = nowMs;
  }

  /** Works out what a change means. */
  refresh(): void {
    for (const service of this.state.services.values()) {
      this.endParkWhenOwnerServes(service);
      this.noteBackends(service);
    }
    for (const workload of this.state.workloads.values()) {
      const serving = this.findServing(workload.name);
      const seen = serving.map((copy) => `${copy.host}/${copy.replica}`).join(" ");
      if (this.available.get(workload.name) !== seen) {
        this.available.set(workload.name, seen);
        this.state.log({ kind: "availability", workload: workload.name, available: serving.length, serving });
      }
      if (workload.exclusive) this.findDualWriters(workload.name);
    }
    this.hostLoad.findOverload(this.state.clock.now());
    this.findFunctionOverload();
  }

  /** Requests under way at a backend, rounded up. */
  inFlight(service: ServiceRecord, backend: BackendRecord): number {
    const nowMs = this.state.clock.now();
    const { requestMs, slowMs, slowShare } = {
      requestMs: service.workload.requestMs,
      slowMs: service.workload.slowRequestMs,
      slowShare: service.workload.slowShare,
    };
    const underWay = (durationMs: number, perSecond: number): number => {
      const longestMs = backend.drained
        ? durationMs - (nowMs - backend.drained.atMs)
        : Math.min(durationMs, nowMs - backend.servingSinceMs);
      return (perSecond * Math.max(0, longestMs)) / 1000;
    };
    const perSecond = backend.drained?.perSecond ?? this.rateOf(service, backend);
    return (
      Math.ceil(underWay(requestMs, perSecond * (1 - slowShare))) + Math.ceil(underWay(slowMs, perSecond * slowShare))
    );
  }

  /** Time until the last request under way at a copy's backends has ended, if no new one comes. */
  drainTimeOf(copy: ReplicaRecord): number {
    let longestMs = 0;
    for (const { service, backend } of this.backendsOf(copy)) {
      if (this.inFlight(service, backend) === 0) continue;
      const durationMs = service.workload.slowShare > 0 ? service.workload.slowRequestMs : service.workload.requestMs;
      const sinceMs = backend.drained?.atMs ?? this.state.clock.now();
      longestMs = Math.max(longestMs, sinceMs + durationMs - this.state.clock.now());
    }
    return longestMs;
  }

  /** Requests under way at a copy break off. */
  failUnderWay(copy: ReplicaRecord, reason: string): void {
    for (const { service, backend } of this.backendsOf(copy)) {
      const count = this.inFlight(service, backend);
      backend.drained = { atMs: this.state.clock.now(), perSecond: 0 };
      if (count > 0) this.noteFailed(service, count, reason);
    }
  }

  /** Requests let go after parking reach the owner; they are acknowledged by it. */
  letGo(service: ServiceRecord, requests: number, waitedMs: number): void {
    const history = this.historyOf(service);
    history.addBurst({ atMs: this.state.clock.now(), requests, failed: 0, waitedMs });
    const owner = this.activeOwner(service);
    if (owner) this.acknowledge(service, owner, requests);
  }

  /** Requests fail at this moment. */
  noteFailed(service: ServiceRecord, count: number, reason: string): void {
    this.historyOf(service).addBurst({ atMs: this.state.clock.now(), requests: 0, failed: count, waitedMs: 0 });
    this.state.log({ kind: "requests-failed", service: service.name, count, reason });
  }

  /** Acknowledged writes that the copy which serves now does not hold. */
  countLostWrites(workload: string): number {
    this.settle();
    let lost = 0;
    for (const service of this.state.services.values()) {
      if (service.workload.name !== workload || !service.workload.exclusive) continue;
      const owner = this.activeOwner(service);
      const { acknowledged } = this.historyOf(service);
      lost += owner ? owner.log.countMissing(acknowledged) : 0;
    }
    return lost;
  }

  /** How many writes a service has acknowledged. */
  countAcknowledged(name: string): number {
    this.settle();
    const service = this.state.services.get(name);
    return service ? this.historyOf(service).acknowledged.size : 0;
  }

  /** Buckets of one second from a time on. */
  trafficSince(sinceMs: number): readonly ServiceTraffic[] {
    this.settle();
    return [...this.state.services.values()].map((service) => ({
      service: service.name,
      buckets: this.historyOf(service).bucketsBetween(sinceMs, this.settledMs),
    }));
  }

  /** The copy that takes an exclusive service's writes now. */
  private activeOwner(service: ServiceRecord): ReplicaRecord | undefined {
    const backend = service.owner === undefined ? undefined : service.backends.get(service.owner);
    const copy = backend && this.state.copyAt(backend.replica, backend.address);
    return copy?.state === "healthy" && !copy.isStopping ? copy : undefined;
  }

  private servingBackends(service: ServiceRecord): readonly BackendRecord[] {
    return [...service.backends.values()].filter((backend) => {
      if (service.workload.exclusive && backend.replica !== service.owner) return false;
      const copy = this.state.copyAt(backend.replica, backend.address);
      return backend.weight > 0 && copy?.state === "healthy" && !copy.isStopping;
    });
  }

  private rateOf(service: ServiceRecord, backend: BackendRecord): number {
    const serving = this.servingBackends(service);
    if (!serving.includes(backend) || service.park) return 0;
    const total = serving.reduce((sum, other) => sum + other.weight, 0);
    return (service.workload.requestsPerSecond * backend.weight) / total;
  }

  private findServing(workload: string): readonly { readonly replica: string; readonly host: string }[] {
    const render = (copy: ReplicaRecord) => ({ replica: copy.spec.replica, host: copy.host });
    const services = [...this.state.services.values()].filter((service) => service.workload.name === workload);
    if (services.length === 0) {
      return this.state
        .allCopies()
        .filter((copy) => copy.workload.name === workload && isServing(copy))
        .map(render);
    }
    return services.flatMap((service) =>
      (service.park ? [] : this.servingBackends(service)).flatMap((backend) => {
        const copy = this.state.copyAt(backend.replica, backend.address);
        return copy ? [render(copy)] : [];
      }),
    );
  }

  private runTraffic(service: ServiceRecord, fromMs: number, toMs: number): void {
    const history = this.historyOf(service);
    const count = history.arrivals(fromMs, toMs);
    const isServed = this.servingBackends(service).length > 0;
    const mode = service.park ? "parked" : isServed ? "served" : "failed";
    history.extend(fromMs, toMs, mode);
    if (count === 0) return;
    if (service.park) this.parkRequests(service, service.park, count);
    else if (!isServed)
      this.state.log({ kind: "requests-failed", service: service.name, count, reason: "no copy serves" });
    else if (service.workload.exclusive) {
      const owner = this.activeOwner(service);
      if (owner) this.acknowledge(service, owner, count);
    }
  }

  private parkRequests(service: ServiceRecord, park: { waiting: number }, count: number): void {
    const room = Math.max(0, (this.state.spec.maxParked ?? 1000) - park.waiting);
    park.waiting += Math.min(room, count);
    if (count > room) this.noteFailed(service, count - room, "too many requests parked");
  }

  private acknowledge(service: ServiceRecord, owner: ReplicaRecord, count: number): void {
    if (count === 0 || !service.workload.exclusive) return;
    const history = this.historyOf(service);
    const from = history.nextWrite;
    const to = from + count;
    history.nextWrite = to;
    history.acknowledged = history.acknowledged.with(from, to);
    owner.log = owner.log.with(from, to);
    this.state.log({
      kind: "writes-acknowledged",
      workload: service.workload.name,
      replica: owner.spec.replica,
      from,
      to,
    });
  }

  /** Parking that only waits for its owner ends as soon as the owner is active. */
  private endParkWhenOwnerServes(service: ServiceRecord): void {
    const park = service.park;
    if (!park?.isEnding || !this.activeOwner(service)) return;
    service.park = undefined;
    const waitedMs = this.state.clock.now() - park.sinceMs;
    const handOver = service.handOvers.get(park.token);
    if (handOver) handOver.result = { pauseMs: waitedMs, parkedRequests: park.waiting };
    this.letGo(service, park.waiting, waitedMs);
    this.state.log({
      kind: "unparked",
      service: service.name,
      token: park.token,
      pauseMs: waitedMs,
      parkedRequests: park.waiting,
      outcome: handOver?.state === "reverted" ? "reverted" : "ended",
    });
  }

  /** Keeps since when backends serve and since when they drain. */
  private noteBackends(service: ServiceRecord): void {
    const nowMs = this.state.clock.now();
    const serving = new Set(service.park ? [] : this.servingBackends(service));
    for (const backend of service.backends.values()) {
      if (serving.has(backend) && backend.drained) {
        backend.drained = undefined;
        backend.servingSinceMs = nowMs;
      } else if (!serving.has(backend) && !backend.drained) {
        backend.drained = { atMs: nowMs, perSecond: this.rateBefore(service, backend) };
      }
    }
    if (service.workload.exclusive && !service.park) this.compareWriter(service);
  }

  /** Rate of a backend that has just left: as if it still shared with those that stay. */
  private rateBefore(service: ServiceRecord, backend: BackendRecord): number {
    const staying = service.workload.exclusive ? 0 : this.servingBackends(service).length;
    return backend.servingSinceMs < this.state.clock.now() ? service.workload.requestsPerSecond / (staying + 1) : 0;
  }

  /** A new writer must hold everything that was ever acknowledged. */
  private compareWriter(service: ServiceRecord): void {
    const owner = this.activeOwner(service);
    const history = this.historyOf(service);
    const writer = owner && `${owner.host}/${owner.spec.replica}`;
    if (!owner || history.checkedWriter === writer) return;
    history.checkedWriter = writer;
    const count = owner.log.countMissing(history.acknowledged);
    if (count === 0) return;
    this.state.log({ kind: "writes-lost", workload: service.workload.name, replica: owner.spec.replica, count });
  }

  private findDualWriters(workload: string): void {
    const active = this.state.allCopies().filter((copy) => copy.workload.name === workload && isServing(copy));
    if (active.length <= 1) {
      this.dualWriters.delete(workload);
    } else if (!this.dualWriters.has(workload)) {
      this.dualWriters.add(workload);
      this.state.log({ kind: "dual-writers", workload, replicas: active.map((copy) => copy.spec.replica) });
    }
  }

  /** Functions that get more than they take, each once. */
  private findFunctionOverload(): void {
    const load = new Map<string, number>();
    for (const service of this.state.services.values()) {
      for (const backend of service.backends.values()) {
        const name = this.state.endpoints.get(backend.replica)?.spec.name;
        if (name !== undefined) load.set(name, (load.get(name) ?? 0) + this.rateOf(service, backend));
      }
    }
    for (const { name, requestsPerSecond } of this.state.functions.values()) {
      const perSecond = load.get(name) ?? 0;
      const isOver = perSecond > requestsPerSecond;
      if (isOver === this.overFunctions.has(name)) continue;
      if (!isOver) {
        this.overFunctions.delete(name);
        continue;
      }
      this.overFunctions.add(name);
      this.state.log({ kind: "function-overload", function: name, load: perSecond, capacity: requestsPerSecond });
    }
  }

  /** CPU used on each host. */
  cpuByHost(atMs: number): ReadonlyMap<string, number> {
    return this.hostLoad.cpuByHost(atMs);
  }

  private sharesOf(workload: string): readonly (readonly [host: string, weight: number])[] {
    const services = [...this.state.services.values()].filter((service) => service.workload.name === workload);
    if (services.length === 0) {
      const serving = this.state.allCopies().filter((copy) => copy.workload.name === workload && isServing(copy));
      return serving.map((copy) => [copy.host, 1] as const);
    }
    return services.flatMap((service) =>
      this.servingBackends(service).flatMap((backend) => {
        const copy = this.state.copyAt(backend.replica, backend.address);
        return copy ? [[copy.host, backend.weight] as const] : [];
      }),
    );
  }

  private backendsOf(copy: ReplicaRecord): readonly { service: ServiceRecord; backend: BackendRecord }[] {
    return [...this.state.services.values()].flatMap((service) => {
      const backend = service.backends.get(copy.spec.replica);
      return backend?.address === copy.address ? [{ service, backend }] : [];
    });
  }

  private historyOf(service: ServiceRecord): TrafficHistory {
    let history = this.histories.get(service.name);
    if (!history) {
      history = new TrafficHistory(service.workload, this.originMs);
      this.histories.set(service.name, history);
    }
    return history;
  }
}

function isServing(copy: ReplicaRecord): boolean {
  return copy.state === "healthy" && !copy.isStopping;
}
