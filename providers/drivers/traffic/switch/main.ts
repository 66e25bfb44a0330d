/**
 * The switch as a process: `archipelago-agent switch --config FILE`.
 *
 * Not for: reading the command line (providers/agent/main.ts).
 */
import { messageOf } from "../../../../sdk/model";
import { createControlServer } from "../../../agent/control-server";
import { systemClock } from "../../../clock";
import type { Clock } from "../../../clock";
import { startMetricsEndpoint, type MetricsAddress, type MetricsEndpoint } from "../../../metrics/metrics-endpoint";
import { AccessLogWriter } from "./access-log-writer";
import { readSwitchConfig } from "./config";
import type { SwitchConfig } from "./config";
import { createSwitchMutations, createSwitchReads } from "./control";
import type { DataPlane } from "./data-plane";
import { EmbeddedPlane } from "./embedded-plane";
import { readSwitchState } from "./state-file";
import { TrafficSwitch } from "./traffic-switch";

/** How long requests under way may take when the switch is told to end. */
const GRACE_MS = 10_000;

/** A switch that serves. */
export interface RunningSwitch {
  /** URL of the control API. */
  readonly controlUrl: string;
  /** Port of each service on 127.0.0.1. */
  readonly ports: Readonly<Record<string, number>>;
  /** Lets requests under way end for at most `graceMs`; an HAProxy is ended with it. */
  close(graceMs?: number): Promise<void>;
}

/**
 * Starts a switch in this process.
 * @throws MistakeError for its configuration, StoreError for its state, Error EADDRINUSE for a port
 */
export async function startSwitch(configFile: string, clock: Clock = systemClock): Promise<RunningSwitch> {
  const config = await readSwitchConfig(configFile);
  const state = await readSwitchState(config.stateFile);
  const trafficSwitch = new TrafficSwitch(config, state, clock, await createPlane(config, clock));
  const control = createControlServer({
    subject: "switch",
    tls: config.tls,
    host: "127.0.0.1",
    port: config.controlPort === 0 ? (state?.controlPort ?? 0) : config.controlPort,
    stateFile: `${config.stateFile}.calls`,
    reads: createSwitchReads(trafficSwitch),
    mutations: createSwitchMutations(trafficSwitch),
  });
  try {
    // The services first: their ports are what clients wait for when a switch was restarted.
    await trafficSwitch.listen();
    const controlUrl = await control.listen();
    await trafficSwitch.keepControlPort(Number(new URL(controlUrl).port));
    const metrics = config.metrics && (await serveMetrics(trafficSwitch, config.metrics));
    return {
      controlUrl,
      ports: trafficSwitch.servicePorts(),
      close: async (graceMs = GRACE_MS) => {
        await metrics?.close();
        await trafficSwitch.close(graceMs);
        await control.close();
      },
    };
  } catch (error) {
    await trafficSwitch.abandon();
    await control.close();
    throw error;
  }
}

/** Loaded only where it is wanted. */
async function serveMetrics(trafficSwitch: TrafficSwitch, address: MetricsAddress): Promise<MetricsEndpoint> {
  const { createSwitchMetrics } = await import("../../../metrics/switch-metrics.js");
  return startMetricsEndpoint(
    createSwitchMetrics(() => trafficSwitch.readings()),
    address,
  );
}

/** Code for HAProxy is loaded only where it is used. */
async function createPlane(config: SwitchConfig, clock: Clock): Promise<DataPlane> {
  if (config.engine === "embedded") {
    const log = config.accessLog === undefined ? undefined : new AccessLogWriter(config.accessLog);
    return new EmbeddedPlane(config.limits, clock, log);
  }
  const { HaproxyPlane } = await import("./haproxy/haproxy-plane.js");
  return new HaproxyPlane(config, clock);
}

/**
 * Runs a switch until SIGTERM or SIGINT. Prints one line of JSON, `{"url", "ports"}`, when it serves.
 * @returns the exit code
 */
export async function runSwitch(configFile: string): Promise<number> {
  const stopping = new Promise<void>((resolve) => {
    process.once("SIGTERM", () => resolve());
    process.once("SIGINT", () => resolve());
  });
  try {
    const running = await startSwitch(configFile);
    process.stdout.write(`${JSON.stringify({ url: running.controlUrl, ports: running.ports })}\n`);
    await stopping;
    await running.close();
    return 0;
  } catch (error) {
    process.stderr.write(`switch: ${messageOf(error)}\n`);
    return 1;
  }
}
