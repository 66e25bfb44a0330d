/**
 * Seeded fleets for the benchmark: hosts of three sizes in zones and racks, four islands of which one spans all hosts,
 * families of workloads with replicas, exclusive and sheddable ones among them, a network, and limits.
 *
 * Not for: demand (demand-process.ts).
 */
import type { Fleet, Forecast, Host, HostUpdateSpec, Island, LimitsSpec, Replica, Workload } from "../../sdk/model";
import { createRandom } from "../../providers/testing";
import type { Random } from "../../providers/testing";
import type { PlanInput } from "../../providers/plan/plan";
import { DemandProcess, type DemandSource, type DemandSpan } from "./demand-process";
import { generateServices } from "./generate-services";

/** How large a fleet is. */
export interface FleetSize {
  readonly hosts: number;
  readonly workloads: number;
}

/** A generated fleet with what is known of its demand. */
export interface GeneratedFleet {
  readonly input: PlanInput;
  readonly process: DemandProcess;
  /** By workload. */
  readonly sources: readonly DemandSource[];
}

/** Tuesday, 10 March 2026, 20:00 UTC: the window opens, for ten hours. */
export const OPENING_MS = Date.UTC(2026, 2, 10, 20);
const HOUR_MS = 3_600_000;
const WINDOW_MS = 10 * HOUR_MS;
const STEP_MS = 30 * 60_000;
const PATHS = 100;
const GIB = 2 ** 30;
const GBIT = 125_000_000;

const ZONES = ["a", "b", "c"] as const;
const HOSTS_PER_RACK = 20;
const HOST_CORES = [16, 32, 64] as const;
const REGIONS = [
  { name: "shop-apac", offsetHours: 8, nightly: false, share: 0.7 },
  { name: "shop-eu", offsetHours: 1, nightly: false, share: 0.7 },
  { name: "shop-us", offsetHours: -5, nightly: false, share: 0.7 },
] as const;
const BATCH = { name: "batch", offsetHours: 1, nightly: true, share: 0.25 } as const;
/** Of all workloads: those of the island that spans all hosts. */
const BATCH_SHARE = 0.15;
const FAMILY_SIZE = 20;
/** Largest workload relative to the median. */
const LARGEST = 3;
/** Expected CPU at the daily peak, as a share of what an island may use; less where copies are large beside the share. */
const PEAK_USE = 0.62;
const BATCH_PEAK_USE = 0.5;
/** Number of copies by share of workloads. */
const COPIES: readonly (readonly [number, number])[] = [
  [0.6, 1],
  [0.82, 2],
  [0.94, 3],
  [1, 5],
];
const EXCLUSIVE_SHARE = 0.03;
const SHEDDABLE_SHARE = 0.05;

/** Generates a fleet; the same size and seed give the same fleet. */
export function generateFleet(size: FleetSize, seed: number): GeneratedFleet {
  const random = createRandom(seed).fork(`${String(size.hosts)}x${String(size.workloads)}`);
  const hosts = generateHosts(size.hosts, random);
  const islands = generateIslands(hosts);
  const { workloads, sources } = generateWorkloads(size, hosts, islands, random);
  const replicas = place(hosts, islands, workloads, sources, random);
  const fleet: Fleet = {
    observedAt: OPENING_MS,
    islands,
    hosts,
    workloads,
    replicas,
    services: generateServices({ workloads, replicas }),
    network: { rackBytesPerSecond: 80 * GBIT },
  };
  const span: DemandSpan = { startMs: OPENING_MS, stepMs: STEP_MS, steps: WINDOW_MS / STEP_MS };
  const process = new DemandProcess(sources, span);
  return {
    process,
    sources,
    input: {
      fleet,
      forecast: generateForecast(process, span, workloads, seed),
      spec: generateSpec(islands, generateLimits(size.hosts), seed),
      slotMs: OPENING_MS,
      nowMs: OPENING_MS,
      durations: {},
    },
  };
}

function generateHosts(count: number, random: Random): Host[] {
  const racksPerZone = Math.max(2, Math.ceil(count / ZONES.length / HOSTS_PER_RACK));
  const perRack = Math.ceil(count / ZONES.length / racksPerZone);
  const width = String(count).length;
  return Array.from({ length: count }, (_, index): Host => {
    const zone = ZONES[index % ZONES.length] ?? "a";
    const rack = `${zone}${String(Math.floor(Math.floor(index / ZONES.length) / perRack) + 1).padStart(3, "0")}`;
    // One rack holds machines of one size.
    const cores = HOST_CORES[hashOf(rack) % HOST_CORES.length] ?? 32;
    const id = `host-${String(index + 1).padStart(width, "0")}`;
    return {
      id,
      zone,
      rack,
      capacity: { cpuMillis: cores * 1000, memoryBytes: cores * 4 * GIB },
      role: "member",
      state: "ready",
      bootId: `${id}-${String(random.integer(1, 9))}`,
      linkBytesPerSecond: 25 * GBIT,
      probe: { output: "6.12.57", matches: false },
    };
  });
}

function hashOf(text: string): number {
  let hash = 17;
  for (const character of text) hash = (hash * 31 + character.charCodeAt(0)) >>> 0;
  return hash >>> 3;
}

/** Regions take turns over hosts, so that each has some in every rack; the batch island has a share of all. */
function generateIslands(hosts: readonly Host[]): Island[] {
  return [
    ...REGIONS.map(({ name, share }, region) => ({
      name,
      hosts: hosts
        .filter((_, index) => Math.floor(index / ZONES.length) % REGIONS.length === region)
        .map(({ id }) => id),
      share: { cpu: share, memory: share },
    })),
    { name: BATCH.name, hosts: hosts.map(({ id }) => id), share: { cpu: BATCH.share, memory: BATCH.share } },
  ];
}

function generateWorkloads(
  size: FleetSize,
  hosts: readonly Host[],
  islands: readonly Island[],
  random: Random,
): { readonly workloads: Workload[]; readonly sources: DemandSource[] } {
  const batch = Math.round(size.workloads * BATCH_SHARE);
  const capacityOf = new Map(hosts.map(({ id, capacity }) => [id, capacity.cpuMillis]));
  const workloads: Workload[] = [];
  const sources: DemandSource[] = [];
  [...REGIONS, BATCH].forEach((region, islandIndex) => {
    const island = islands[islandIndex] as Island;
    const count = region === BATCH ? batch : share(size.workloads - batch, REGIONS.length, islandIndex);
    const capacity = island.hosts.reduce((sum, id) => sum + (capacityOf.get(id) ?? 0), 0) * island.share.cpu;
    const sizes = Array.from({ length: count }, () => Math.min(LARGEST, Math.exp(0.6 * random.normal())));
    const copies = sizes.map(() => COPIES.find(([limit]) => random.next() < limit)?.[1] ?? 1);
    const total = sizes.reduce((sum, value, index) => sum + value * (copies[index] ?? 1), 0);
    sizes.forEach((value, index) => {
      const isExclusive = copies[index] === 1 && random.next() < EXCLUSIVE_SHARE / 0.6;
      const copyCount = isExclusive ? 1 : (copies[index] ?? 1);
      const meanCpuMillis =
        (capacity * (region === BATCH ? BATCH_PEAK_USE : PEAK_USE) * value * (copies[index] ?? 1)) / total;
      const name = `${region.name}-${String(workloads.length + 1).padStart(5, "0")}`;
      const family = Math.floor(workloads.length / FAMILY_SIZE);
      const perCopy = meanCpuMillis / copyCount;
      workloads.push({
        name,
        island: island.name,
        criticality: random.next() < SHEDDABLE_SHARE ? "sheddable" : random.next() < 0.2 ? "critical" : "normal",
        copies: copyCount,
        exclusive: isExclusive,
        maxPauseMs: 2000,
        maxUnavailable: copyCount >= 3 ? Math.floor(copyCount / 3) : 0,
        request: {
          cpuMillis: Math.round(perCopy),
          memoryBytes: Math.round(perCopy * 2.2 * (0.5 + random.next()) * (GIB / 1000)),
        },
        transferBytes: Math.round((random.next() < 0.6 ? 0.3 : 4) * GIB * Math.exp(0.5 * random.normal())),
        service: name,
        hooks: {},
      });
      sources.push({ meanCpuMillis, family, offsetHours: region.offsetHours, nightly: region.nightly });
    });
  });
  return { workloads, sources };
}

function share(total: number, parts: number, index: number): number {
  return Math.floor((total * (index + 1)) / parts) - Math.floor((total * index) / parts);
}

/** Copies go to the emptiest of a few hosts of the island drawn by chance, no two of a workload to the same one. */
function place(
  hosts: readonly Host[],
  islands: readonly Island[],
  workloads: readonly Workload[],
  sources: readonly DemandSource[],
  random: Random,
): Replica[] {
  const byId = new Map(hosts.map((host) => [host.id, host]));
  const cpu = new Map<string, number>();
  const memory = new Map<string, number>();
  const replicas: Replica[] = [];
  const islandOf = new Map(islands.map((island) => [island.name, island]));
  const order = workloads
    .map((_, index) => index)
    .sort((a, b) => (sources[b]?.meanCpuMillis ?? 0) - (sources[a]?.meanCpuMillis ?? 0));
  for (const index of order) {
    const workload = workloads[index] as Workload;
    const island = islandOf.get(workload.island) as Island;
    const need = (sources[index]?.meanCpuMillis ?? 0) / workload.copies;
    const taken = new Set<string>();
    const zones = new Set<string>();
    for (let copy = 0; copy < workload.copies; copy++) {
      let best: { readonly id: string; readonly use: number } | undefined;
      for (let tries = 0; tries < 40; tries++) {
        const id = island.hosts[random.integer(0, island.hosts.length - 1)] as string;
        const host = byId.get(id) as Host;
        if (taken.has(id)) continue;
        const key = `${island.name} ${id}`;
        const cpuUse = ((cpu.get(key) ?? 0) + need) / (host.capacity.cpuMillis * island.share.cpu);
        const memoryUse =
          ((memory.get(key) ?? 0) + workload.request.memoryBytes) / (host.capacity.memoryBytes * island.share.memory);
        const use = Math.max(cpuUse, memoryUse) + (zones.has(host.zone) ? 0.3 : 0);
        if (!best || use < best.use) best = { id, use };
      }
      if (!best) continue;
      const key = `${island.name} ${best.id}`;
      cpu.set(key, (cpu.get(key) ?? 0) + need);
      memory.set(key, (memory.get(key) ?? 0) + workload.request.memoryBytes);
      taken.add(best.id);
      zones.add(byId.get(best.id)?.zone ?? "");
      replicas.push({
        id: `${workload.name}-${String(copy + 1)}`,
        workload: workload.name,
        host: best.id,
        state: "healthy",
        address: `${best.id}:80`,
      });
    }
  }
  return replicas;
}

function generateForecast(
  process: DemandProcess,
  span: DemandSpan,
  workloads: readonly Workload[],
  seed: number,
): Forecast {
  return {
    demand: {
      ...span,
      workloads: workloads.map(({ name }) => name),
      cpuMillis: Array.from({ length: PATHS }, (_, path) => process.draw(seed * 1_000_003 + path)),
      memoryBytes: workloads.map(({ request }) => request.memoryBytes),
    },
    bands: [],
    missing: [],
  };
}

/** A tenth of the fleet at once, half of that in a zone, a fifth of a rack. */
function generateLimits(hosts: number): LimitsSpec {
  const hostsAtOnce = Math.max(2, Math.round(hosts / 10));
  return {
    hostsAtOnce,
    hostsPerZone: Math.max(1, Math.ceil(hostsAtOnce / 2)),
    hostsPerRack: 4,
    canaryHosts: 1,
    soakMs: 60_000,
    drainMs: 30_000,
  };
}

function generateSpec(islands: readonly Island[], limits: LimitsSpec, seed: number): HostUpdateSpec {
  return {
    v: 1,
    name: "kernel",
    islands: islands.map(({ name, share }) => ({
      name,
      source: { kind: "memory", fleet: "generated" },
      guarantee: share,
      workloads: [],
      metrics: { kind: "agent" },
      validate: [],
    })),
    windows: [{ name: "nights", cron: "0 20 * * *", durationMs: WINDOW_MS, timezone: "UTC", freezes: [] }],
    update: {
      probe: "uname -r",
      expect: "6.12.58*",
      command: "install 6.12.58",
      undo: "install 6.12.57",
      irreversible: false,
      reboot: true,
      timeoutMs: 15 * 60_000,
      expectedMs: 3 * 60_000,
    },
    limits,
    timing: "quiet",
    confidence: 0.95,
    failback: "if-better",
    whenClosed: "arm",
    whenBlocked: "show",
    startedBy: "up",
    attempt: 1,
    seed,
  };
}
