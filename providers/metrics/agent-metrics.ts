/** Metrics of one host's agent. Not for: sampling (providers/agent/sampler.ts). */
import { Counter, Gauge, Registry } from "prom-client";

/** What one copy has used since this agent first saw it. */
export interface ReplicaReading {
  readonly replica: string;
  readonly workload: string;
  readonly cpuSeconds: number;
  readonly memoryBytes: number;
  /** Read and written. */
  readonly diskBytes: number;
}

/** What is read at each scrape. */
export interface AgentReadings {
  readonly host: string;
  readonly replicas: () => readonly ReplicaReading[];
  /** True while a cordon mark holds. */
  readonly isCordoned: () => boolean;
}

/** Registers them; they are read when they are asked for. */
export function createAgentMetrics({ host, replicas, isCordoned }: AgentReadings): Registry {
  const registry = new Registry();
  registry.setDefaultLabels({ host });
  const labelNames = ["workload", "replica"] as const;
  new Counter({
    name: "archipelago_replica_cpu_seconds_total",
    help: "CPU time of a copy's processes since the agent first saw it.",
    labelNames,
    registers: [registry],
    collect() {
      this.reset();
      for (const { workload, replica, cpuSeconds } of replicas()) this.inc({ workload, replica }, cpuSeconds);
    },
  });
  new Gauge({
    name: "archipelago_replica_memory_bytes",
    help: "Resident memory of a copy's processes.",
    labelNames,
    registers: [registry],
    collect() {
      this.reset();
      for (const { workload, replica, memoryBytes } of replicas()) this.set({ workload, replica }, memoryBytes);
    },
  });
  new Counter({
    name: "archipelago_replica_disk_bytes_total",
    help: "Bytes that a copy's processes read from and wrote to disks since the agent first saw it.",
    labelNames,
    registers: [registry],
    collect() {
      this.reset();
      for (const { workload, replica, diskBytes } of replicas()) this.inc({ workload, replica }, diskBytes);
    },
  });
  new Gauge({
    name: "archipelago_host_cordoned",
    help: "1 while the host takes no new work.",
    registers: [registry],
    collect() {
      this.set(isCordoned() ? 1 : 0);
    },
  });
  return registry;
}
