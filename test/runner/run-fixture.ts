/**
 * A whole run on the in-memory fleet: the sample fleet, the real planner, a run store in memory, and processes that
 * can be killed. What happens is deterministic under the seed.
 */
import { strict as assert } from "node:assert";
import type { Fleet, Forecast, HostUpdateSpec, MigrationPlan, RunState } from "../../sdk/model";
import type { Progress } from "../../providers/clock";
import { checkRun } from "../../providers/guard/checker";
import { observeFleet } from "../../providers/observe/fleet";
import { plan } from "../../providers/plan/plan";
import type { PlanInput } from "../../providers/plan/plan-input";
import { planningSlot } from "../../providers/plan/plan-input";
import type { RunDependencies } from "../../providers/runner/run";
import { LEASE_TTL_MS } from "../../providers/runner/leases";
import { carryOut, createRun } from "../../providers/runner/run";
import type {
  MemoryFleet,
  MemoryFleetSpec,
  MemoryRunStore,
  SimulatedProcess,
  VirtualClock,
  SampleFleetOptions,
} from "../../providers/testing";
import {
  createMemoryFleet,
  createMemoryRunStore,
  createSimulatedProcess,
  createVirtualClock,
  SAMPLE_OPENING_MS,
  sampleFleet,
  sampleForecast,
  sampleSpec,
  sampleWorkloads,
  SimulatedCrash,
} from "../../providers/testing";

export const RUN = "kernel-1";
const MINUTE_MS = 60_000;
const NEVER = new AbortController().signal;

/** What a test may change. */
export interface FixtureOptions {
  readonly fleet?: MemoryFleetSpec;
  readonly spec?: HostUpdateSpec;
  readonly seed?: number;
  readonly forecast?: Forecast;
  /** Version of the package that plans the run. @default none that is compared */
  readonly plannedBy?: string;
  /** When it begins. @default ten minutes into the opening */
  readonly startMs?: number;
  /** Nothing in it touches files, see VirtualClockLimits. @default false */
  readonly isMemoryOnly?: boolean;
  /** Changes what the planner gives, for what it never does by itself. */
  readonly changePlan?: (plan: MigrationPlan, input: PlanInput) => MigrationPlan;
}

/** What was told. */
export interface RecordedProgress extends Progress {
  readonly lines: string[];
}

/** A fleet, a store and how to run on them. */
export interface RunFixture {
  readonly clock: VirtualClock;
  readonly fleet: MemoryFleet;
  readonly store: MemoryRunStore;
  readonly spec: HostUpdateSpec;
  readonly progress: RecordedProgress;
  /** Dependencies of a process; a new one with every call unless given. */
  dependencies(process?: SimulatedProcess, signal?: AbortSignal): RunDependencies;
  /** A process on this fixture's clock. */
  createProcess(name?: string): SimulatedProcess;
  /** Plans and stores the run. */
  arm(): Promise<RunState>;
  /** Arms, carries out to the end and returns the state. */
  run(deps?: RunDependencies): Promise<RunState>;
  /** Carries the armed run out as a new process. */
  carryOn(): Promise<RunState>;
  /** The fleet as it is. */
  observe(): Promise<Fleet>;
}

/** Creates a fixture with nothing run yet. */
export function createRunFixture(options: FixtureOptions = {}): RunFixture {
  const {
    spec = sampleSpec(),
    seed = 1,
    forecast = sampleForecast(),
    startMs = SAMPLE_OPENING_MS + 10 * MINUTE_MS,
    isMemoryOnly = false,
  } = options;
  const clock = createVirtualClock(startMs, { isMemoryOnly });
  const fleet = createMemoryFleet(options.fleet ?? sampleFleet(), clock, seed);
  const store = createMemoryRunStore(clock);
  const lines: string[] = [];
  const progress: RecordedProgress = { lines, line: (text) => lines.push(text), status: () => undefined };
  let processes = 0;

  const createProcess = (name?: string): SimulatedProcess =>
    createSimulatedProcess(name ?? `process-${String((processes += 1))}`, clock);
  const makePlan = (input: PlanInput): Promise<MigrationPlan> => {
    const planned = plan(input);
    return Promise.resolve(options.changePlan ? options.changePlan(planned, input) : planned);
  };
  const dependencies = (process = createProcess(), signal = NEVER): RunDependencies => {
    const platform = fleet.asProcess(process);
    return {
      platform,
      store: store.asProcess(process),
      clock: process.clock,
      progress,
      owner: process.name,
      signal,
      observe: (abort) => observeFleet(platform, spec, abort, process.clock),
      forecast: () => Promise.resolve(forecast),
      plan: makePlan,
    };
  };
  const observe = (): Promise<Fleet> => observeFleet(fleet.platform, spec, NEVER, clock);
  const arm = async (): Promise<RunState> => {
    const observed = await observe();
    const slotMs = planningSlot(clock.now());
    const input: PlanInput = { fleet: observed, forecast, spec, slotMs, nowMs: slotMs, durations: {} };
    const planned = await makePlan(input);
    assert.deepEqual(planned.blockers, []);
    const bundle = {
      v: 1,
      packageVersion: options.plannedBy ?? "test",
      spec,
      fleet: observed,
      forecast,
      slotMs,
      durations: {},
    } as const;
    return createRun(dependencies(), { runId: RUN, spec, plan: planned, bundle, phase: "armed" });
  };
  return {
    clock,
    fleet,
    store,
    spec,
    progress,
    dependencies,
    createProcess,
    arm,
    observe,
    carryOn: () => clock.run(() => carryOut(RUN, dependencies())),
    run: (deps) =>
      clock.run(async () => {
        await arm();
        return carryOut(RUN, deps ?? dependencies());
      }),
  };
}

/** The sample fleet with everything that takes long cut short, for tests that run it hundreds of times. */
export function quickFleet(options: SampleFleetOptions = {}): MemoryFleetSpec {
  const fleet = sampleFleet({ updateMs: 2000, requestsPerSecond: 40, ...options });
  return {
    ...fleet,
    hosts: fleet.hosts.map((host) => ({ ...host, bootMs: 2000 })),
    workloads: fleet.workloads.map((workload) => ({ ...workload, startMs: 500, slowShare: 0 })),
  };
}

/** The sample update with a short soak, for a fleet of so many hosts. */
export function quickSpec(overrides: Partial<HostUpdateSpec> = {}, hosts = 6): HostUpdateSpec {
  const spec = sampleSpec();
  const islands = spec.islands.map((island) => ({
    ...island,
    workloads: island.workloads.map((workload) => {
      const discovered = sampleWorkloads(hosts).find(({ name }) => name === workload.name);
      return discovered ? { ...workload, copies: discovered.copies } : workload;
    }),
  }));
  return { ...spec, islands, limits: { ...spec.limits, soakMs: 2000 }, ...overrides };
}

/** Kills the runner at the given times after the start of each process, then lets a last one carry the run on. */
export async function runWithKills(fixture: RunFixture, killsAfterMs: readonly number[]): Promise<RunState> {
  return fixture.clock.run(async () => {
    for (const afterMs of killsAfterMs) {
      const process = fixture.createProcess();
      fixture.clock.after(afterMs, () => {
        process.kill();
      });
      try {
        return await process.run(() => carryOut(RUN, fixture.dependencies(process)));
      } catch (error) {
        assert.ok(error instanceof SimulatedCrash, String(error));
      }
      await fixture.clock.sleep(LEASE_TTL_MS + 1);
    }
    return carryOut(RUN, fixture.dependencies());
  });
}

/** Everything that must hold of every run, whatever happened to it: nothing for the checker, nobody harmed. */
export function assertKept({ fleet, store }: RunFixture, run = RUN): void {
  assert.deepEqual(checkRun({ entries: store.entriesOf(run), observations: fleet.observations() }), []);
  assert.deepEqual(fleet.harm(), []);
  assert.equal(fleet.lostWrites("ledger"), 0);
}

/** What a run must leave: versions, placement by host, marks, running hosts. */
export async function describeEnd(fixture: RunFixture): Promise<unknown> {
  const { hosts, services } = await fixture.clock.run(() => fixture.observe());
  return {
    versions: fixture.fleet.versions(),
    placements: fixture.fleet.placements(),
    hosts: hosts.map(({ id, state, cordoned, reserved }) => ({ id, state, cordoned, reserved })),
    services: services.map(({ name, parked, backends }) => ({
      name,
      parked,
      weights: backends.map(({ weight }) => weight),
    })),
  };
}
