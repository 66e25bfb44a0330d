/**
 * Plays one run of a plan: the real planner, runner, executor and checker on an in-memory fleet in virtual time.
 *
 * Not for: what is drawn for it (world.ts).
 */
import { isFinalPhase, isKind, messageOf } from "../../sdk/model";
import type { Fleet, Forecast, MigrationPlan, Phase, RunState } from "../../sdk/model";
import { currentOpening } from "../calendar";
import type { Clock, Progress } from "../clock";
import type { Platform } from "../drivers/contracts";
import { checkRun } from "../guard/checker";
import { observeFleet } from "../observe/fleet";
import { resolveDurations } from "../plan/durations";
import { inputOf, plan } from "../plan/plan";
import { readyAt } from "../plan/stages";
import { carryOut, createRun } from "../runner/run";
import type { RunDependencies } from "../runner/run";
import { createMemoryFleet, createMemoryRunStore, createVirtualClock } from "../testing";
import type { MemoryFleet, VirtualClock } from "../testing";
import type { RunSample, SimulationInput } from "./simulation";
import { createWorld, simulatedSpec } from "./world";

const RUN = "simulated";
const OWNER = "simulator";
const NEVER = new AbortController().signal;
const SILENT: Progress = { line: () => undefined, status: () => undefined };
/** A runner looks again at a run that waits after this time. */
const LOOK_AGAIN_MS = 300_000;
/**
 * Paths that plans inside the simulation look at. A plan before every wave of every run takes most of the time, and the
 * demand that a run meets is drawn from all of them.
 */
const PLANNING_PATHS = 40;

const WHOLE_RUN_MS = 14 * 86_400_000;
/** Waits between two looks from `least` ms on last this long instead; an end is seen that much later. */
const LOOKS = [
  { least: 250, most: 2_000 },
  { least: 40, most: 250 },
] as const;

/** What all runs of a simulation share. */
export interface SimulatedPlan {
  readonly plan: MigrationPlan;
  readonly startMs: number;
  readonly closesMs: number;
}

/** Plans once as the bundle does, and says when simulated time begins. */
export function planSimulation({ bundle }: Pick<SimulationInput, "bundle">): SimulatedPlan {
  const { slotMs } = bundle;
  const planned = plan(inputOf({ ...bundle, spec: simulatedSpec(bundle.spec) }));
  const startMs = Math.max(slotMs, planned.opening?.startMs ?? slotMs, readyAt(bundle));
  return { plan: planned, startMs, closesMs: planned.opening?.endMs ?? startMs };
}

/** Plays the run of a number. The same input and number give the same sample. */
export async function simulateRun(input: SimulationInput, shared: SimulatedPlan, run: number): Promise<RunSample> {
  const { bundle, seed, assumptions } = input;
  const { startMs, closesMs } = shared;
  const durations = resolveDurations(bundle.spec, bundle.durations);
  const world = createWorld(bundle, durations, assumptions, { seed, run, lengthMs: closesMs - startMs });
  const clock = createVirtualClock(startMs, { isMemoryOnly: true });
  const fleet = createMemoryFleet(world.fleet, clock, seed + run);
  const store = createMemoryRunStore(clock);
  const platform = withValidationTime(fleet.platform, clock, () => world.validationMs());
  const forecast = thin(bundle.forecast);
  const deps: RunDependencies = {
    platform,
    store,
    clock: createPatientClock(clock),
    progress: SILENT,
    owner: OWNER,
    // Nobody else wants them, and renewing them every few seconds is half of all work.
    leaseTtlMs: WHOLE_RUN_MS,
    signal: NEVER,
    observe: (signal) => observeFleet(platform, world.spec, signal, clock, bundle.fleet),
    forecast: () => Promise.resolve(forecast),
    plan: (planInput) => Promise.resolve(plan({ ...planInput, searchesFixes: false })),
  };
  for (const { host, afterMs, backAfterMs } of world.deaths) {
    clock.after(afterMs, () => {
      fleet.killHost(host, backAfterMs);
    });
  }
  const end = await clock.run(async () => {
    const observed = await deps.observe(NEVER);
    await createRun(deps, {
      runId: RUN,
      spec: world.spec,
      plan: shared.plan,
      // What is planned comes from `forecast` above; the run's record needs no copy of it.
      bundle: { ...bundle, spec: world.spec, fleet: approvedFleet(observed, bundle.fleet), forecast: NO_FORECAST },
      phase: "armed",
    });
    return playToEnd(deps, closesMs);
  });
  return { ...end, durationMs: clock.now() - startMs, ...readSample(fleet, store.entriesOf(RUN)) };
}

/** Carries the run on until it has ended or its window has closed. */
async function playToEnd(
  deps: RunDependencies,
  closesMs: number,
): Promise<{ readonly phase: Phase; readonly reason?: string }> {
  const { clock } = deps;
  for (;;) {
    let state: RunState;
    try {
      state = await carryOut(RUN, deps);
    } catch (error) {
      if (!isKind(error, "DriverError")) throw error;
      return { phase: "failed", reason: messageOf(error) };
    }
    if (state.phase === "done") return { phase: "done" };
    const reason = state.failure ? `${state.failure.step}: ${state.failure.reason}` : state.phaseReason;
    if (isFinalPhase(state.phase)) return { phase: state.phase, reason };
    const { windows } = state.bundle.spec;
    if (clock.now() + LOOK_AGAIN_MS >= closesMs || !currentOpening(windows, clock.now()))
      return { phase: state.phase, reason };
    await clock.sleep(LOOK_AGAIN_MS);
  }
}

/** A clock on which waits between two looks are longer: most of a run is waiting, and each look costs real time. */
function createPatientClock(clock: VirtualClock): Clock {
  const stretch = (ms: number): number => {
    const look = LOOKS.find(({ least, most }) => ms >= least && ms < most);
    return look ? look.most : ms;
  };
  return {
    now: () => clock.now(),
    monotonic: () => clock.monotonic(),
    sleep: (ms, signal) => clock.sleep(stretch(ms), signal),
  };
}

function readSample(
  fleet: MemoryFleet,
  entries: Parameters<typeof checkRun>[0]["entries"],
): Pick<RunSample, "violations" | "isOverCapacity" | "pausesMs"> {
  const observations = fleet.observations();
  const violations = checkRun({ entries, observations }).map(({ rule }) => rule);
  return {
    violations: violations.filter((rule) => rule !== "capacity"),
    isOverCapacity: violations.includes("capacity"),
    pausesMs: observations.pauses.map(({ pauseMs }) => pauseMs),
  };
}

/** Policy and numbers of copies as they were approved, on the copies that the simulated fleet has. */
function approvedFleet(observed: Fleet, approved: Fleet): Fleet {
  return { ...observed, workloads: approved.workloads, islands: approved.islands };
}

function withValidationTime(platform: Platform, clock: VirtualClock, validationMs: () => number): Platform {
  const { hosts } = platform;
  return {
    ...platform,
    hosts: {
      ...hosts,
      check: async (host, command, signal) => {
        await clock.sleep(validationMs(), signal);
        return hosts.check(host, command, signal);
      },
    },
  };
}

const NO_FORECAST: Forecast = {
  demand: { startMs: 0, stepMs: 1, steps: 0, workloads: [], cpuMillis: [], memoryBytes: [] },
  bands: [],
  missing: [],
};

/** Evenly chosen paths of a forecast. */
function thin(forecast: Forecast): Forecast {
  const { demand } = forecast;
  const every = Math.ceil(demand.cpuMillis.length / PLANNING_PATHS);
  return { ...forecast, demand: { ...demand, cpuMillis: demand.cpuMillis.filter((_, index) => index % every === 0) } };
}
