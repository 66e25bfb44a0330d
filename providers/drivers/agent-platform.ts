/**
 * The platform of agents: hosts that run archipelago-agent, with the embedded switch; local fleets and Linux hosts.
 *
 * Not for: making a fleet (local-fleet/).
 */
import { DriverError } from "../../sdk/model";
import { systemClock, type Clock } from "../clock";
import { createAgentConnections } from "./agent-connections";
import { createLocalCapacityDriver } from "./capacity/local";
import type { CapacityDriver, Platform, TrafficDriver } from "./contracts";
import { createAgentHostDriver, type StoppedHosts } from "./hosts/agent";
import { loadInventory, type Inventory } from "./inventory";
import { withLocalReplacement } from "./local-fleet/replacement";
import { createSwitchTrafficDriver } from "./traffic/switch-driver";
import { createAgentScheduleReader, createAgentUsageSampler, createAgentWorkloadDriver } from "./workloads/agent";

/**
 * Opens the platform of an inventory. It connects when it is first used.
 * @throws MistakeError for mistakes in the inventory
 */
export async function openAgentPlatform(
  inventoryPath: string,
  options: { readonly clock?: Clock } = {},
): Promise<Platform> {
  const { clock = systemClock } = options;
  const inventory = await loadInventory(inventoryPath);
  const agents = createAgentConnections(inventory, clock);
  const capacity = inventory.local
    ? createLocalCapacityDriver(inventory.local.directory, agents, clock)
    : createNoCapacity(inventory);
  const { switch: address } = inventory;
  const hosts = createAgentHostDriver(agents, capacity);
  const traffic = address ? createSwitchTrafficDriver({ url: address.url, tls: inventory.tls }) : undefined;
  return {
    name: inventory.name,
    hosts: inventory.local ? withLocalReplacement(hosts, inventory.local.directory, agents, clock) : hosts,
    workloads: createAgentWorkloadDriver(agents),
    traffic: traffic ?? createNoTraffic(inventory),
    capacity,
    ...(traffic ? { recorder: traffic } : {}),
    sampler: createAgentUsageSampler(agents, clock),
    schedules: createAgentScheduleReader(agents),
    ...(inventory.network ? { network: inventory.network } : {}),
    ...(inventory.store === undefined ? {} : { defaultStore: inventory.store }),
    singleMachine: inventory.local !== undefined,
    close: () => {
      agents.close();
      traffic?.close();
      return Promise.resolve();
    },
  };
}

/** Machines that exist cannot be started from here; a plan without a reserve works. */
function createNoCapacity(inventory: Inventory): CapacityDriver & StoppedHosts {
  const refuse = (hosts: readonly string[]): Promise<void> => {
    if (hosts.length === 0) return Promise.resolve();
    const remedy = "list spare hosts as members, or use a platform that can start hosts";
    return Promise.reject(
      new DriverError("unsupported", inventory.name, `cannot start or stop ${hosts.join(", ")}`, { remedy }),
    );
  };
  return { fence: "none", reserve: refuse, release: refuse, isStopped: () => Promise.resolve(false) };
}

/** A fleet of jobs has no switch: there are no services, and nothing can be asked of one. */
function createNoTraffic(inventory: Inventory): TrafficDriver {
  const refuse = (): Promise<never> =>
    Promise.reject(
      new DriverError("unsupported", inventory.name, "has no traffic switch", {
        remedy: "name one as switch.url in the inventory",
      }),
    );
  return {
    fence: "none",
    observe: () => Promise.resolve([]),
    setBackend: refuse,
    removeBackend: refuse,
    park: refuse,
    cutOver: refuse,
    unpark: refuse,
  };
}
