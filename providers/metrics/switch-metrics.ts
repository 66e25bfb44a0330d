/** Metrics of the traffic switch. Not for: counting (drivers/traffic/switch/traffic-stats.ts). */
import { Counter, Gauge, Registry } from "prom-client";

/** One service as it is now. */
export interface ServiceReading {
  readonly service: string;
  readonly requests: number;
  readonly failed: number;
  /** Requests held by a hand-over now. */
  readonly parked: number;
  readonly backends: { readonly healthy: number; readonly all: number };
}

/** Registers them; `read` is called once for each scrape. */
export function createSwitchMetrics(read: () => Promise<readonly ServiceReading[]>): Registry {
  const registry = new Registry();
  const parked = new Gauge({
    name: "archipelago_switch_parked_requests",
    help: "Requests that a hand-over holds now.",
    labelNames: ["service"],
    registers: [registry],
  });
  const backends = new Gauge({
    name: "archipelago_switch_backends",
    help: "Backends of a service by health.",
    labelNames: ["service", "healthy"],
    registers: [registry],
  });
  const failures = new Counter({
    name: "archipelago_switch_request_failures_total",
    help: "Requests that failed as their clients saw it.",
    labelNames: ["service"],
    registers: [registry],
  });
  new Counter({
    name: "archipelago_switch_requests_total",
    help: "Requests that were answered or failed.",
    labelNames: ["service"],
    registers: [registry],
    async collect() {
      const services = await read();
      for (const metric of [this, failures, parked, backends]) metric.reset();
      for (const { service, requests, failed, parked: held, backends: found } of services) {
        this.inc({ service }, requests);
        failures.inc({ service }, failed);
        parked.set({ service }, held);
        backends.set({ service, healthy: "true" }, found.healthy);
        backends.set({ service, healthy: "false" }, found.all - found.healthy);
      }
    },
  });
  return registry;
}
