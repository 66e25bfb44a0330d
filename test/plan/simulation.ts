/**
 * Carries a plan out on paper, one step after the other in any order that the steps' dependencies allow, and checks
 * the promise after each. Written without the planner's own arithmetic on purpose.
 */
import assert from "node:assert/strict";

import { generateServices } from "../../bench/fleet/generate-services";
import type { PlanInput } from "../../providers/plan/plan";
import type { Fleet, Host, MigrationPlan, PlanStep, Replica, Wave, Workload } from "../../sdk/model";
import { PlacePromises } from "./place-promises";

/** A copy as the simulation sees it; `weight` 0 gets no traffic. */
interface SimulatedCopy {
  readonly workload: string;
  readonly host: string;
  weight: number;
}

const FUNCTIONS = "functions/";

function functionHost(name: string): string {
  return `${FUNCTIONS}${name}`;
}

/** Picks one of `count` possible next steps. */
export type Pick = (count: number) => number;

/** State of a simulated run. */
export class Simulation {
  readonly copies = new Map<string, SimulatedCopy>();
  readonly reserved = new Set<string>();
  readonly updated = new Set<string>();
  /** Hosts beside which the machine that was replaced is kept. */
  readonly kept = new Set<string>();
  /** Paths on which some host was over its share at any time. */
  readonly overPaths = new Set<number>();
  /** Part of the requests that is refused, by workload. */
  readonly refused = new Map<string, number>();
  private readonly cordoned = new Set<string>();
  /** Workloads of which copies have ended by themselves. */
  readonly ended = new Set<string>();
  private wave: Wave | undefined;
  private readonly places: PlacePromises;
  private readonly workloads: ReadonlyMap<string, Workload>;
  private readonly memoryAtStart: ReadonlyMap<string, number>;

  constructor(private readonly input: PlanInput) {
    const { fleet } = input;
    this.workloads = new Map(fleet.workloads.map((workload) => [workload.name, workload]));
    for (const { id, workload, host } of fleet.replicas) this.copies.set(id, { workload, host, weight: 1 });
    this.memoryAtStart = this.memoryByHost();
    this.places = new PlacePromises(fleet);
  }

  /**
   * Runs one wave in an order chosen by `pick`, or as many of its steps. Returns the steps that were done.
   * @param most steps to run; all when omitted
   */
  runWave(wave: Wave, pick: Pick, most = wave.steps.length): ReadonlySet<string> {
    this.wave = wave;
    const done = new Set<string>();
    const waiting = [...wave.steps];
    this.check(wave, "before the wave");
    while (waiting.length > 0 && done.size < most) {
      const ready = waiting.filter((step) => step.after.every((id) => done.has(id)));
      assert.ok(ready.length > 0, `wave ${String(wave.index)} waits for steps that never come`);
      const step = ready[pick(ready.length)] as PlanStep;
      waiting.splice(waiting.indexOf(step), 1);
      this.runStep(step);
      done.add(step.id);
      this.check(wave, step.id);
    }
    return done;
  }

  /** Takes steps of a wave back in the given order, and checks the promise after each. */
  undo(wave: Wave, steps: readonly PlanStep[]): void {
    this.wave = wave;
    for (const step of steps) {
      this.undoStep(step);
      this.check(wave, `undone: ${step.id}`);
    }
  }

  /** The fleet as it is now, as discovery would see it. */
  fleet(): Fleet {
    const { fleet } = this.input;
    assert.deepEqual([...this.refused.keys()], [], "functions are refused between waves");
    for (const [id, { host }] of this.copies) assert.ok(!host.startsWith(FUNCTIONS), `${id} is left between waves`);
    const replicas = [...this.copies].map(([id, { workload, host }]): Replica => ({
      id,
      workload,
      host,
      state: "healthy",
    }));
    const services = generateServices({ workloads: fleet.workloads, replicas });
    const hosts = fleet.hosts.map((host) => ({
      ...host,
      ...(this.reserved.has(host.id) ? { state: "ready" as const } : {}),
      ...(this.updated.has(host.id) ? { probe: { output: "v2", matches: true } } : {}),
    }));
    return { ...fleet, hosts, replicas, services };
  }

  private runStep(step: PlanStep): void {
    switch (step.kind) {
      case "reserve":
        assert.equal(this.cordoned.size, 0, "the reserve comes before the first cordon");
        for (const host of step.hosts) this.reserved.add(host);
        return;
      case "release":
        for (const host of step.hosts) {
          assert.deepEqual(this.idsOn(host), [], `${host} is released with copies on it`);
          assert.ok(this.reserved.delete(host), `${host} is released and was not reserved`);
        }
        return;
      case "cordon":
        this.cordoned.add(step.host);
        return;
      case "uncordon":
        assert.ok(this.cordoned.delete(step.host), `${step.host} is uncordoned and was not cordoned`);
        return;
      case "start-copy":
        this.places.checkMove(
          { workload: step.workload, host: step.host },
          this.moveOf(step.replica)?.from ?? step.host,
        );
        this.start(
          step.replica,
          step.workload,
          step.host,
          this.serviceOf(step.workload) === undefined ? 1 : 0,
          this.moveOf(step.replica)?.method === "restart",
        );
        return;
      case "admit":
        this.copy(step.replica).weight = 1;
        return;
      case "drain":
        this.copy(step.replica).weight = 0;
        return;
      case "stop-copy":
        assert.equal(this.copy(step.replica).host, step.host);
        assert.ok(
          this.serviceOf(step.workload) === undefined || this.copy(step.replica).weight === 0,
          `${step.replica} is stopped while it serves`,
        );
        this.copies.delete(step.replica);
        return;
      case "hand-over":
        assert.equal(this.copy(step.fromReplica).host, step.fromHost);
        this.start(step.toReplica, step.workload, step.toHost, 1);
        this.places.check([...this.copies.values()], "both ends of a hand-over");
        this.places.checkMove({ workload: step.workload, host: step.toHost }, step.fromHost);
        this.copies.delete(step.fromReplica);
        return;
      case "live-migrate": {
        const copy = this.copy(step.replica);
        assert.equal(copy.host, step.fromHost);
        assert.ok(!this.cordoned.has(step.toHost), `${step.replica} goes to ${step.toHost}, which is cordoned`);
        this.places.checkMove({ workload: step.workload, host: step.toHost }, step.fromHost);
        this.copies.set(step.replica, { ...copy, host: step.toHost });
        return;
      }
      case "await-end":
        assert.equal(this.serviceOf(step.workload), undefined);
        this.copies.delete(step.replica);
        this.ended.add(step.workload);
        return;
      case "refuse-paths":
        this.refused.set(
          step.workload,
          this.wave?.moves.find((move) => move.refuses && move.workload === step.workload)?.refuses?.share ?? 0,
        );
        return;
      case "serve-paths":
        assert.ok(this.refused.delete(step.workload), `nothing of ${step.workload} was refused`);
        return;
      case "deploy-function":
        assert.ok(!this.copies.has(step.endpoint), `the id ${step.endpoint} is used twice`);
        assert.equal(this.workloads.get(step.workload)?.burst?.function, step.function);
        this.copies.set(step.endpoint, { workload: step.workload, host: functionHost(step.function), weight: 0 });
        return;
      case "remove-function":
        assert.equal(this.copy(step.endpoint).weight, 0, `${step.endpoint} is removed while it serves`);
        this.copies.delete(step.endpoint);
        return;
      case "update":
        assert.equal(this.hostOf(step.host)?.immutable, undefined, `${step.host} cannot be updated in place`);
        assert.deepEqual(this.idsToLeave(step.host), [], `${step.host} is updated with copies on it`);
        assert.ok(this.cordoned.has(step.host), `${step.host} is updated and was not cordoned`);
        this.updated.add(step.host);
        return;
      case "reboot":
        assert.deepEqual(this.idsOn(step.host), [], `${step.host} restarts with copies on it`);
        return;
      case "replace":
        assert.ok(this.hostOf(step.host)?.offers?.includes("replacement"), `${step.host} cannot be replaced`);
        assert.deepEqual(this.idsOn(step.host), [], `${step.host} is replaced with copies on it`);
        assert.ok(this.cordoned.has(step.host), `${step.host} is replaced and was not cordoned`);
        this.updated.add(step.host);
        this.kept.add(step.host);
        return;
      case "discard-replaced":
        assert.ok(!this.cordoned.has(step.host), `${step.host} has no way back before it works`);
        assert.ok(this.kept.delete(step.host), `no machine is kept beside ${step.host}`);
        return;
      case "set-shares":
      case "snapshot":
      case "validate":
      case "soak":
        return;
    }
  }

  private hostOf(id: string): Host | undefined {
    return this.input.fleet.hosts.find((host) => host.id === id);
  }

  private undoStep(step: PlanStep): void {
    switch (step.kind) {
      case "reserve":
        for (const host of step.hosts) {
          assert.deepEqual(this.idsOn(host), [], `${host} is given back with copies on it`);
          this.reserved.delete(host);
        }
        return;
      case "cordon":
        this.cordoned.delete(step.host);
        return;
      case "uncordon":
        this.cordoned.add(step.host);
        return;
      case "start-copy":
        assert.ok(this.copies.delete(step.replica), `${step.replica} is not there to be taken back`);
        return;
      case "admit":
        this.copy(step.replica).weight = 0;
        return;
      case "drain":
        this.copy(step.replica).weight = 1;
        return;
      case "stop-copy":
        this.start(step.replica, step.workload, step.host, this.serviceOf(step.workload) === undefined ? 1 : 0);
        return;
      case "hand-over":
        assert.ok(this.copies.delete(step.toReplica), `${step.toReplica} is not there to be taken back`);
        this.start(step.fromReplica, step.workload, step.fromHost, 1);
        return;
      case "refuse-paths":
        this.refused.delete(step.workload);
        return;
      case "serve-paths":
        this.refused.set(
          step.workload,
          this.wave?.moves.find((move) => move.refuses && move.workload === step.workload)?.refuses?.share ?? 0,
        );
        return;
      case "deploy-function":
        assert.equal(this.copy(step.endpoint).weight, 0);
        this.copies.delete(step.endpoint);
        return;
      case "remove-function":
        this.copies.set(step.endpoint, { workload: step.workload, host: functionHost(step.function), weight: 0 });
        return;
      case "update":
        this.updated.delete(step.host);
        return;
      case "replace":
        assert.deepEqual(this.idsOn(step.host), [], `${step.host} gets its machine back with copies on it`);
        assert.ok(this.kept.delete(step.host), `no machine is kept beside ${step.host}`);
        this.updated.delete(step.host);
        return;
      case "snapshot":
      case "reboot":
      case "validate":
      case "soak":
        return;
      default:
        assert.fail(`${step.kind} has no way back here`);
    }
  }

  private start(id: string, workload: string, host: string, weight: number, isRestart = false): void {
    assert.ok(!this.copies.has(id), `the id ${id} is used twice`);
    assert.ok(isRestart || !this.cordoned.has(host), `${id} is put on ${host}, which is cordoned`);
    const role = this.input.fleet.hosts.find((candidate) => candidate.id === host)?.role;
    assert.ok(role === "member" || this.reserved.has(host), `${id} is put on ${host}, which is not reserved`);
    this.copies.set(id, { workload, host, weight });
  }

  private check(wave: Wave, when: string): void {
    for (const workload of this.workloads.values()) {
      const serving = [...this.copies.values()].filter(
        (copy) => copy.workload === workload.name && copy.weight > 0,
      ).length;
      if (workload.exclusive) assert.equal(serving, 1, `${workload.name} has one active copy (${when})`);
      else if (!this.ended.has(workload.name)) {
        const required = workload.copies - workload.maxUnavailable;
        assert.ok(serving >= required, `${workload.name} has ${String(serving)} of ${String(required)} (${when})`);
      }
    }
    this.checkMemory(when);
    this.places.check([...this.copies.values()], when);
    this.markOverPaths(wave);
  }

  private checkMemory(when: string): void {
    for (const [host, bytes] of this.memoryByHost()) {
      const capacity = this.input.fleet.hosts.find((candidate) => candidate.id === host)?.capacity.memoryBytes ?? 0;
      // A host that held too much before the run may only get better.
      const allowed = Math.max(capacity * this.share().memory, this.memoryAtStart.get(host) ?? 0);
      assert.ok(bytes <= allowed, `${host} holds too much memory (${when})`);
    }
  }

  private memoryByHost(): Map<string, number> {
    const used = new Map<string, number>();
    for (const { workload, host } of this.copies.values()) {
      if (host.startsWith(FUNCTIONS)) continue;
      used.set(host, (used.get(host) ?? 0) + (this.workloads.get(workload)?.request.memoryBytes ?? 0));
    }
    return used;
  }

  private markOverPaths(wave: Wave): void {
    const { demand } = this.input.forecast;
    const clamp = (timeMs: number): number =>
      Math.min(demand.steps - 1, Math.max(0, Math.floor((timeMs - demand.startMs) / demand.stepMs)));
    const weights = new Map<string, number>();
    for (const { workload, weight } of this.copies.values()) {
      weights.set(workload, (weights.get(workload) ?? 0) + weight);
    }
    demand.cpuMillis.forEach((path, index) => {
      for (let step = clamp(wave.startMs); step <= clamp(wave.endP95Ms - 1); step++) {
        const load = new Map<string, number>();
        const calls = new Map<string, number>();
        for (const { workload, host, weight } of this.copies.values()) {
          const row = demand.workloads.indexOf(workload);
          const served = 1 - (this.refused.get(workload) ?? 0);
          const value =
            ((path[row * demand.steps + step] ?? 0) * served * weight) / Math.max(1, weights.get(workload) ?? 0);
          const burst = this.workloads.get(workload)?.burst;
          if (!host.startsWith(FUNCTIONS)) load.set(host, (load.get(host) ?? 0) + value);
          else calls.set(host, (calls.get(host) ?? 0) + value / (burst?.cpuMsPerRequest ?? 0));
        }
        for (const [host, perSecond] of calls) {
          const most = [...this.workloads.values()].find(({ burst }) => burst && functionHost(burst.function) === host);
          const limit = most?.burst?.requestsPerSecond ?? 0;
          assert.ok(
            perSecond <= limit + 1e-6,
            `${host} gets ${String(perSecond)} of ${String(limit)} requests a second`,
          );
        }
        for (const [host, cpuMillis] of load) {
          const capacity = this.input.fleet.hosts.find((candidate) => candidate.id === host)?.capacity.cpuMillis ?? 0;
          if (cpuMillis > capacity * this.share().cpu + 0.01) this.overPaths.add(index);
        }
      }
    });
  }

  private share(): { readonly cpu: number; readonly memory: number } {
    return this.input.fleet.islands[0]?.share ?? { cpu: 1, memory: 1 };
  }

  private serviceOf(workload: string): string | undefined {
    return this.workloads.get(workload)?.service;
  }

  private copy(id: string): SimulatedCopy {
    const copy = this.copies.get(id);
    assert.ok(copy, `${id} does not run`);
    return copy;
  }

  /** Copies that may not be there while the host is updated: all, or those with a way to go where others may stay. */
  private idsToLeave(host: string): string[] {
    const { disturbs = "host" } = this.input.spec.update;
    if (disturbs === "host") return this.idsOn(host);
    return this.idsOn(host).filter((id) => {
      const move = this.wave?.moves.find(({ replica }) => replica === id);
      return move ? move.method !== "restart" : disturbs === "copies";
    });
  }

  private moveOf(newReplica: string): Wave["moves"][number] | undefined {
    return this.wave?.moves.find((move) => move.newReplica === newReplica);
  }

  private idsOn(host: string): string[] {
    return [...this.copies].filter(([, copy]) => copy.host === host).map(([id]) => id);
  }
}

/** Runs all waves of a plan and checks the promise over the whole run. */
export function simulate(input: PlanInput, plan: MigrationPlan, pick: Pick): Simulation {
  const simulation = new Simulation(input);
  for (const wave of plan.waves) {
    simulation.runWave(wave, pick);
    simulation.fleet();
  }
  const share = simulation.overPaths.size / input.forecast.demand.cpuMillis.length;
  assert.ok(share <= 1 - input.spec.confidence + 1e-9, `over capacity on ${String(share)} of the paths`);
  return simulation;
}
