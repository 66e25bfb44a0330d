/** Builders of journal entries for tests: a small run on one host, with everything that an entry must carry. */
import type {
  Bundle,
  Envelope,
  Fleet,
  HostUpdateSpec,
  JournalEntry,
  JournalEvent,
  MigrationPlan,
  PlanStep,
  Wave,
} from "../../sdk/model";
import { createEntry } from "../../providers/journal/replay";

/** 2026-01-03T02:00:00Z, a Saturday. */
export const START_MS = Date.UTC(2026, 0, 3, 2);

const EXPECTED = { p50Ms: 1000, p95Ms: 3000 };

function buildSpec(): HostUpdateSpec {
  return {
    v: 1,
    name: "kernel",
    islands: [
      {
        name: "shop",
        source: { kind: "memory", fleet: "shop" },
        guarantee: { cpu: 0.3, memory: 0.3 },
        workloads: [{ name: "web", criticality: "critical", exclusive: false, maxPauseMs: 2000, hooks: {} }],
        metrics: { kind: "agent" },
        validate: [],
      },
    ],
    windows: [{ name: "saturdays", cron: "0 2 * * 6", durationMs: 10_800_000, timezone: "Europe/Berlin", freezes: [] }],
    update: {
      probe: "cat version",
      expect: "2.*",
      command: "./update",
      undo: "./undo",
      irreversible: false,
      reboot: true,
      timeoutMs: 60_000,
    },
    limits: { hostsAtOnce: 1, hostsPerZone: 1, canaryHosts: 1, soakMs: 1000, drainMs: 5000 },
    confidence: 0.95,
    failback: "if-better",
    whenClosed: "arm",
    whenBlocked: "show",
    startedBy: "up",
    attempt: 0,
    seed: 7,
  };
}

function buildFleet(): Fleet {
  return {
    observedAt: START_MS,
    islands: [{ name: "shop", hosts: ["host-01"], share: { cpu: 0.3, memory: 0.3 } }],
    hosts: [
      {
        id: "host-01",
        zone: "a",
        rack: "a",
        capacity: { cpuMillis: 4000, memoryBytes: 2 ** 33 },
        role: "member",
        state: "ready",
        bootId: "boot-1",
        probe: { output: "1.9", matches: false },
      },
    ],
    workloads: [],
    replicas: [],
    services: [],
  };
}

export function buildBundle(): Bundle {
  return {
    v: 1,
    packageVersion: "0.1.0",
    spec: buildSpec(),
    fleet: buildFleet(),
    forecast: {
      demand: {
        startMs: START_MS,
        stepMs: 60_000,
        steps: 2,
        workloads: ["web"],
        cpuMillis: [[120.5, 0.1]],
        memoryBytes: [1e8],
      },
      bands: [],
      missing: [],
    },
    slotMs: START_MS,
    durations: { update: EXPECTED },
  };
}

function buildEnvelope(): Envelope {
  return {
    updateDigest: "0".repeat(64),
    update: "kernel",
    hosts: ["host-01"],
    budgets: { web: 1 },
    maxPauseMs: {},
    hostsAtOnce: 1,
    hostsPerZone: 1,
    canaryHosts: 1,
    maximumReserveHosts: 0,
    maximumDurationMs: 10_800_000,
    confidence: 0.95,
    windows: ["saturdays"],
  };
}

export function buildStep(id = "w1/host-01/update"): PlanStep {
  return { kind: "update", id, host: "host-01", after: [], expected: EXPECTED };
}

export function buildWave(index = 1): Wave {
  return {
    index,
    kind: index === 1 ? "canary" : "update",
    hosts: ["host-01"],
    startMs: START_MS,
    endMs: START_MS + 10_000,
    endP95Ms: START_MS + 30_000,
    moves: [],
    steps: [buildStep(`w${String(index)}/host-01/update`)],
    overCapacityShare: 0,
    capacityCpuMillis: 4000,
    demandCpuMillis: 120,
  };
}

export function buildPlan(): MigrationPlan {
  return {
    v: 1,
    decision: "run",
    slotMs: START_MS,
    seed: 7,
    nextOpenings: [],
    envelope: buildEnvelope(),
    digest: "d".repeat(64),
    reserve: { hosts: [], reason: "demand fits the hosts that stay" },
    waves: [buildWave()],
    skipped: [],
    blockers: [],
    warnings: [],
    total: EXPECTED,
    cost: { reservedHostHours: 0, note: "no reserve" },
    probes: {},
  };
}

export const CREATED: JournalEvent = {
  kind: "created",
  digest: "d".repeat(64),
  attempt: 0,
  bundle: buildBundle(),
  plan: buildPlan(),
};

/** Events of a run that goes well, one host, one wave. */
export const GOOD_RUN: readonly JournalEvent[] = [
  CREATED,
  { kind: "phase", phase: "running", reason: "the window is open" },
  { kind: "wave-planned", wave: buildWave(), note: "as approved" },
  { kind: "step-intent", step: buildStep(), key: "run/w1/host-01/update/1", prior: { version: "1.9" } },
  { kind: "step-started", id: "w1/host-01/update", operation: "op-1" },
  { kind: "taken-over", owner: "runner-b", previousOwner: "runner-a" },
  { kind: "step-done", id: "w1/host-01/update", result: { output: "2.0" }, alreadyDone: false },
  { kind: "decision", text: "canary is green" },
  { kind: "wave-done", index: 1 },
  { kind: "phase", phase: "done", reason: "all hosts match" },
];

/** Stamps events one second apart, all with the given epoch. */
export function stamp(events: readonly JournalEvent[], epoch = 1): readonly JournalEntry[] {
  return events.map((event, index) => createEntry(event, START_MS + index * 1000, epoch));
}
