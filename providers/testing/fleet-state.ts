/**
 * Mutable state of an in-memory fleet, and the one way to change it: `change` first lets traffic and load run up to
 * now under the old state, then changes, then works out what that means for availability, writers and load.
 *
 * Not for: calls and their faults (call-gate.ts) and what traffic does (load-model.ts).
 *
 * Invariant: state only changes inside `change`, so that everything between two changes is constant and can be
 * worked out exactly without a tick.
 */
import type { Host, Mark, Replica, ReplicaState } from "../../sdk/model";
import type { FleetEvent, FleetHappening } from "./fleet-events";
import { bootIdOf, createCopy, createHost, createStartSpec, endOperation } from "./fleet-records";
import type { EndpointRecord, HostRecord, ReplicaRecord, ServiceRecord } from "./fleet-records";
import { normalizeFunctionSpec, normalizeHostSpec, normalizeWorkloadSpec } from "./fleet-spec";
import type { MemoryFleetSpec, ResolvedFunctionSpec, ResolvedWorkloadSpec } from "./fleet-spec";
import { LoadModel } from "./load-model";
import type { VirtualClock } from "./virtual-clock";

/** State of the whole simulated platform. */
export class FleetState {
  readonly hosts = new Map<string, HostRecord>();
  readonly workloads = new Map<string, ResolvedWorkloadSpec>();
  readonly services = new Map<string, ServiceRecord>();
  readonly functions: ReadonlyMap<string, ResolvedFunctionSpec>;
  readonly endpoints = new Map<string, EndpointRecord>();
  readonly events: FleetEvent[] = [];
  readonly load: LoadModel;
  /** Keyed by host and id: agents know nothing of each other. */
  private readonly copies = new Map<string, ReplicaRecord>();

  constructor(
    readonly spec: MemoryFleetSpec,
    readonly clock: VirtualClock,
  ) {
    for (const host of spec.hosts) this.hosts.set(host.id, createHost(normalizeHostSpec(host)));
    for (const workload of spec.workloads) this.workloads.set(workload.name, normalizeWorkloadSpec(workload));
    this.functions = new Map((spec.functions ?? []).map((one) => [one.name, normalizeFunctionSpec(one)]));
    this.load = new LoadModel(this);
    for (const workload of this.workloads.values()) this.placeInitialCopies(workload);
    this.load.refresh();
  }

  /** Lets time pass up to now, changes, and works out the consequences. */
  change<T>(fn: () => T): T {
    this.load.settle();
    try {
      return fn();
    } finally {
      // Also after an error: a call may fail halfway.
      this.load.refresh();
    }
  }

  /** Changes state after a time; returns how to cancel it. */
  changeAfter(ms: number, fn: () => void): () => void {
    return this.clock.after(ms, () => {
      this.change(fn);
    });
  }

  log(happening: FleetHappening): void {
    this.events.push({ atMs: this.clock.now(), ...happening });
  }

  allCopies(): readonly ReplicaRecord[] {
    return [...this.copies.values()];
  }

  copiesOn(host: string): readonly ReplicaRecord[] {
    return this.allCopies().filter((copy) => copy.host === host);
  }

  copyOn(host: string, replica: string): ReplicaRecord | undefined {
    return this.copies.get(`${host}/${replica}`);
  }

  /** The copy behind a backend, wherever it runs. */
  copyAt(replica: string, address: string): ReplicaRecord | undefined {
    // Asked at every change of a simulated fleet: without a list of all.
    for (const copy of this.copies.values()) {
      if (copy.address === address && copy.spec.replica === replica) return copy;
    }
    const endpoint = this.endpoints.get(replica)?.copy;
    return endpoint?.address === address ? endpoint : undefined;
  }

  addCopy(copy: ReplicaRecord): void {
    this.copies.set(`${copy.host}/${copy.spec.replica}`, copy);
    this.logReplica(copy);
  }

  setReplicaState(copy: ReplicaRecord, state: ReplicaState): void {
    if (copy.state === state) return;
    copy.state = state;
    this.logReplica(copy);
  }

  /** Ends a copy's process; requests under way fail. */
  removeCopy(copy: ReplicaRecord, reason: string): void {
    this.load.failUnderWay(copy, reason);
    if (copy.workload.exclusive) this.hosts.get(copy.host)?.disk.set(copy.workload.name, copy.log);
    this.copies.delete(`${copy.host}/${copy.spec.replica}`);
    this.setReplicaState(copy, "stopped");
  }

  addEndpoint(endpoint: EndpointRecord): void {
    this.endpoints.set(endpoint.copy.spec.replica, endpoint);
    this.logReplica(endpoint.copy);
  }

  /** Ends a deployed function; requests under way fail. */
  removeEndpoint({ copy }: EndpointRecord): void {
    this.load.failUnderWay(copy, `function ${copy.spec.replica} was removed`);
    this.endpoints.delete(copy.spec.replica);
    this.setReplicaState(copy, "stopped");
  }

  private endByItself({ spec }: ReplicaRecord): void {
    const copy = this.allCopies().find((other) => other.spec.replica === spec.replica);
    if (copy) this.removeCopy(copy, `copy ${spec.replica} has done its work`);
  }

  /** A copy with all that it holds runs on another host from now on, at the same address. */
  migrate(copy: ReplicaRecord, to: string): void {
    const from = copy.host;
    const pauseMs = copy.workload.blackoutMs ?? 0;
    this.copies.delete(`${from}/${copy.spec.replica}`);
    this.addCopy({ ...copy, host: to });
    this.log({ kind: "migrated", replica: copy.spec.replica, workload: copy.workload.name, from, to, pauseMs });
  }

  /** Takes power away: every process ends. */
  powerOff(host: HostRecord, byItself: boolean): void {
    host.power = "off";
    for (const copy of this.copiesOn(host.spec.id)) this.removeCopy(copy, `host ${host.spec.id} went down`);
    if (host.running) {
      host.running.cancel();
      const operation = host.operations.get(host.running.key);
      if (operation) endOperation(operation, this.clock.now(), { reason: "interrupted by a restart of the host" });
      host.running = undefined;
    }
    this.log({ kind: "host", host: host.spec.id, state: byItself ? "unreachable" : "stopped", byItself });
  }

  /** Boots a host that has no power; `done` is called when it answers. */
  boot(host: HostRecord, byItself: boolean, done: () => void = () => undefined): void {
    host.power = "booting";
    this.changeAfter(host.spec.bootMs, () => {
      // Power may have gone again meanwhile.
      if (host.power !== "booting") return;
      host.power = "on";
      host.isAgentUp = true;
      host.boots += 1;
      if (host.pendingVersion !== undefined) this.setVersion(host, host.pendingVersion);
      host.pendingVersion = undefined;
      this.log({ kind: "host", host: host.spec.id, state: "ready", byItself });
      done();
    });
  }

  setVersion(host: HostRecord, version: string): void {
    host.version = version;
    this.log({ kind: "version", host: host.spec.id, version });
  }

  isReachable(host: HostRecord): boolean {
    return host.power === "on" && host.isAgentUp;
  }

  /** A mark that has not lapsed. */
  liveMark<M extends Mark>(mark: M | undefined): M | undefined {
    return mark && mark.expiresAt > this.clock.now() ? mark : undefined;
  }

  /** A host as a driver shows it. */
  /** A host that does not answer tells neither its marks nor its boot, as with every real driver. */
  renderHost(host: HostRecord): Host {
    const { id, zone, rack, capacity, role, offers, immutable, labels, devices } = host.spec;
    const base = {
      ...{ id, zone, rack, capacity, role, bootId: "" },
      ...(host.replaced ? { replaced: { owner: host.replaced.owner, bootId: host.replaced.bootId } } : {}),
      ...(offers.length > 0 ? { offers } : {}),
      ...(immutable === null ? {} : { immutable }),
      ...(Object.keys(labels).length > 0 ? { labels } : {}),
      ...(Object.keys(devices).length > 0 ? { devices } : {}),
    };
    if (this.isReachable(host)) {
      const cordoned = this.liveMark(host.cordon);
      const reserved = this.liveMark(host.reservation);
      const shares = this.liveMark(host.shares);
      return {
        ...base,
        bootId: bootIdOf(host),
        ...(cordoned ? { cordoned } : {}),
        ...(reserved ? { reserved } : {}),
        ...(shares ? { shares } : {}),
        state: "ready",
      };
    }
    if (role === "standby" && host.power !== "on" && host.reservation === undefined)
      return { ...base, state: "stopped" };
    return { ...base, state: "unreachable", stateReason: host.power === "on" ? "agent does not answer" : "no answer" };
  }

  renderReplica(copy: ReplicaRecord): Replica {
    return {
      id: copy.spec.replica,
      workload: copy.workload.name,
      host: copy.host,
      state: copy.state,
      ...(copy.workload.service === null ? {} : { address: copy.address }),
      ...(this.offersMigration(copy) ? { blackoutMs: copy.workload.blackoutMs } : {}),
      ...(copy.endsAtMs === undefined ? {} : { endsAtMs: copy.endsAtMs }),
    };
  }

  private offersMigration(
    copy: ReplicaRecord,
  ): copy is ReplicaRecord & { readonly workload: { readonly blackoutMs: number } } {
    const offers = this.hosts.get(copy.host)?.spec.offers ?? [];
    return copy.workload.blackoutMs !== null && offers.includes("live-migration");
  }

  private logReplica(copy: ReplicaRecord): void {
    this.log({
      kind: "replica",
      replica: copy.spec.replica,
      workload: copy.workload.name,
      host: copy.host,
      state: copy.state,
    });
  }

  private placeInitialCopies(workload: ResolvedWorkloadSpec): void {
    const service: ServiceRecord | undefined =
      workload.service === null
        ? undefined
        : {
            name: workload.service,
            workload,
            owner: undefined,
            backends: new Map(),
            park: undefined,
            refused: undefined,
            handOvers: new Map(),
          };
    if (service) this.services.set(service.name, service);
    workload.hosts.forEach((hostId, index) => {
      const host = this.hosts.get(hostId);
      if (!host) throw new RangeError(`workload ${workload.name}: there is no host ${hostId}`);
      const replica = `${workload.name}-${String(index)}`;
      const { endsAfterMs } = workload;
      const copy = {
        ...createCopy(host, workload, createStartSpec(workload, replica), "healthy"),
        ...(endsAfterMs === null ? {} : { endsAtMs: this.clock.now() + endsAfterMs }),
      };
      this.addCopy(copy);
      if (endsAfterMs !== null) this.changeAfter(endsAfterMs, () => this.endByItself(copy));
      service?.backends.set(replica, {
        replica,
        address: copy.address,
        weight: 1,
        servingSinceMs: this.clock.now(),
        drained: undefined,
      });
      if (service && workload.exclusive) service.owner = replica;
    });
  }
}
