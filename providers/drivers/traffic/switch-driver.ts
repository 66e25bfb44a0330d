/**
 * The traffic driver of fleets with an embedded switch: calls its control API over mutual TLS.
 *
 * Not for: the switch itself (switch/).
 */
import type { Json, Service, ServiceCalls } from "../../../sdk/model";
import type { TlsFiles } from "../certificates";
import type { CallContext, ServiceTraffic, TrafficDriver, TrafficRecorder } from "../contracts";
import { createControlClient } from "../control-client";
import type { SwitchCalls } from "./switch/control";
import type { OwnerAnswer, PauseResult } from "./switch/service-record";

/** Where a switch is and how to trust it. */
export interface SwitchDriverOptions {
  /** URL of its control API. */
  readonly url: string;
  readonly tls: TlsFiles;
}

/** What the embedded switch can be asked beyond the contract. */
export interface SwitchTrafficDriver extends TrafficDriver, Required<TrafficRecorder> {
  /** Who owns an exclusive service, and how its latest hand-over stands. @throws DriverError not-found */
  owner(service: string, signal: AbortSignal): Promise<OwnerAnswer>;
  /** Mean requests per second over ten seconds, by service and replica. */
  rates(signal: AbortSignal): Promise<Readonly<Record<string, Readonly<Record<string, number>>>>>;
  /** Port of each service on 127.0.0.1. */
  ports(signal: AbortSignal): Promise<Readonly<Record<string, number>>>;
  /** Ends idle connections. */
  close(): void;
}

/** Six hours of buckets are some megabytes. */
const TRAFFIC_TIMEOUT_MS = 20_000;

/** Makes the driver. The fence is enforced: the switch itself refuses earlier epochs. */
export function createSwitchTrafficDriver(options: SwitchDriverOptions): SwitchTrafficDriver {
  const client = createControlClient({ ...options, subject: "switch", serverName: "switch" });
  // The switch's answers are its own types as JSON; both sides are built from the same source.
  const read = async <T>(name: string, args: Readonly<Record<string, string | number>>, signal: AbortSignal) =>
    (await client.read(name, args, signal)) as unknown as T;
  const call = async <K extends keyof SwitchCalls>(name: K, args: SwitchCalls[K], context: CallContext) =>
    await client.mutate(name, args as unknown as Json, context);

  return {
    fence: "enforced",
    observe: (signal) => read<readonly Service[]>("services", {}, signal),
    setBackend: async (service, { replica, address, weight, health, closeUpgradesAt }, context) => {
      const closing = closeUpgradesAt === undefined ? {} : { closeUpgradesAt };
      await call("set-backend", { service, backend: { replica, address, weight, health, ...closing } }, context);
    },
    removeBackend: async (service, replica, context) => {
      await call("remove-backend", { service, replica }, context);
    },
    refuse: async (service, paths, context) => {
      await call("refuse", { service, paths }, context);
    },
    park: async (service, { token, deadline }, context) => {
      await call("park", { service, token, deadline }, context);
    },
    cutOver: async (service, token, { replica, address, health }, context) => {
      await call("cut-over", { service, token, to: { replica, address, health } }, context);
    },
    unpark: async (service, token, context) => {
      const result = await call("unpark", { service, token }, context);
      const { pauseMs, parkedRequests } = result as unknown as PauseResult;
      return { pauseMs, parkedRequests };
    },
    trafficSince: async (sinceMs, signal) =>
      (await client.read("traffic", { since: sinceMs }, signal, {
        timeoutMs: TRAFFIC_TIMEOUT_MS,
      })) as unknown as readonly ServiceTraffic[],
    callsSince: async (sinceMs, signal) =>
      (await client.read("calls", { since: sinceMs }, signal, {
        timeoutMs: TRAFFIC_TIMEOUT_MS,
      })) as unknown as readonly ServiceCalls[],
    owner: (service, signal) => read<OwnerAnswer>("owner", { service }, signal),
    rates: (signal) => read("rates", {}, signal),
    ports: (signal) => read("ports", {}, signal),
    close: () => {
      client.close();
    },
  };
}
