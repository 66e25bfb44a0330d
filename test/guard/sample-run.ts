/** A clean run of one update wave, one hand-over and a failback, as journal and observations that tests then damage. */
import type { Observations, ServingCopy } from "../../providers/guard/observations";
import { NO_OBSERVATIONS } from "../../providers/guard/observations";
import {
  createMemoryFleet,
  createVirtualClock,
  SAMPLE_OPENING_MS,
  sampleFleet,
  sampleForecast,
  sampleSpec,
  sampleWorkloads,
} from "../../providers/testing";
import type { JournalEntry, JournalEvent, MigrationPlan, Move, PlanStep, StepKind, Wave } from "../../sdk/model";

export const RUN = "run-1";
const ENTRY_MS = 10_000;
const EXPECTED = { p50Ms: 1000, p95Ms: 2000 };

const SURGE: Move = createMove("m-pricing", "pricing", "pricing-0", "pricing-1", "host-01", "host-03", "surge");
const SHED: Move = { ...createMove("m-front", "front", "front-0", "front-6", "host-01", "host-01", "shed") };
const HAND_OVER: Move = createMove("m-ledger", "ledger", "ledger-0", "ledger-1", "host-01", "host-04", "hand-over");

/** The steps of the run by id, in the order in which they are done. */
export const STEPS: readonly PlanStep[] = [
  step({ kind: "reserve", id: "reserve", hosts: ["standby-01"] }, []),
  step({ kind: "cordon", id: "cordon", host: "host-01" }, ["reserve"]),
  step({ kind: "snapshot", id: "snapshot", host: "host-01" }, ["cordon"]),
  step(
    { kind: "start-copy", id: "start", move: SURGE.id, workload: "pricing", replica: "pricing-1", host: "host-03" },
    ["cordon"],
  ),
  step({ kind: "admit", id: "admit", move: SURGE.id, workload: "pricing", replica: "pricing-1" }, ["start"]),
  step({ kind: "drain", id: "drain", move: SURGE.id, workload: "pricing", replica: "pricing-0", deadlineMs: 1000 }, [
    "admit",
  ]),
  step({ kind: "stop-copy", id: "stop", move: SURGE.id, workload: "pricing", replica: "pricing-0", host: "host-01" }, [
    "drain",
  ]),
  step(
    {
      kind: "hand-over",
      id: "hand-over",
      move: HAND_OVER.id,
      workload: "ledger",
      fromReplica: "ledger-0",
      fromHost: "host-01",
      toReplica: "ledger-1",
      toHost: "host-04",
      maxPauseMs: 2000,
    },
    ["cordon"],
  ),
  step({ kind: "drain", id: "shed-drain", move: SHED.id, workload: "front", replica: "front-0", deadlineMs: 1000 }, [
    "cordon",
  ]),
  step({ kind: "stop-copy", id: "shed-stop", move: SHED.id, workload: "front", replica: "front-0", host: "host-01" }, [
    "shed-drain",
  ]),
  step({ kind: "update", id: "update", host: "host-01" }, ["stop", "shed-stop", "hand-over", "snapshot"]),
  step({ kind: "reboot", id: "reboot", host: "host-01" }, ["update"]),
  step({ kind: "validate", id: "validate", host: "host-01" }, ["reboot"]),
  step({ kind: "uncordon", id: "uncordon", host: "host-01" }, ["validate"]),
  step(
    { kind: "start-copy", id: "shed-start", move: SHED.id, workload: "front", replica: "front-6", host: "host-01" },
    ["uncordon"],
  ),
  step({ kind: "admit", id: "shed-admit", move: SHED.id, workload: "front", replica: "front-6" }, ["shed-start"]),
  step({ kind: "soak", id: "soak", hosts: ["host-01"], durationMs: 1000 }, ["shed-admit"]),
  step({ kind: "release", id: "release", hosts: ["standby-01"] }, []),
];

/** A run as events without stamps, which are easy to move around. */
export function createCleanEvents(): JournalEvent[] {
  const steps = STEPS.slice(0, -1);
  const wave = createWave(1, "canary", ["host-01"], [SURGE, SHED, HAND_OVER], steps);
  const failback = createWave(2, "failback", [], [], STEPS.slice(-1));
  return [
    createCreated([wave, failback]),
    { kind: "phase", phase: "running", reason: "the window is open" },
    { kind: "wave-planned", wave, note: "" },
    ...steps.flatMap(doStep),
    { kind: "wave-done", index: 1 },
    { kind: "wave-planned", wave: failback, note: "" },
    ...STEPS.slice(-1).flatMap(doStep),
    { kind: "wave-done", index: 2 },
    { kind: "phase", phase: "done", reason: "all hosts are updated" },
  ];
}

/** Key of a step's intent. */
export function keyOf(id: string): string {
  return `${RUN}/${id}/1`;
}

/** Events with stamps: one entry each ten seconds, under one epoch. */
export function stamp(events: readonly JournalEvent[], epoch: (index: number) => number = () => 1): JournalEntry[] {
  return events.map((event, index) => ({ v: 1, at: timeOfEntry(index), epoch: epoch(index), ...event }));
}

export function timeOfEntry(index: number): number {
  return SAMPLE_OPENING_MS + index * ENTRY_MS;
}

/** Position of a step's intent or end. */
export function indexOf(events: readonly JournalEvent[], kind: "step-intent" | "step-done", id: string): number {
  const index = events.findIndex(
    (event) => event.kind === kind && (event.kind === "step-intent" ? event.step.id : event.id) === id,
  );
  if (index < 0) throw new RangeError(`no ${kind} of ${id}`);
  return index;
}

/** Moves intent and end of a step right before those of another. */
export function moveBefore(events: readonly JournalEvent[], id: string, other: string): JournalEvent[] {
  const start = indexOf(events, "step-intent", id);
  const pair = events.slice(start, start + 2);
  const rest = events.filter((event) => !pair.includes(event));
  rest.splice(indexOf(rest, "step-intent", other), 0, ...pair);
  return rest;
}

/** The events without a step. */
export function without(events: readonly JournalEvent[], id: string): JournalEvent[] {
  const start = indexOf(events, "step-intent", id);
  return events.filter((_, index) => index !== start && index !== start + 1);
}

/** What is seen from outside of the clean run, with the state before and after. */
export function createCleanObservations(events: readonly JournalEvent[] = createCleanEvents()): Observations {
  const at = (kind: "step-intent" | "step-done", id: string): number => timeOfEntry(indexOf(events, kind, id));
  const fronts = [1, 2, 3, 4, 5].map((index) => serving(`front-${String(index)}`, `host-0${String(index + 1)}`));
  const state = (version: string, isEnd: boolean) => {
    const clock = createVirtualClock(SAMPLE_OPENING_MS);
    const fleet = createMemoryFleet(sampleFleet(), clock, 1).observeFleet(sampleWorkloads());
    const probes = { "host-01": version };
    return { atMs: timeOfEntry(isEnd ? events.length : 0), ...fleet, probes };
  };
  return {
    ...NO_OBSERVATIONS,
    availability: [
      { atMs: timeOfEntry(0), workload: "front", serving: [serving("front-0", "host-01"), ...fronts] },
      { atMs: timeOfEntry(0), workload: "pricing", serving: [serving("pricing-0", "host-01")] },
      { atMs: timeOfEntry(0), workload: "ledger", serving: [serving("ledger-0", "host-01")] },
      {
        atMs: at("step-done", "admit"),
        workload: "pricing",
        serving: [serving("pricing-0", "host-01"), serving("pricing-1", "host-03")],
      },
      { atMs: at("step-intent", "drain") + 100, workload: "pricing", serving: [serving("pricing-1", "host-03")] },
      { atMs: at("step-intent", "hand-over") + 100, workload: "ledger", serving: [] },
      { atMs: at("step-intent", "hand-over") + 900, workload: "ledger", serving: [serving("ledger-1", "host-04")] },
      { atMs: at("step-intent", "shed-drain") + 100, workload: "front", serving: fronts },
      { atMs: at("step-done", "shed-admit"), workload: "front", serving: [...fronts, serving("front-6", "host-01")] },
    ],
    pauses: [{ atMs: at("step-intent", "hand-over") + 100, workload: "ledger", pauseMs: 800 }],
    effects: ["cordon", "update", "reboot"].map((id) => ({
      atMs: at("step-intent", id) + 10,
      call: id === "cordon" ? "hosts.cordon" : id === "update" ? "hosts.startUpdate" : "hosts.reboot",
      subject: "host-01",
      scope: "host/host-01",
      key: `${keyOf(id)}/call`,
      epoch: 1,
      owner: RUN,
    })),
    leases: [{ atMs: timeOfEntry(0), resource: "host/host-01", owner: "runner-1", epoch: 1 }],
    first: state("v1", false),
    last: state("v2", true),
  };
}

export function serving(replica: string, host: string): ServingCopy {
  return { replica, host };
}

function doStep(planned: PlanStep): readonly JournalEvent[] {
  const result = planned.kind === "hand-over" ? { pauseMs: 800 } : null;
  return [
    { kind: "step-intent", step: planned, key: keyOf(planned.id), prior: null },
    { kind: "step-done", id: planned.id, result, alreadyDone: false },
  ];
}

type Unexpected<K extends StepKind> = K extends StepKind
  ? Omit<Extract<PlanStep, { readonly kind: K }>, "after" | "expected">
  : never;

function step(planned: Unexpected<StepKind>, after: readonly string[]): PlanStep {
  return { ...planned, after, expected: EXPECTED };
}

function createMove(
  id: string,
  workload: string,
  replica: string,
  newReplica: string,
  from: string,
  to: string,
  method: Move["method"],
): Move {
  return { id, workload, replica, newReplica, from, to, method, reason: "", scores: [] };
}

function createWave(
  index: number,
  kind: Wave["kind"],
  hosts: readonly string[],
  moves: readonly Move[],
  steps: readonly PlanStep[],
): Wave {
  const times = { startMs: SAMPLE_OPENING_MS, endMs: SAMPLE_OPENING_MS + 1, endP95Ms: SAMPLE_OPENING_MS + 2 };
  const capacity = { overCapacityShare: 0, capacityCpuMillis: 1, demandCpuMillis: 1 };
  return { index, kind, hosts, ...times, moves, steps, ...capacity };
}

function createCreated(waves: readonly Wave[]): JournalEvent {
  const spec = sampleSpec();
  const fleet = createMemoryFleet(sampleFleet(), createVirtualClock(SAMPLE_OPENING_MS), 1).observeFleet(
    sampleWorkloads(),
  );
  const plan: MigrationPlan = {
    v: 1,
    decision: "run",
    slotMs: SAMPLE_OPENING_MS,
    seed: 1,
    nextOpenings: [],
    envelope: {
      updateDigest: "0".repeat(64),
      update: "install v2",
      hosts: ["host-01"],
      budgets: { front: 1, pricing: 0 },
      maxPauseMs: { ledger: 2000 },
      hostsAtOnce: 1,
      hostsPerZone: 1,
      canaryHosts: 1,
      maximumReserveHosts: 1,
      maximumDurationMs: 3_600_000,
      confidence: 0.95,
      windows: ["saturdays"],
    },
    digest: "0".repeat(64),
    reserve: { hosts: ["standby-01"], reason: "" },
    waves,
    skipped: [],
    blockers: [],
    warnings: [],
    total: EXPECTED,
    cost: { reservedHostHours: 0, note: "" },
    probes: { "host-01": { output: "v1", matches: false } },
  };
  const forecast = sampleForecast({ paths: 2, steps: 1 });
  const bundle = {
    v: 1,
    packageVersion: "0.0.0",
    spec,
    fleet,
    forecast,
    slotMs: SAMPLE_OPENING_MS,
    durations: {},
  } as const;
  return { kind: "created", digest: plan.digest, attempt: 1, bundle, plan };
}
