/** Small fleets for the planner's tests: a line of text per host and workload, everything else by default. */
import { generateServices } from "../../bench/fleet/generate-services";
import type { PlanInput } from "../../providers/plan/plan";
import type { Fleet, Forecast, Host, HostUpdateSpec, Island, Replica, Workload } from "../../sdk/model";

/** Saturday, 7 March 2026, 02:00 UTC: the window opens. */
export const OPENING_MS = Date.UTC(2026, 2, 7, 2);

const GIB = 2 ** 30;
const MINUTE_MS = 60_000;

/** A host of a sample fleet. */
export interface SampleHost {
  readonly id: string;
  /** @default "a" */
  readonly zone?: string;
  /** @default 4000 */
  readonly cpuMillis?: number;
  /** @default 16 GiB */
  readonly memoryBytes?: number;
  /** @default "member" */
  readonly role?: Host["role"];
  /** Parts of the host to override. */
  readonly host?: Partial<Host>;
}

/** A workload of a sample fleet. */
export interface SampleWorkload {
  readonly name: string;
  /** Host of each replica. */
  readonly on: readonly string[];
  /** Demand of all replicas together, by path; the same at every step. @default [400] */
  readonly demand?: readonly number[];
  /** @default 256 MiB */
  readonly memoryBytes?: number;
  /** False for a job without traffic. @default true */
  readonly service?: boolean;
  /** Parts of the workload to override. */
  readonly workload?: Partial<Workload>;
}

/** A sample fleet with its forecast and spec. */
export interface Sample {
  readonly hosts: readonly SampleHost[];
  readonly workloads: readonly SampleWorkload[];
  /** Share of each host, of CPU and memory. @default 0.5 */
  readonly share?: number;
  /** Parts of the island to override. */
  readonly island?: Partial<Island>;
  readonly spec?: Partial<HostUpdateSpec>;
  /** @default 0 */
  readonly maximumReserveHosts?: number;
  /** Factor on all demand at a step of five minutes. @default 1 */
  readonly shape?: (step: number) => number;
}

/** The planner's input for a sample, at the opening of its window. */
export function sampleInput(sample: Sample): PlanInput {
  const fleet = sampleFleet(sample);
  return {
    fleet,
    forecast: sampleForecast(sample),
    spec: sampleSpec(sample),
    slotMs: OPENING_MS,
    nowMs: OPENING_MS,
    durations: {},
  };
}

function sampleFleet({ hosts, workloads, share = 0.5, island }: Sample): Fleet {
  const made = { workloads: workloads.map(createWorkload), replicas: workloads.flatMap(createReplicas) };
  return {
    observedAt: OPENING_MS,
    islands: [
      {
        name: "shop",
        hosts: hosts.filter((host) => host.role !== "standby").map((host) => host.id),
        share: { cpu: share, memory: share },
        ...island,
      },
    ],
    hosts: hosts.map(createHost),
    ...made,
    services: generateServices(made),
  };
}

function createHost(sample: SampleHost): Host {
  const { id, zone = "a", role = "member", cpuMillis = 4000, memoryBytes = 16 * GIB } = sample;
  return {
    id,
    zone,
    rack: zone,
    capacity: { cpuMillis, memoryBytes },
    role,
    state: role === "standby" ? "stopped" : "ready",
    bootId: `${id}-1`,
    ...(role === "standby" ? {} : { probe: { output: "v1", matches: false } }),
    ...sample.host,
  };
}

function createWorkload({ name, on, memoryBytes = GIB / 4, service = true, workload }: SampleWorkload): Workload {
  return {
    name,
    island: "shop",
    criticality: "normal",
    copies: on.length,
    exclusive: false,
    maxPauseMs: 2000,
    maxUnavailable: 0,
    request: { cpuMillis: 100, memoryBytes },
    hooks: {},
    ...(service ? { service: name } : {}),
    ...workload,
  };
}

function createReplicas({ name, on, service = true }: SampleWorkload): Replica[] {
  return on.map((host, index) => ({
    id: `${name}-${String(index + 1)}`,
    workload: name,
    host,
    state: "healthy",
    ...(service ? { address: `${host}:80` } : {}),
  }));
}

function sampleForecast({ workloads, shape = () => 1 }: Sample): Forecast {
  const steps = 36;
  const paths = Math.max(1, ...workloads.map(({ demand }) => demand?.length ?? 1));
  return {
    demand: {
      startMs: OPENING_MS,
      stepMs: 5 * MINUTE_MS,
      steps,
      workloads: workloads.map(({ name }) => name),
      cpuMillis: Array.from({ length: paths }, (_, path) =>
        workloads.flatMap(({ demand = [400] }) =>
          Array.from({ length: steps }, (_, step) => (demand[path % demand.length] ?? 0) * shape(step)),
        ),
      ),
      memoryBytes: workloads.map(({ memoryBytes = GIB / 4 }) => memoryBytes),
    },
    bands: [],
    missing: [],
  };
}

function sampleSpec({ spec, maximumReserveHosts = 0 }: Sample): HostUpdateSpec {
  return {
    v: 1,
    name: "kernel",
    islands: [
      {
        name: "shop",
        source: { kind: "memory", fleet: "sample" },
        guarantee: { cpu: 0.5, memory: 0.5 },
        workloads: [],
        metrics: { kind: "agent" },
        validate: [],
      },
    ],
    windows: [{ name: "saturdays", cron: "0 2 * * 6", durationMs: 180 * MINUTE_MS, timezone: "UTC", freezes: [] }],
    ...(maximumReserveHosts > 0
      ? { pool: { name: "reserve", quantile: 0.95, maximumHosts: maximumReserveHosts } }
      : {}),
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
    limits: { hostsAtOnce: 2, hostsPerZone: 2, canaryHosts: 1, soakMs: MINUTE_MS, drainMs: 30_000 },
    confidence: 0.95,
    failback: "if-better",
    whenClosed: "arm",
    whenBlocked: "show",
    startedBy: "up",
    attempt: 1,
    seed: 1,
    ...spec,
  };
}
