/**
 * CPU and memory in use on the hosts of an in-memory fleet, and which of them are over their capacity, or groups of their
 * workloads over their share.
 */
import type { HostRecord } from "./fleet-records";
import type { ResolvedWorkloadSpec } from "./fleet-spec";
import type { FleetState } from "./fleet-state";

/** Where a workload's demand goes: weights by host. */
export type ShareLookup = (workload: string) => readonly (readonly [host: string, weight: number])[];

export class HostLoad {
  private readonly overloaded = new Set<string>();

  constructor(
    private readonly state: FleetState,
    private readonly sharesOf: ShareLookup,
  ) {}

  /** CPU used on each host: a workload's demand goes where its traffic goes. */
  cpuByHost(atMs: number): ReadonlyMap<string, number> {
    const byHost = new Map<string, number>();
    for (const workload of this.state.workloads.values()) {
      const shares = this.sharesOf(workload.name);
      const total = shares.reduce((sum, [, weight]) => sum + weight, 0);
      const demand = this.demandOf(workload, atMs);
      for (const [host, weight] of shares) byHost.set(host, (byHost.get(host) ?? 0) + (demand * weight) / total);
    }
    return byHost;
  }

  /** The same of some workloads on one host. */
  private cpuOfGroup(host: string, workloads: readonly string[], atMs: number): number {
    return workloads.reduce((sum, name) => {
      const shares = this.sharesOf(name);
      const total = shares.reduce((all, [, weight]) => all + weight, 0);
      const here = shares.reduce((own, [on, weight]) => (on === host ? own + weight : own), 0);
      const workload = this.state.workloads.get(name);
      return total > 0 && workload ? sum + (this.demandOf(workload, atMs) * here) / total : sum;
    }, 0);
  }

  /** Without what the switch refuses. */
  private demandOf({ service, functions, demandCpuMillis }: ResolvedWorkloadSpec, atMs: number): number {
    const paths = this.state.services.get(service ?? "")?.refused?.paths ?? [];
    return demandCpuMillis(atMs) * (1 - paths.reduce((sum, path) => sum + (functions[path] ?? 0), 0));
  }

  /** Logs each host that goes over its capacity, and each group of workloads that goes over its share. */
  findOverload(atMs: number): void {
    const cpu = this.cpuByHost(atMs);
    const memory = new Map<string, number>();
    for (const copy of this.state.allCopies()) {
      memory.set(copy.host, (memory.get(copy.host) ?? 0) + copy.spec.request.memoryBytes);
    }
    for (const host of this.state.hosts.values()) {
      const limit = host.spec.capacity.cpuMillis * (this.state.spec.share ?? 1);
      this.noteLoad(host, "cpuMillis", cpu.get(host.spec.id) ?? 0, limit, atMs);
      const { shares } = this.state.liveMark(host.shares) ?? host.spec;
      for (const { island, cpu: share, workloads } of shares) {
        const used = this.cpuOfGroup(host.spec.id, workloads, atMs);
        this.noteLoad(host, "cpuMillis", used, host.spec.capacity.cpuMillis * share, atMs, island);
      }
      this.noteLoad(host, "memoryBytes", memory.get(host.spec.id) ?? 0, host.spec.capacity.memoryBytes, atMs);
    }
  }

  private noteLoad(
    host: HostRecord,
    resource: "cpuMillis" | "memoryBytes",
    load: number,
    capacity: number,
    atMs: number,
    island = "",
  ): void {
    const id = `${host.spec.id}/${resource}/${island}`;
    if (load <= capacity) {
      this.overloaded.delete(id);
    } else if (!this.overloaded.has(id)) {
      this.overloaded.add(id);
      this.state.events.push({ atMs, kind: "overload", host: host.spec.id, resource, load, capacity });
    }
  }
}
