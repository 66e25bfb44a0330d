/**
 * A sample fleet, its update and its forecast, for tests that need a whole one: 6 hosts in 3 zones and a standby, with
 * a web front, a service with one copy, an exclusive ledger and a sheddable report job.
 */
import type {
  Forecast,
  HostUpdateSpec,
  IslandSpec,
  JointDemand,
  QuantileForecast,
  Workload,
  WorkloadPolicy,
} from "../../sdk/model";
import type { MemoryFleetSpec, MemoryHostSpec, MemoryWorkloadSpec } from "./fleet-spec";
import { createRandom } from "./random";

/** Saturday, 7 March 2026, 02:00 UTC: the sample window opens. */
export const SAMPLE_OPENING_MS = Date.UTC(2026, 2, 7, 2);

const GIB = 2 ** 30;
const MIB = 2 ** 20;
const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;

/** CPU of all copies of each sample workload together. */
const SAMPLE_DEMAND: Readonly<Record<string, number>> = { front: 6000, pricing: 400, ledger: 300, reports: 2000 };

/** Sizes of a sample fleet. */
export interface SampleFleetOptions {
  /** Member hosts, at least 2. @default 6 */
  readonly hosts?: number;
  /** @default 3 */
  readonly zones?: number;
  /** Standby hosts. @default 1 */
  readonly standby?: number;
  /** Requests per second of the front; the ledger gets a tenth as writes. @default 100 */
  readonly requestsPerSecond?: number;
  /** Time the update command takes. @default 40 seconds */
  readonly updateMs?: number;
  /** Hosts on which the update command fails with exit code 3. @default none */
  readonly failingHosts?: readonly string[];
}

/**
 * A fleet on `v1` whose `install v2` leads to `v2` and whose `install v1` leads back. Hosts are `host-01`, ...;
 * `front` has a copy on every host, `pricing` on the first, `ledger` on the second, `reports` on up to four others.
 */
export function sampleFleet(options: SampleFleetOptions = {}): MemoryFleetSpec {
  const { hosts: hostCount = 6, zones = 3, standby = 1, requestsPerSecond = 100, updateMs = 40_000 } = options;
  const failingHosts = options.failingHosts ?? [];
  const members = Array.from({ length: hostCount }, (_, index) => sampleHost("host", index, zones, "member"));
  const reserve = Array.from({ length: standby }, (_, index) => sampleHost("standby", index, zones, "standby"));
  const ids = members.map((host) => host.id);
  return {
    name: "sample",
    hosts: [...members, ...reserve],
    workloads: [
      sampleWorkload("front", ids, { requestsPerSecond, slowShare: 0.05 }),
      sampleWorkload("pricing", ids.slice(0, 1), { requestsPerSecond: requestsPerSecond / 2 }),
      sampleWorkload("ledger", ids.slice(1, 2), { requestsPerSecond: requestsPerSecond / 10, exclusive: true }),
      sampleWorkload("reports", ids.slice(-4), { service: null }),
    ],
    commands: {
      "install v2": (host) =>
        failingHosts.includes(host.id)
          ? { kind: "fail", afterMs: updateMs / 2, exitCode: 3, output: "unpacking v2\nchecksum mismatch\n" }
          : { kind: "set-version", version: "v2", afterMs: updateMs, output: "installed v2\n" },
      "install v1": { kind: "set-version", version: "v1", afterMs: updateMs / 2, output: "installed v1\n" },
    },
    share: 0.9,
  };
}

/** The update of the sample fleet to `v2`, complete; override what a test is about. */
export function sampleSpec(overrides: Partial<HostUpdateSpec> = {}): HostUpdateSpec {
  return {
    v: 1,
    name: "kernel",
    islands: [sampleIsland()],
    windows: [{ name: "saturdays", cron: "0 2 * * 6", durationMs: 3 * HOUR_MS, timezone: "UTC", freezes: [] }],
    pool: { name: "reserve", quantile: 0.95, maximumHosts: 2 },
    update: {
      probe: "version",
      expect: "v2",
      command: "install v2",
      undo: "install v1",
      irreversible: false,
      reboot: true,
      timeoutMs: 5 * MINUTE_MS,
      expectedMs: MINUTE_MS,
    },
    limits: { hostsAtOnce: 2, hostsPerZone: 1, canaryHosts: 1, soakMs: MINUTE_MS, drainMs: 30_000 },
    confidence: 0.95,
    failback: "if-better",
    whenClosed: "arm",
    whenBlocked: "show",
    startedBy: "up",
    attempt: 1,
    seed: 1,
    ...overrides,
  };
}

/** Policy of the sample workloads. */
export function samplePolicies(): readonly WorkloadPolicy[] {
  return sampleWorkloads(6).map((workload) => ({
    name: workload.name,
    criticality: workload.criticality,
    copies: workload.copies,
    exclusive: workload.exclusive,
    maxPauseMs: workload.maxPauseMs,
    maxUnavailable: workload.maxUnavailable,
    request: workload.request,
    hooks: workload.hooks,
  }));
}

/** The sample workloads as discovery joins them with their policy. */
export function sampleWorkloads(hosts = 6): readonly Workload[] {
  const common = { island: "shop", exclusive: false, maxPauseMs: 2000, hooks: {} } as const;
  const request = { cpuMillis: 200, memoryBytes: 256 * MIB };
  return [
    { ...common, name: "front", criticality: "critical", copies: hosts, maxUnavailable: 1, request, service: "front" },
    { ...common, name: "pricing", criticality: "normal", copies: 1, maxUnavailable: 0, request, service: "pricing" },
    {
      ...common,
      name: "ledger",
      criticality: "critical",
      copies: 1,
      exclusive: true,
      maxUnavailable: 0,
      request,
      service: "ledger",
    },
    { ...common, name: "reports", criticality: "sheddable", copies: Math.min(4, hosts), maxUnavailable: 2, request },
  ];
}

/** What a sample forecast spans. */
export interface SampleForecastOptions {
  /** @default SAMPLE_OPENING_MS */
  readonly startMs?: number;
  /** @default 5 minutes */
  readonly stepMs?: number;
  /** @default 36: three hours of five minutes */
  readonly steps?: number;
  /** Joint paths. @default 40 */
  readonly paths?: number;
  /** Deviation of each path from the sample demand, as a share. @default 0.03 */
  readonly spread?: number;
  /** Factor on all demand. @default 1 */
  readonly scale?: number;
  readonly seed?: number;
}

/** Constant demand with a common deviation per path, so that all workloads rise together. */
export function sampleForecast(options: SampleForecastOptions = {}): Forecast {
  const { startMs = SAMPLE_OPENING_MS, stepMs = 5 * MINUTE_MS, steps = 36, paths = 40 } = options;
  const { spread = 0.03, scale = 1, seed = 1 } = options;
  const random = createRandom(seed);
  const workloads = Object.keys(SAMPLE_DEMAND);
  const cpuMillis = Array.from({ length: paths }, () => {
    const factor = Math.max(0, scale * (1 + spread * random.normal()));
    return workloads.flatMap((name) => Array.from({ length: steps }, () => (SAMPLE_DEMAND[name] ?? 0) * factor));
  });
  const memoryBytes = workloads.map(() => 256 * MIB);
  const demand: JointDemand = { startMs, stepMs, steps, workloads, cpuMillis, memoryBytes };
  return { demand, bands: workloads.map((_, index) => bandOf(demand, index)), missing: [] };
}

function bandOf(demand: JointDemand, workload: number): QuantileForecast {
  const levels = [0.05, 0.5, 0.95];
  const rows = levels.map((level) =>
    Array.from({ length: demand.steps }, (_, step) => {
      const values = demand.cpuMillis.map((path) => path[workload * demand.steps + step] ?? 0).sort((a, b) => a - b);
      return values[Math.min(values.length - 1, Math.floor(level * values.length))] ?? 0;
    }),
  );
  const { startMs, stepMs } = demand;
  return {
    id: `workload/${demand.workloads[workload] ?? ""}`,
    startMs,
    stepMs,
    levels,
    rows,
    model: "sample",
    notes: [],
  };
}

function sampleIsland(): IslandSpec {
  return {
    name: "shop",
    source: { kind: "memory", fleet: "sample" },
    guarantee: { cpu: 0.9, memory: 0.9 },
    workloads: samplePolicies(),
    metrics: { kind: "agent" },
    validate: [{ kind: "command", command: "true", timeoutMs: 10_000 }],
  };
}

function sampleHost(prefix: string, index: number, zones: number, role: "member" | "standby"): MemoryHostSpec {
  return {
    id: `${prefix}-${String(index + 1).padStart(2, "0")}`,
    zone: `zone-${String.fromCharCode("a".charCodeAt(0) + (index % zones))}`,
    capacity: { cpuMillis: 4000, memoryBytes: 8 * GIB },
    role,
  };
}

function sampleWorkload(
  name: string,
  hosts: readonly string[],
  overrides: Partial<MemoryWorkloadSpec>,
): MemoryWorkloadSpec {
  return {
    name,
    hosts,
    request: { cpuMillis: 200, memoryBytes: 256 * MIB },
    demandCpuMillis: () => SAMPLE_DEMAND[name] ?? 0,
    ...overrides,
  };
}
