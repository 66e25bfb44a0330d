/**
 * Carries a scenario out: the real planner, executor and runner on the in-memory fleet, until the run has ended or waits
 * with everything calm.
 *
 * Not for: judging (verdict.ts).
 *
 * Invariant: a scenario determines everything that happens; nothing here reads a real clock.
 */
import { isFinalPhase, isKind, messageOf } from "../../sdk/model";
import type { HostOffer, HostUpdateSpec, MigrationPlan, UpdateSpec } from "../../sdk/model";
import { LEASE_TTL_MS, hostResource, runResource } from "../../providers/runner/leases";
import { carryOut } from "../../providers/runner/run";
import type { RunDependencies } from "../../providers/runner/run";
import type { CommandBehaviour, MemoryFleetSpec, SimulatedProcess } from "../../providers/testing";
import { SAMPLE_OPENING_MS, sampleForecast, SimulatedCrash } from "../../providers/testing";
import { createRunFixture, quickFleet, quickSpec, RUN } from "../runner/run-fixture";
import type { RunFixture } from "../runner/run-fixture";
import { Interference } from "./interference";
import type { HostTrouble, Incident, Scenario } from "./scenario";

/** What became of a scenario. */
export interface Outcome {
  readonly scenario: Scenario;
  readonly fixture: RunFixture;
  /** What no runner may do: fail with something that is no error of the project's, or never come to an end. */
  readonly broken: readonly string[];
  /** Empty when the plan was blocked from the start: then nothing ran. */
  readonly isPlanned: boolean;
  /** False for a run that waits for something, such as a host that is gone for good. */
  readonly isFinal: boolean;
}

/** What a test of the suite itself may put in between; see mutations.ts. */
export interface Tampering {
  readonly dependencies?: (deps: RunDependencies) => RunDependencies;
  readonly plan?: (plan: MigrationPlan) => MigrationPlan;
}

const SECOND_MS = 1000;
const MINUTE_MS = 60_000;
/** Longest time until everything that went away for a time is back. */
const CALM_AFTER_MS = 2 * MINUTE_MS;
/** Processes that a scenario may use: one that finds a rival at work waits for its lease again and again. */
const MOST_PROCESSES = 200;
/** How often a run that waits is looked at again when all is calm. */
const LOOKS_WHEN_CALM = 3;
/** Errors with which a runner ends while the run goes on. */
const EXPECTED = ["LeaseLostError", "LeaseHeldError", "StoreError", "InterruptedError", "DriverError"];

/** Carries a scenario out. */
export async function carryOutScenario(scenario: Scenario, tampering: Tampering = {}): Promise<Outcome> {
  const fixture = createRunFixture({
    fleet: fleetOf(scenario),
    spec: specOf(scenario),
    seed: scenario.seed,
    forecast: {
      ...sampleForecast({ paths: 8, steps: 36, scale: scenario.demand, seed: scenario.seed }),
      ...(scenario.refuses ? { functions: [JUDGED] } : {}),
    },
    startMs: SAMPLE_OPENING_MS + 10 * MINUTE_MS,
    isMemoryOnly: true,
    ...(tampering.plan ? { changePlan: tampering.plan } : {}),
  });
  const outcome = { scenario, fixture, broken: [] };
  try {
    await fixture.clock.run(() => fixture.arm());
  } catch (error) {
    if (!isKind(error, "AssertionError") && !(error instanceof Error && error.name === "AssertionError")) throw error;
    return { ...outcome, isPlanned: false, isFinal: false };
  }
  const play = new ScenarioPlay(scenario, fixture, tampering);
  const isFinal = await fixture.clock.run(() => play.carryOut());
  return { ...outcome, broken: play.broken, isPlanned: true, isFinal };
}

/** One scenario under way. */
class ScenarioPlay {
  readonly broken: string[] = [];
  private readonly interference: Interference;
  private readonly startedMs: number;
  private current: SimulatedProcess | undefined;
  private backAfterMs = 0;
  private wallOffset = { ms: 0 };
  private readonly rivals: Promise<void>[] = [];

  constructor(
    scenario: Scenario,
    private readonly fixture: RunFixture,
    private readonly tampering: Tampering,
  ) {
    this.startedMs = fixture.clock.monotonic();
    this.interference = new Interference(fixture.clock, scenario.incidents, (process, backAfterMs) => {
      this.backAfterMs = backAfterMs;
      process.kill();
    });
    for (const incident of scenario.incidents) this.arrange(incident);
  }

  /** True when the run has come to its end. */
  async carryOut(): Promise<boolean> {
    const { clock } = this.fixture;
    let isFinal = false;
    let looks = 0;
    for (let count = 0; !isFinal && looks < LOOKS_WHEN_CALM; count += 1) {
      if (count >= MOST_PROCESSES) {
        this.broken.push(`the run did not come to an end with ${String(count)} processes`);
        break;
      }
      const isCalm = this.elapsedMs() >= CALM_AFTER_MS;
      const end = await this.runProcess();
      isFinal = end === "final";
      if (end === "waiting" && isCalm) looks += 1;
      if (!isFinal) await clock.sleep(end === "waiting" ? 30_000 : Math.max(this.backAfterMs, 10));
      this.backAfterMs = 0;
    }
    await clock.sleep(Math.max(0, CALM_AFTER_MS - this.elapsedMs()) + 2 * LEASE_TTL_MS);
    await Promise.all(this.rivals);
    return isFinal;
  }

  private elapsedMs(): number {
    return this.fixture.clock.monotonic() - this.startedMs;
  }

  private async runProcess(): Promise<"final" | "waiting" | "ended"> {
    const process = this.fixture.createProcess();
    this.current = process;
    // Each process finds its clock right; one that is wrong from its beginning is another machine's.
    this.wallOffset = { ms: 0 };
    try {
      const state = await process.run(() => carryOut(RUN, this.dependencies(process, this.wallOffset)));
      return isFinalPhase(state.phase) ? "final" : "waiting";
    } catch (error) {
      if (!(error instanceof SimulatedCrash)) {
        this.backAfterMs = LEASE_TTL_MS + 1;
        if (!EXPECTED.some((kind) => isKind(error, kind))) {
          this.broken.push(`the runner ended with ${error instanceof Error ? (error.stack ?? "") : messageOf(error)}`);
        }
      }
      return "ended";
    }
  }

  private dependencies(process: SimulatedProcess, wallOffset: { readonly ms: number }): RunDependencies {
    const { fixture, interference, tampering } = this;
    const base = fixture.dependencies(process);
    const platform = interference.platformOf(base.platform, fixture.fleet.platform, process);
    const deps: RunDependencies = {
      ...base,
      platform,
      store: interference.storeOf(base.store, process),
      clock: interference.clockOf(process, () => wallOffset.ms),
    };
    return tampering.dependencies ? tampering.dependencies(deps) : deps;
  }

  private arrange(incident: Incident): void {
    const { fleet, store, clock } = this.fixture;
    const after = (ms: number, fn: () => void): void => {
      clock.after(ms, fn);
    };
    switch (incident.kind) {
      case "call":
        fleet.inject(incident.fault);
        break;
      case "store":
        store.fail(incident.fault);
        break;
      case "store-away":
        after(incident.afterMs, () => {
          this.interference.loseStore(incident.forMs, incident.isFull);
        });
        break;
      case "rival":
        after(incident.afterMs, () => this.rivals.push(this.startRival()));
        break;
      case "lease-lost":
        after(incident.afterMs, () => {
          const resource = incident.on === "run" ? runResource(RUN) : hostResource("sample", incident.on);
          store.stealLease(resource, "somebody else", incident.forMs);
        });
        break;
      case "crash":
        after(incident.afterMs, () => {
          this.backAfterMs = incident.backAfterMs;
          this.current?.kill();
        });
        break;
      case "stall":
        after(incident.afterMs, () => {
          if (this.current) this.interference.stall(this.current, incident.forMs);
        });
        // Another runner takes a run over whose owner gives no sign of life.
        if (incident.forMs > LEASE_TTL_MS) {
          after(incident.afterMs + LEASE_TTL_MS + SECOND_MS, () => this.rivals.push(this.startRival()));
        }
        break;
      case "clock-step":
        after(incident.afterMs, () => (this.wallOffset.ms = incident.byMs));
        break;
      case "hosts-die":
        after(incident.afterMs, () => {
          for (const host of incident.hosts) fleet.killHost(host, incident.backAfterMs);
        });
        break;
      case "split":
        after(incident.afterMs, () => {
          for (const host of incident.hosts) fleet.killAgent(host, incident.forMs);
        });
        break;
      case "flap":
        after(incident.afterMs, () => {
          fleet.flapHealth(incident.replica, incident.everyMs, incident.times);
        });
        break;
      case "crash-sending":
      case "duplicate":
        // The interference sees the calls.
        break;
    }
  }

  /** A second process with the same run; it gives up as soon as it sees the first one. */
  private async startRival(): Promise<void> {
    const process = this.fixture.createProcess("rival");
    try {
      await process.run(() => carryOut(RUN, this.dependencies(process, { ms: 0 })));
    } catch (error) {
      if (!EXPECTED.some((kind) => isKind(error, kind)) && !(error instanceof SimulatedCrash)) {
        this.broken.push(`the rival ended with ${messageOf(error)}`);
      }
    }
  }
}

function fleetOf(scenario: Scenario): MemoryFleetSpec {
  const {
    hosts,
    zones,
    standby,
    updateMs,
    bootMs,
    requestsPerSecond,
    notNow,
    troubles,
    migratesLive = false,
    bursts = false,
    replaces = "none",
  } = scenario;
  const offers: readonly HostOffer[] = [
    ...(migratesLive ? (["live-migration"] as const) : []),
    ...(replaces === "none" ? [] : (["replacement"] as const)),
  ];
  const sample = quickFleet({ hosts, zones, standby, requestsPerSecond, updateMs });
  const fleet = bursts ? withFunction(sample) : sample;
  const good: CommandBehaviour = { kind: "set-version", version: "v2", afterMs: updateMs, output: "installed v2\n" };
  return {
    ...fleet,
    hosts: fleet.hosts.map((host, index) => ({
      ...host,
      bootMs,
      offers,
      ...(replaces === "some" && index % 2 === 1 ? { immutable: "sealed root" } : {}),
    })),
    images: { [IMAGE]: ({ id }) => (troubles[id] === undefined ? "v2" : "v2-broken") },
    workloads: fleet.workloads.map((workload) => ({
      ...workload,
      demandCpuMillis: (atMs) => scenario.demand * (workload.demandCpuMillis?.(atMs) ?? 0),
      ...(workload.name === "front" && scenario.refuses ? { functions: { [REPORTS.path]: JUDGED.share } } : {}),
      ...(workload.name === "ledger" && notNow > 0 ? { notNow: { "/before-move": notNow } } : {}),
    })),
    commands: {
      "install v2": ({ id }) => {
        const trouble = troubles[id];
        return trouble === undefined ? good : behaviourOf(trouble, updateMs);
      },
      "install v1":
        scenario.undo === "fails"
          ? { kind: "fail", afterMs: 200, exitCode: 9, output: "no old package\n" }
          : { kind: "set-version", version: "v1", afterMs: updateMs / 2, output: "installed v1\n" },
    },
  };
}

const IMAGE = "image-2";

const REPORTS = { path: "/reports", criticality: "sheddable" as const };
const JUDGED = {
  ...{ workload: "front", name: REPORTS.path, criticality: REPORTS.criticality },
  ...{ confidence: 1, share: 0.4, reason: "as declared" },
};

const LARGE = { cpuMillis: 200, memoryBytes: 2 * 16 * 2 ** 30 };

/** Only the first host has room for pricing; a function can serve its requests. */
function withFunction(fleet: MemoryFleetSpec): MemoryFleetSpec {
  return {
    ...fleet,
    functions: [{ name: "pricing-fn", requestsPerSecond: 1000 }],
    hosts: fleet.hosts.map((host, index) =>
      index > 0 ? host : { ...host, capacity: { ...host.capacity, memoryBytes: 2 * LARGE.memoryBytes } },
    ),
    workloads: fleet.workloads.map((workload) =>
      workload.name === "pricing" ? { ...workload, request: LARGE } : workload,
    ),
  };
}

const PRICING_BURST = { function: "pricing-fn", requestsPerSecond: 1000, coldStartMs: 2000, cpuMsPerRequest: 5 };

function behaviourOf(trouble: HostTrouble, afterMs: number): CommandBehaviour {
  switch (trouble) {
    case "fails":
      return { kind: "fail", afterMs, exitCode: 3, output: "checksum mismatch\n" };
    case "fails-broken":
      return { kind: "fail", afterMs, exitCode: 3, output: "half of it\n", version: "v2-broken" };
    case "hangs":
      return { kind: "hang", output: "waiting for a lock\n" };
    case "lies":
      return { kind: "print", afterMs, output: "installed v2\n" };
  }
}

function updateOf({ reboot, undo, replaces = "none" }: Scenario, update: UpdateSpec): UpdateSpec {
  const { undo: undoCommand, command = "", ...rest } = update;
  if (replaces === "all") return { ...rest, image: IMAGE, reboot: false, timeoutMs: MINUTE_MS };
  return {
    ...rest,
    command,
    ...(replaces === "some" ? { image: IMAGE } : {}),
    reboot,
    timeoutMs: MINUTE_MS,
    ...(undo === "none" || undoCommand === undefined ? { irreversible: true } : { undo: undoCommand }),
  };
}

function specOf(scenario: Scenario): HostUpdateSpec {
  const { hosts, hostsAtOnce, canaryHosts, failback, notNow, bursts = false, refuses = false } = scenario;
  const { pool, ...spec } = quickSpec({ failback }, hosts);
  return {
    ...spec,
    ...(pool && !refuses ? { pool } : {}),
    update: updateOf(scenario, spec.update),
    limits: { ...spec.limits, hostsAtOnce, hostsPerZone: hostsAtOnce, canaryHosts },
    islands: spec.islands.map((island) => ({
      ...island,
      workloads: island.workloads.map((workload) => ({
        ...workload,
        ...(workload.name === "ledger" && notNow > 0 ? { hooks: { beforeMove: "/before-move" } } : {}),
        ...(workload.name === "front" && refuses ? { functions: [REPORTS] } : {}),
        ...(workload.name === "pricing" && bursts ? { request: LARGE, burst: PRICING_BURST } : {}),
      })),
    })),
  };
}
