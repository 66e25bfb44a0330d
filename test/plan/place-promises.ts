/**
 * What is declared about places and devices, checked on the copies as they are at a moment. Written without the planner's
 * rules on purpose.
 */
import assert from "node:assert/strict";

import type { Fleet, Host, Workload } from "../../sdk/model";

/** A copy and where it runs. */
export interface PlacedCopy {
  readonly workload: string;
  readonly host: string;
}

/** Promises of a fleet; what was broken at the start may only get better. */
export class PlacePromises {
  private readonly hosts: ReadonlyMap<string, Host>;
  private readonly workloads: ReadonlyMap<string, Workload>;
  private readonly brokenAtStart: ReadonlySet<string>;

  constructor(private readonly fleet: Fleet) {
    this.hosts = new Map(fleet.hosts.map((host) => [host.id, host]));
    this.workloads = new Map(fleet.workloads.map((workload) => [workload.name, workload]));
    this.brokenAtStart = new Set(this.broken(fleet.replicas));
  }

  check(copies: readonly PlacedCopy[], when: string): void {
    const worse = this.broken(copies).filter((promise) => !this.brokenAtStart.has(promise));
    assert.deepEqual(worse, [], when);
  }

  checkMove({ workload: name, host: to }: PlacedCopy, from: string): void {
    const workload = this.workloads.get(name);
    const [before, after] = [this.hosts.get(from), this.hosts.get(to)];
    assert.ok(workload && before && after);
    if (from === to) return;
    for (const rule of [
      workload.within,
      this.fleet.islands.find((island) => island.name === workload.island)?.within,
    ]) {
      if (rule?.zones) assert.ok(rule.zones.includes(after.zone), `${name} is put in zone ${after.zone}`);
      for (const [label, values] of Object.entries(rule?.labels ?? {}))
        assert.ok(values.includes(after.labels?.[label] ?? ""), `${name} is put on ${to} without ${label}`);
    }
    assert.notEqual(workload.moves, "nowhere", `${name} moves`);
    if (workload.moves === "zone") assert.equal(after.zone, before.zone, `${name} leaves its zone`);
    if (workload.moves === "rack") assert.equal(after.rack, before.rack, `${name} leaves its rack`);
  }

  private broken(copies: readonly PlacedCopy[]): string[] {
    const on = (host: string): readonly PlacedCopy[] => copies.filter((copy) => copy.host === host);
    const names = (list: readonly PlacedCopy[]): ReadonlySet<string> => new Set(list.map(({ workload }) => workload));
    const narrow = [...this.workloads.values()].flatMap(({ name, spread }) => {
      if (!spread) return [];
      const own = copies.filter(({ workload }) => workload === name).map(({ host }) => this.hosts.get(host));
      const count = new Set(own.map((host) => (spread.over === "zone" ? host?.zone : host?.rack))).size;
      // One for each that is missing: fewer are worse.
      return Array.from(
        { length: Math.max(0, spread.atLeast - count) },
        (_, index) => `${name}: ${String(index)} left`,
      );
    });
    const onHosts = this.fleet.hosts.flatMap((host) => {
      const here = names(on(host.id));
      const inZone = names(copies.filter((copy) => this.hosts.get(copy.host)?.zone === host.zone));
      const promises: string[] = [];
      for (const name of here) {
        const { apartFrom = [], dependsOn = [] } = this.workloads.get(name) ?? {};
        for (const other of apartFrom) if (here.has(other)) promises.push(`${host.id}: ${name} beside ${other}`);
        for (const { workload, within } of dependsOn) {
          if (within === "zone" && !inZone.has(workload)) promises.push(`${host.id}: ${name} without ${workload}`);
        }
      }
      for (const [kind, { count, partitions }] of Object.entries(host.devices ?? {})) {
        const used = on(host.id).reduce((sum, { workload }) => {
          const request = this.workloads.get(workload)?.devices?.[kind] ?? 0;
          return sum + (request >= 1 ? request * partitions : Math.ceil(request * partitions - 1e-9));
        }, 0);
        if (used > count * partitions) promises.push(`${host.id}: too much ${kind}`);
      }
      const island = this.fleet.islands[0];
      if (island) {
        const held = on(host.id).reduce(
          (sum, { workload }) => sum + (this.workloads.get(workload)?.request.memoryBytes ?? 0),
          0,
        );
        const factor = Math.min(island.overcommit?.memory ?? Infinity, host.overcommit?.memory ?? Infinity);
        const allowed = (factor === Infinity ? 1 : factor) * island.share.memory * host.capacity.memoryBytes;
        if (held > allowed * (1 + 1e-9)) promises.push(`${host.id}: too much memory held`);
      }
      const factor = island?.overcommit?.cpu;
      if (island && factor !== undefined) {
        const requested = on(host.id).reduce(
          (sum, { workload }) => sum + (this.workloads.get(workload)?.request.cpuMillis ?? 0),
          0,
        );
        if (requested > factor * island.share.cpu * host.capacity.cpuMillis + 1e-6) {
          promises.push(`${host.id}: too much CPU requested`);
        }
      }
      return promises;
    });
    return [...narrow, ...onHosts];
  }
}
