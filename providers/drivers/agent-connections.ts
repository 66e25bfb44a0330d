/**
 * Connections to the agents of an inventory, one client per host, made when first used.
 *
 * Not for: what is called (hosts/agent.ts, workloads/agent.ts).
 */
import { DriverError, isKind, type Json } from "../../sdk/model";
import type { Clock } from "../clock";
import type { CallContext } from "./contracts";
import { createControlClient, type CallLimits, type ControlClient } from "./control-client";
import type { Inventory, InventoryHost } from "./inventory";

/** A host that just kept a listing waiting would do the same to the next call: a plan asks for several in a row. */
const SILENCE_MS = 3_000;

export interface AgentConnections {
  readonly hosts: readonly InventoryHost[];
  /** @throws DriverError not-found for a host that the inventory does not name */
  hostOf(id: string): InventoryHost;
  /** The answer is trusted to have the shape of the agent's route: both sides are built from the same source. */
  read<T>(
    host: string,
    name: string,
    args: Readonly<Record<string, string | number>>,
    signal: AbortSignal,
    limits?: CallLimits,
  ): Promise<T>;
  /** False for a moment after a call that got no answer in time: what is only nice to know is not asked then. */
  isWorthAsking(host: string): boolean;
  mutate<T>(host: string, name: string, args: unknown, context: CallContext, limits?: CallLimits): Promise<T>;
  close(): void;
}

/** Makes the connections of an inventory. */
export function createAgentConnections(inventory: Inventory, clock: Clock): AgentConnections {
  const hosts = new Map(inventory.hosts.map((host) => [host.id, host]));
  const clients = new Map<string, ControlClient>();
  /** When a host last kept a caller waiting for nothing, by the monotonic clock. */
  const silentAt = new Map<string, number>();

  function hostOf(id: string): InventoryHost {
    const host = hosts.get(id);
    if (host) return host;
    throw new DriverError("not-found", id, `is not a host of fleet ${inventory.name}`, {
      remedy: `known hosts: ${[...hosts.keys()].join(", ")}`,
    });
  }

  function clientOf(id: string): ControlClient {
    const { url } = hostOf(id);
    const client =
      clients.get(id) ?? createControlClient({ url, tls: inventory.tls, subject: id, serverName: id, clock });
    clients.set(id, client);
    return client;
  }

  return {
    hosts: inventory.hosts,
    hostOf,
    read: async <T>(
      host: string,
      name: string,
      args: Readonly<Record<string, string | number>>,
      signal: AbortSignal,
      limits?: CallLimits,
    ) => {
      try {
        const answer = await clientOf(host).read(name, args, signal, limits);
        silentAt.delete(host);
        return answer as T;
      } catch (error) {
        const isSilent = isKind(error, "DriverError") && (error as DriverError).code === "timeout";
        if (isSilent) silentAt.set(host, clock.monotonic());
        throw error;
      }
    },
    isWorthAsking: (host) => clock.monotonic() - (silentAt.get(host) ?? Number.NEGATIVE_INFINITY) > SILENCE_MS,
    mutate: async <T>(host: string, name: string, args: unknown, context: CallContext, limits?: CallLimits) =>
      (await clientOf(host).mutate(name, args as Json, context, limits)) as T,
    close: () => {
      for (const client of clients.values()) client.close();
    },
  };
}
