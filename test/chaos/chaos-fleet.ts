/**
 * A small fleet of real processes under live traffic for tests that kill some of them: three hosts and a standby, the
 * quickstart's workloads, and an update that counts how often it was carried out on each host.
 *
 * Not for: killing (chaos-run.ts).
 *
 * Invariant: whatever was started is ended by `close`.
 */
import { glob, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { startLoad, type RunningLoad } from "../../bench/load";
import type { Platform } from "../../providers/drivers/contracts";
import type { Inventory, InventoryHost } from "../../providers/drivers/inventory";
import { openAgentPlatform } from "../../providers/drivers/agent-platform";
import { createLocalFleet, deleteLocalFleet } from "../../providers/drivers/local-fleet";
import { fleetLayout } from "../../providers/drivers/local-fleet/layout";
import { openRunStore } from "../../providers/journal/open-store";
import type { RunStore } from "../../providers/journal/run-store";
import { generateHistory, renderRecordedCsv } from "../../providers/observe/history-generator";
import { NetworkProxy, type NetworkState } from "./network-proxy";
import { SmallDisk } from "./small-disk";
import type { HostUpdateSpec, LocalHostSpec, LocalWorkloadSpec, WorkloadPolicy } from "../../sdk/model";

/** Root of the package: the quickstart's workload programs lie in it uncompiled. */
const ROOT = dirname(require.resolve("pulumi-archipelago/package.json"));
const MEBIBYTE = 2 ** 20;
/** Two copies fill the share of a host, so that a host that is away needs the reserve. */
const COPY_MEMORY = 110 * MEBIBYTE;
const HOST_MEMORY = 300 * MEBIBYTE;
const REQUESTS_PER_SECOND = 30;
/** The command takes about a second: long enough to be killed in, and its end is seen by a restarted agent. */
const COMMAND_SECONDS = "0.8";

export const MEMBERS: readonly string[] = ["host-01", "host-02", "host-03"];
export const STANDBY = "standby-01";
/** Less than a lease lives: a hand-over that was taken back is over, and seen to be, before the next runner begins one. */
const MAX_PAUSE_MS = 2_500;
/** Where each call takes 80 ms and more, a hand-over takes a second on a machine with nothing else to do. */
const MAX_PAUSE_SLOW_MS = 8_000;

const POLICIES: readonly WorkloadPolicy[] = [
  { name: "front", criticality: "critical", copies: 3, exclusive: false, maxPauseMs: 0, maxUnavailable: 1, hooks: {} },
  {
    name: "pricing",
    criticality: "critical",
    copies: 1,
    exclusive: false,
    maxPauseMs: 0,
    maxUnavailable: 0,
    hooks: {},
  },
  { name: "ledger", criticality: "critical", exclusive: true, maxPauseMs: MAX_PAUSE_MS, hooks: {} },
  {
    name: "reports",
    criticality: "sheddable",
    copies: 1,
    exclusive: false,
    maxPauseMs: 0,
    maxUnavailable: 1,
    hooks: {},
  },
];

/** A fleet under load. */
export interface ChaosFleet {
  readonly folder: string;
  /** Folder of the fleet itself, for starting an agent again. */
  readonly directory: string;
  readonly platform: Platform;
  readonly store: RunStore;
  readonly storeFolder: string;
  readonly load: RunningLoad;
  readonly ledger: string;
  /** What a hand-over of the ledger may pause it. */
  readonly maxPauseMs: number;
  /** What lies between runners and each agent. */
  readonly proxies: ReadonlyMap<string, NetworkProxy>;
  /** How the network is when nothing special happens. */
  readonly network: NetworkState;
  /** The disk of the run store, where it is a small one. */
  readonly smallDisk?: SmallDisk;
  /** The spec of an update to a version, with a run family of its own. */
  specFor(version: string): HostUpdateSpec;
  /** How often the command of an update was carried out on each member. */
  executions(version: string): Promise<Readonly<Record<string, number>>>;
  close(): Promise<void>;
}

/** What is not as usual in a fleet. */
export interface ChaosFleetOptions {
  /** @default good */
  readonly network?: NetworkState;
  /** The run store is on a tmpfs of its own with little room; needs root. @default false */
  readonly hasSmallDisk?: boolean;
}

/** Starts the fleet and puts traffic on it. */
export async function startChaosFleet({
  network = { kind: "good" },
  hasSmallDisk = false,
}: ChaosFleetOptions = {}): Promise<ChaosFleet> {
  const folder = await mkdtemp(join(tmpdir(), "archipelago-chaos-"));
  const directory = join(folder, "fleet");
  const maxPauseMs = network.kind === "slow" ? MAX_PAUSE_SLOW_MS : MAX_PAUSE_MS;
  const closing: (() => Promise<unknown>)[] = [
    async () => {
      await deleteLocalFleet(directory);
      await rm(folder, { recursive: true, force: true, maxRetries: 5 });
    },
  ];
  const close = async (): Promise<void> => {
    for (const end of closing.splice(0).reverse()) await end();
  };
  try {
    const hostImage = join(folder, "image");
    await mkdir(hostImage, { recursive: true });
    await writeFile(join(hostImage, "VERSION"), "1.0.0\n");
    const history = join(folder, "history.csv");
    await writeFile(history, renderHistory());
    const record = await createLocalFleet({
      name: "chaos",
      directory,
      hostImage,
      hosts: [
        ...MEMBERS.map((id, index) => hostSpec(id, `zone-${String(index)}`, "member")),
        hostSpec(STANDBY, "zone-0", "standby"),
      ],
      workloads: POLICIES.map(workloadSpec),
    });
    const platform = await openAgentPlatform(record.inventory);
    closing.push(() => platform.close());
    const storeFolder = join(folder, "store");
    const smallDisk = hasSmallDisk ? await SmallDisk.mount(storeFolder) : undefined;
    if (smallDisk) closing.push(() => smallDisk.unmount());
    const { inventory, proxies } = await putProxies(record.inventory, network);
    closing.push(() => Promise.all([...proxies.values()].map((proxy) => proxy.close())));
    const { front = "", ledger = "" } = record.endpoints;
    const load = await startLoad(
      { services: { front, ledger }, ratePerSecond: REQUESTS_PER_SECOND, ledgerShare: 0.3, maxSeconds: 900 },
      () => undefined,
    );
    closing.push(async () => {
      load.kill();
    });
    return {
      folder,
      directory,
      platform,
      store: await openRunStore(`file:${storeFolder}`),
      storeFolder,
      load,
      ledger,
      proxies,
      network,
      ...(smallDisk ? { smallDisk } : {}),
      maxPauseMs,
      specFor: (version) => updateSpec(version, { inventory, history, store: `file:${storeFolder}`, maxPauseMs }),
      executions: (version) => countExecutions(directory, version),
      close,
    };
  } catch (error) {
    const logs = await readLogs(directory);
    await close();
    throw new Error(`the fleet did not start; its workloads said:\n${logs}`, { cause: error });
  }
}

/** Puts a proxy between whoever uses the inventory that comes out and each agent. */
async function putProxies(
  inventory: string,
  network: NetworkState,
): Promise<{ readonly inventory: string; readonly proxies: ReadonlyMap<string, NetworkProxy> }> {
  const document = JSON.parse(await readFile(inventory, "utf8")) as Inventory;
  const proxies = new Map<string, NetworkProxy>();
  const hosts: InventoryHost[] = [];
  for (const host of document.hosts) {
    const { hostname, port } = new URL(host.url);
    const proxy = await NetworkProxy.start({ host: hostname, port: Number(port) });
    proxy.become(network);
    proxies.set(host.id, proxy);
    hosts.push({ ...host, url: `https://${hostname}:${String(proxy.port)}` });
  }
  const proxied = join(dirname(inventory), "inventory-proxied.json");
  await writeFile(proxied, JSON.stringify({ ...document, hosts }));
  return { inventory: proxied, proxies };
}

/** What the copies of workloads printed; the folder goes with the fleet. */
async function readLogs(directory: string): Promise<string> {
  const logs: string[] = [];
  for await (const file of glob(join(directory, "hosts", "*", "state", "logs", "*.log"))) {
    logs.push(`${basename(file)}: ${await readFile(file, "utf8")}`);
  }
  return logs.join("\n");
}

function hostSpec(id: string, zone: string, role: LocalHostSpec["role"]): LocalHostSpec {
  return { id, zone, role, cpuMillis: 1000, memoryBytes: HOST_MEMORY };
}

function workloadSpec({ name, copies, exclusive }: WorkloadPolicy): LocalWorkloadSpec {
  return {
    name,
    copies: copies ?? 1,
    exclusive,
    process: {
      command: [process.execPath, join(ROOT, "examples", "quickstart", "workloads", `${name}.mjs`)],
      port: 0,
      health: { path: "/health", intervalMs: 500, timeoutMs: 2_000 },
      environment: {},
    },
    request: { cpuMillis: 50, memoryBytes: COPY_MEMORY },
    ...(name === "reports" ? {} : { service: name }),
  };
}

function renderHistory(): string {
  const workloads = POLICIES.map(({ name }) => ({ name, peakCpuMillis: 80, memoryBytes: 60 * MEBIBYTE }));
  return renderRecordedCsv(generateHistory({ workloads, endMs: Date.now(), seed: 1 }), "generated for a test");
}

interface UpdatePlace {
  readonly inventory: string;
  readonly history: string;
  readonly store: string;
  readonly maxPauseMs: number;
}

function updateSpec(version: string, { inventory, history, store, maxPauseMs }: UpdatePlace): HostUpdateSpec {
  return {
    v: 1,
    name: `to-${version}`,
    islands: [
      {
        name: "shop",
        source: { kind: "agents", inventory },
        guarantee: { cpu: 0.9, memory: 0.9 },
        workloads: POLICIES.map((policy) => (policy.exclusive ? { ...policy, maxPauseMs } : policy)),
        metrics: { kind: "recorded", file: history },
        validate: [{ kind: "command", command: "test -s VERSION", timeoutMs: 10_000 }],
      },
    ],
    windows: [{ name: "any-time", cron: "*/10 * * * *", durationMs: 3_600_000, timezone: "UTC", freezes: [] }],
    pool: { name: "reserve", quantile: 0.95, maximumHosts: 1 },
    update: {
      probe: "cat VERSION",
      expect: version,
      command:
        `echo begun >> executions-${version}; sleep ${COMMAND_SECONDS}; ` +
        `cp VERSION VERSION.before; echo ${version} > VERSION.new; mv VERSION.new VERSION`,
      undo: "mv VERSION.before VERSION",
      irreversible: false,
      reboot: true,
      timeoutMs: 60_000,
      expectedMs: 3_000,
    },
    limits: { hostsAtOnce: 1, hostsPerZone: 1, canaryHosts: 1, soakMs: 1_000, drainMs: 10_000 },
    confidence: 0.95,
    failback: "if-better",
    whenClosed: "arm",
    whenBlocked: "show",
    startedBy: "up",
    attempt: 1,
    store,
    seed: 1,
  };
}

async function countExecutions(directory: string, version: string): Promise<Readonly<Record<string, number>>> {
  const layout = fleetLayout(directory);
  const counts = await Promise.all(
    MEMBERS.map(async (host) => {
      const text = await readFile(join(layout.host(host).root, `executions-${version}`), "utf8").catch(() => "");
      return [host, text.split("\n").filter((line) => line !== "").length] as const;
    }),
  );
  return Object.fromEntries(counts);
}
