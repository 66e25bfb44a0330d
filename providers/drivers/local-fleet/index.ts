/**
 * A fleet on this machine: hosts that are agent processes, a switch, certificates, and the first copies.
 *
 * Not for: driving it (agent-platform.ts).
 *
 * Invariants
 * 1. `createLocalFleet` can be called again at any time: what is missing is made, what runs is left alone.
 * 2. `deleteLocalFleet` ends what carries the fleet's mark and nothing else, and removes only a folder that a fleet
 *    made.
 */
import { readdir, rm } from "node:fs/promises";
import { MistakeError, type LocalFleetSpec } from "../../../sdk/model";
import { removeCpuGroups } from "../../agent/cpu-groups";
import { createAgentConnections } from "../agent-connections";
import { systemClock, type Clock } from "../../clock";
import { loadInventory, type Inventory } from "../inventory";
import { createSwitchTrafficDriver } from "../traffic/switch-driver";
import { findHaproxy } from "../traffic/switch/haproxy/haproxy-process";
import { configureFleet, endpointsOf, openFleetFile } from "./configure";
import { fleetLayout, readFleetFile, writeJson, type FleetFile, type FleetLayout } from "./layout";
import { placeCopies } from "./place-copies";
import { populateFleet } from "./populate";
import { isFleetAlive, killFleet, startFleetProcess } from "./processes";

/** What others need to know of a local fleet. */
export interface LocalFleetRecord {
  /** Path of the inventory. */
  readonly inventory: string;
  readonly hosts: readonly string[];
  /** URL of each service at the switch. */
  readonly endpoints: Readonly<Record<string, string>>;
}

/** A first look at a process that is starting; it is asked again. */
const READY_LIMITS = { timeoutMs: 2_000, attempts: 1 } as const;

/**
 * Starts a fleet, or finishes one that is half made, or starts again what has died of its agents and switch.
 * @throws MistakeError for a folder that holds something else, copies that fit nowhere, an image or an HAProxy that is
 *   not there
 * @throws DriverError failed when a process or copy does not start, with the end of its log
 */
export async function createLocalFleet(
  spec: LocalFleetSpec,
  options: { readonly signal?: AbortSignal; readonly clock?: Clock } = {},
): Promise<LocalFleetRecord> {
  const { signal = new AbortController().signal, clock = systemClock } = options;
  const layout = fleetLayout(spec.directory);
  placeCopies(spec); // Throws before anything is made.
  await requireTrafficEngine(spec);
  await refuseForeignFolder(layout);
  const file = await openFleetFile(layout, spec);
  const wasAlive = isFleetAlive(layout.directory);
  const inventory = await configureFleet(layout, file);
  const members = spec.hosts.filter(({ role }) => role === "member");
  await Promise.all([
    startSwitch(layout, inventory, clock),
    ...members.map(({ id }) => startLocalHost(layout.directory, id, clock)),
  ]);
  // Runs move copies: a fleet in use is left as it is. One of which nothing was left begins anew.
  if (!file.isPopulated || !wasAlive) {
    await populateFleet(spec, inventory, signal, clock);
    await writeJson(layout.record, { ...file, isPopulated: true } satisfies FleetFile);
  }
  return renderRecord(layout, file);
}

/** The fleet in a folder; undefined when there is none, or nothing of it runs any more. */
export async function observeLocalFleet(directory: string): Promise<LocalFleetRecord | undefined> {
  const layout = fleetLayout(directory);
  const file = await readFleetFile(layout);
  return file?.isPopulated && isFleetAlive(file.directory) ? renderRecord(layout, file) : undefined;
}

/** Ends every process of the fleet and removes its folder. A folder without a fleet is left alone. */
export async function deleteLocalFleet(directory: string): Promise<void> {
  const layout = fleetLayout(directory);
  const file = await readFleetFile(layout);
  if (!file) return;
  await killFleet(file.directory);
  for (const { id } of file.spec.hosts) removeCpuGroups(layout.host(id).state);
  await rm(layout.directory, { recursive: true, force: true, maxRetries: 3 });
}

/** Starts the agent of one host of a local fleet, unless it runs, and waits until it serves. */
export async function startLocalHost(directory: string, host: string, clock: Clock = systemClock): Promise<void> {
  const layout = fleetLayout(directory);
  const agents = createAgentConnections(await loadInventory(layout.inventory), clock);
  agents.hostOf(host);
  const signal = new AbortController().signal;
  try {
    await startFleetProcess(
      layout,
      "serve",
      layout.host(host),
      () =>
        agents.read(host, "host", {}, signal, READY_LIMITS).then(
          () => true,
          () => false,
        ),
      clock,
    );
  } finally {
    agents.close();
  }
}

async function startSwitch(layout: FleetLayout, inventory: Inventory, clock: Clock): Promise<void> {
  const traffic = createSwitchTrafficDriver({ url: inventory.switch?.url ?? "", tls: inventory.tls });
  const signal = new AbortController().signal;
  try {
    await startFleetProcess(
      layout,
      "switch",
      layout.switch,
      () =>
        traffic.observe(signal).then(
          () => true,
          () => false,
        ),
      clock,
    );
  } finally {
    traffic.close();
  }
}

async function requireTrafficEngine({ traffic }: LocalFleetSpec): Promise<void> {
  if (traffic !== "haproxy" || (await findHaproxy()) !== undefined) return;
  const remedy = 'install it (Debian and Ubuntu: apt-get install haproxy), or use traffic "embedded"';
  throw MistakeError.of("traffic", traffic, "needs the program haproxy, and there is none on the path", remedy);
}

/** The folder is removed with the fleet: it must hold nothing that was there before. */
async function refuseForeignFolder(layout: FleetLayout): Promise<void> {
  const names = await readdir(layout.directory).catch((): string[] => []);
  if (names.length === 0 || (await readFleetFile(layout))) return;
  const remedy = "name an empty folder or one that does not exist; it is removed with the fleet";
  throw MistakeError.of("directory", layout.directory, "must not hold anything but a fleet", remedy);
}

function renderRecord(layout: FleetLayout, file: FleetFile): LocalFleetRecord {
  return { inventory: layout.inventory, hosts: file.spec.hosts.map(({ id }) => id), endpoints: endpointsOf(file) };
}
