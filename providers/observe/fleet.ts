/**
 * Discovery: what the drivers list joined with what was declared gives the fleet at this moment.
 *
 * Not for: load over time (history.ts) and judging what is seen (providers/plan).
 *
 * Invariants
 * 1. Only reads: no mark, no start, no mutating call.
 * 2. Nothing is left out silently: unreachable hosts stay with their reason, declared workloads that do not run stay
 *    with their declared copies, and what runs undeclared is listed too, for an update would disturb it as well.
 * 3. What is declared wins over what is discovered.
 * 4. A host that did not say which copies run on it counts as unreachable, so that no plan takes them for stopped.
 */
import type {
  DeviceRequest,
  Fleet,
  Host,
  HostUpdateSpec,
  IslandSpec,
  ProbeResult,
  Replica,
  Resources,
  Service,
  UpdateSpec,
  Workload,
  WorkloadPolicy,
} from "../../sdk/model";
import { CORES, isKind, matchesHost, messageOf } from "../../sdk/model";
import type { Clock } from "../clock";
import type { Platform, ReplicaListing } from "../drivers/contracts";

/** One platform for all islands, or one by island name. */
export type IslandPlatforms = Platform | ReadonlyMap<string, Platform>;

/** Pause granted to an exclusive workload that nobody declared: what a client's retry usually bridges. */
const UNDECLARED_MAX_PAUSE_MS = 2_000;
const NO_RESOURCES: Resources = { cpuMillis: 0, memoryBytes: 0 };

/**
 * Observes the whole fleet of an update: hosts with the result of its probe, workloads, replicas, services.
 * @param baseline the fleet at the run's start: where copies or requests were discovered, not declared, those of the
 *   baseline stay what is desired, so that a surge copy or a shed one of the run under way does not change the goal
 * @throws DriverError when a platform gives no listing at all
 */
export async function observeFleet(
  platforms: IslandPlatforms,
  spec: HostUpdateSpec,
  signal: AbortSignal,
  clock: Clock,
  baseline?: Fleet,
): Promise<Fleet> {
  const parts = await Promise.all(
    groupByPlatform(platforms, spec).map(([platform, islands]) =>
      observePlatform(platform, islands, spec.update, signal, baseline),
    ),
  );
  return {
    observedAt: clock.now(),
    islands: parts.flatMap((part) => part.islands),
    hosts: parts.flatMap((part) => part.hosts),
    workloads: parts.flatMap((part) => part.workloads),
    replicas: parts.flatMap((part) => part.replicas),
    services: parts.flatMap((part) => part.services),
    ...sharedLinks(parts),
    // Where several platforms serve, a plan counts on what all of their switches can do.
    ...(parts.length > 0 && parts.every((part) => part.refusesPaths) ? { refusesPaths: true } : {}),
    ...(parts.some((part) => part.functions)
      ? {
          functions: [...new Set(parts.flatMap((part) => part.functions ?? []))].sort(),
          endpoints: parts.flatMap((part) => part.endpoints ?? []),
        }
      : {}),
  };
}

/** Racks of several platforms: the slowest uplink bounds all of them. */
function sharedLinks(parts: readonly Pick<Fleet, "network">[]): Pick<Fleet, "network"> {
  const uplinks = parts.flatMap(({ network }) => network?.rackBytesPerSecond ?? []);
  return uplinks.length === 0 ? {} : { network: { rackBytesPerSecond: Math.min(...uplinks) } };
}

/** Islands of one platform together: they share its hosts, which are listed once. */
export function groupByPlatform(
  platforms: IslandPlatforms,
  spec: HostUpdateSpec,
): readonly (readonly [Platform, readonly IslandSpec[]])[] {
  const groups = new Map<Platform, IslandSpec[]>();
  for (const island of spec.islands) {
    const platform = platformOf(platforms, island.name);
    const group = groups.get(platform);
    if (group) group.push(island);
    else groups.set(platform, [island]);
  }
  return [...groups];
}

function platformOf(platforms: IslandPlatforms, island: string): Platform {
  if (!isPlatformMap(platforms)) return platforms;
  const platform = platforms.get(island);
  // Whoever opens the platforms does so from the same spec: a hole is a defect, not a user's mistake.
  if (platform === undefined) throw new TypeError(`no platform was opened for island ${island}`);
  return platform;
}

function isPlatformMap(platforms: IslandPlatforms): platforms is ReadonlyMap<string, Platform> {
  return "get" in platforms;
}

async function observePlatform(
  platform: Platform,
  islands: readonly IslandSpec[],
  update: UpdateSpec,
  signal: AbortSignal,
  baseline: Fleet | undefined,
): Promise<Omit<Fleet, "observedAt">> {
  const [listed, { replicas, silent }, services] = await Promise.all([
    platform.hosts.list(signal).then((all) => probeHosts(platform, all, update, signal)),
    platform.workloads.survey(signal),
    platform.traffic.observe(signal),
  ]);
  const hosts = listed.map((host) => noteSilence(host, silent));
  const discovered = new Map(groupReplicas(replicas));
  const pinned = pinnedCores(replicas.filter(({ state }) => state !== "stopped"));
  const findService = createServiceFinder(services);
  const known = new Map(baseline?.workloads.map((workload) => [workload.name, workload]));
  const workloads = await Promise.all(
    listPolicies(islands, discovered, findService).map(async ({ island, policy }) => {
      const copies = discovered.get(policy.name) ?? [];
      const earlier = known.get(policy.name);
      const request = policy.request ?? earlier?.request ?? (await describeRequest(platform, copies, signal));
      return createWorkload(island, policy, copies, findService, request, earlier, pinned.get(policy.name));
    }),
  );
  const members = hosts.filter((host) => host.role === "member");
  return {
    islands: islands.map(({ name, guarantee, within, overcommit, disruptionBudgets }) => ({
      name,
      hosts: members.filter((host) => matchesHost(within, host)).map(({ id }) => id),
      share: guarantee,
      ...(within === undefined ? {} : { within }),
      ...(overcommit === undefined ? {} : { overcommit }),
      ...(disruptionBudgets === undefined ? {} : { disruptionBudgets }),
    })),
    hosts,
    workloads,
    replicas,
    services,
    ...(platform.network ? { network: platform.network } : {}),
    ...(platform.traffic.refuse && services.every((one) => one.refusesPaths !== false) ? { refusesPaths: true } : {}),
    ...(platform.functions
      ? {
          functions: await platform.functions.offered(signal),
          endpoints: await platform.functions.list(signal),
        }
      : {}),
  };
}

/** A host that fell silent between two questions is as good as unreachable: its copies would seem to be stopped. */
function noteSilence(host: Host, silent: ReplicaListing["silent"]): Host {
  const reason = silent.find((one) => one.host === host.id)?.reason;
  if (host.state !== "ready" || reason === undefined) return host;
  return { ...host, state: "unreachable", stateReason: `which copies run on it is not known (${reason})` };
}

/** Runs the probe on all ready members at once; a host that cannot run it says so in the result. */
function probeHosts(
  platform: Platform,
  hosts: readonly Host[],
  update: UpdateSpec,
  signal: AbortSignal,
): Promise<readonly Host[]> {
  return Promise.all(
    hosts.map(async (host) => {
      if (host.role !== "member" || host.state !== "ready") return host;
      return { ...host, probe: await probeHost(platform, host.id, update, signal) };
    }),
  );
}

async function probeHost(
  platform: Platform,
  host: string,
  { probe, expect }: UpdateSpec,
  signal: AbortSignal,
): Promise<ProbeResult> {
  try {
    return await platform.hosts.probe(host, probe, expect, signal);
  } catch (error) {
    signal.throwIfAborted();
    if (!isKind(error, "DriverError")) throw error;
    const { output } = error as { readonly output?: unknown };
    return { output: typeof output === "string" ? output.trim() : "", matches: false, error: messageOf(error) };
  }
}

/** Copies that run or are meant to; a stopped one is the past. */
function groupReplicas(replicas: readonly Replica[]): ReadonlyMap<string, readonly Replica[]> {
  const groups = new Map<string, Replica[]>();
  for (const replica of replicas) {
    if (replica.state === "stopped") continue;
    const group = groups.get(replica.workload);
    if (group) group.push(replica);
    else groups.set(replica.workload, [replica]);
  }
  return groups;
}

/** Declared policies in their order, then a default one for everything else that runs. */
function listPolicies(
  islands: readonly IslandSpec[],
  discovered: ReadonlyMap<string, readonly Replica[]>,
  findService: FindService,
): readonly { readonly island: string; readonly policy: WorkloadPolicy }[] {
  const declared = islands.flatMap((island) => island.workloads.map((policy) => ({ island: island.name, policy })));
  const names = new Set(declared.map(({ policy }) => policy.name));
  const home = islands[0]?.name ?? "";
  const undeclared = [...discovered.keys()].filter((name) => !names.has(name)).sort();
  return [
    ...declared,
    ...undeclared.map((name) => ({
      island: home,
      policy: {
        name,
        criticality: "normal" as const,
        exclusive: findService(name, discovered.get(name) ?? [])?.exclusive ?? false,
        maxPauseMs: UNDECLARED_MAX_PAUSE_MS,
        hooks: {},
      },
    })),
  ];
}

function createWorkload(
  island: string,
  policy: WorkloadPolicy,
  replicas: readonly Replica[],
  findService: FindService,
  request: Resources,
  earlier: Workload | undefined,
  pinned: number | undefined,
): Workload {
  const copies = policy.exclusive ? 1 : (policy.copies ?? earlier?.copies ?? replicas.length);
  const service = findService(policy.name, replicas)?.name ?? earlier?.service;
  const devices = devicesOf(policy, pinned, earlier);
  return {
    name: policy.name,
    island,
    criticality: policy.criticality,
    copies,
    exclusive: policy.exclusive,
    maxPauseMs: policy.maxPauseMs,
    // Copies that end by themselves come and go: there is no number that must be there.
    maxUnavailable:
      policy.lifetimeMs !== undefined
        ? copies
        : policy.exclusive
          ? 0
          : (policy.maxUnavailable ?? Math.floor(copies / 2)),
    request,
    ...(devices === undefined ? {} : { devices }),
    ...(policy.within === undefined ? {} : { within: policy.within }),
    ...(policy.moves === undefined ? {} : { moves: policy.moves }),
    ...(policy.spread === undefined ? {} : { spread: policy.spread }),
    ...(policy.apartFrom === undefined ? {} : { apartFrom: policy.apartFrom }),
    ...(policy.boost === undefined ? {} : { boost: policy.boost }),
    ...(policy.lifetimeMs === undefined ? {} : { lifetimeMs: policy.lifetimeMs }),
    ...(policy.transferBytes === undefined ? {} : { transferBytes: policy.transferBytes }),
    ...(policy.process === undefined ? {} : { process: policy.process }),
    ...(service === undefined ? {} : { service }),
    hooks: policy.hooks,
    ...(policy.dependsOn === undefined ? {} : { dependsOn: policy.dependsOn }),
    ...(policy.functions === undefined ? {} : { functions: policy.functions }),
    ...(policy.burst === undefined ? {} : { burst: policy.burst }),
  };
}

/** What is declared, and the cores that its copies are pinned to: where they go there must be as many. */
function devicesOf(
  { devices }: WorkloadPolicy,
  pinned: number | undefined,
  earlier: Workload | undefined,
): DeviceRequest | undefined {
  const cores = earlier ? earlier.devices?.[CORES] : pinned;
  return cores === undefined ? devices : { [CORES]: cores, ...devices };
}

/**
 * Most cores that a copy of each workload is pinned to alone. A copy that shares its cores with another pinned one of its
 * host holds none: what is shared is no bound for who comes.
 */
function pinnedCores(replicas: readonly Replica[]): ReadonlyMap<string, number> {
  const found = new Map<string, number>();
  const holders = new Map<string, number>();
  for (const { host, cores = [] } of replicas) {
    for (const core of cores) holders.set(`${host}/${String(core)}`, (holders.get(`${host}/${String(core)}`) ?? 0) + 1);
  }
  for (const { host, workload, cores = [] } of replicas) {
    if (cores.length === 0 || cores.some((core) => holders.get(`${host}/${String(core)}`) !== 1)) continue;
    found.set(workload, Math.max(found.get(workload) ?? 0, cores.length));
  }
  return found;
}

/** Finds the service of a workload. */
type FindService = (workload: string, replicas: readonly Replica[]) => Service | undefined;

/** The first service that sends to one of the replicas; else the one of the workload's name, which may be empty yet. */
function createServiceFinder(services: readonly Service[]): FindService {
  const byReplica = new Map<string, number>();
  const byName = new Map<string, Service>();
  services.forEach((service, index) => {
    for (const { replica } of service.backends) if (!byReplica.has(replica)) byReplica.set(replica, index);
    if (!byName.has(service.name)) byName.set(service.name, service);
  });
  return (workload, replicas) => {
    const first = Math.min(...replicas.map(({ id }) => byReplica.get(id) ?? Infinity));
    return services[first] ?? byName.get(workload);
  };
}

/** What one copy holds, as its platform knows it; the first copy that answers speaks for its siblings. */
async function describeRequest(
  platform: Platform,
  replicas: readonly Replica[],
  signal: AbortSignal,
): Promise<Resources> {
  for (const replica of replicas) {
    try {
      return (await platform.workloads.describe(replica.host, replica.id, signal)).request;
    } catch (error) {
      signal.throwIfAborted();
      if (!isKind(error, "DriverError")) throw error;
    }
  }
  return NO_RESOURCES;
}
