/**
 * A running agent: joins the parts, recovers what an earlier process left, serves until it is told to end.
 *
 * Invariants
 * 1. The port is held before anything on disk is read or any process is touched: two agents never work on one host.
 * 2. Ending the agent ends no copy and no command.
 */
import { spawn } from "node:child_process";
import { mkdir } from "node:fs/promises";
import { systemClock, type Clock } from "../clock";
import { capacityOf, type AgentConfig } from "./agent-config";
import { beginBoot, readBootId } from "./boot";
import { createControlServer } from "./control-server";
import { Cordon } from "./cordon";
import { openCpuGroups } from "./cpu-groups";
import { HOST_ROOT } from "./environment";
import { HandOver } from "./hand-over";
import { hostFolder, writeRecord } from "./host-folder";
import { HostShares } from "./host-shares";
import { startMetricsEndpoint, type MetricsAddress, type MetricsEndpoint } from "../metrics/metrics-endpoint";
import { Operations } from "./operations";
import { openSnapshot, readOwner } from "./peer";
import { readProcess, signalByEnvironment, type ProcessIdentity } from "./process-table";
import { Replicas } from "./replicas";
import { createMutations, createReads, type AgentParts } from "./routes";
import { Sampler } from "./sampler";
import { removeOldSnapshots } from "./snapshots";

export interface RunningAgent {
  readonly url: string;
  /** Why shares cannot be put in force on this host; absent where they can. */
  readonly withoutShares?: string;
  /** Ends the agent; copies and commands go on. */
  close(): Promise<void>;
}

export interface AgentEvents {
  /** The host is to restart: end this process and start another (local), or the machine (linux). */
  readonly onReboot: () => void;
}

/** The answer to the call that asks for the reboot leaves first. */
const REBOOT_DELAY_MS = 100;

/** Starts an agent. @throws Error EADDRINUSE when another one serves */
export async function startAgent(
  config: AgentConfig,
  events: AgentEvents,
  clock: Clock = systemClock,
): Promise<RunningAgent> {
  const folder = hostFolder(config.directory);
  let bootId = "";
  const replicas = new Replicas(config, folder, clock, () => {
    shares.include();
  });
  const shares = new HostShares({
    host: config.host,
    path: folder.sharesRecord,
    cpuMillis: capacityOf(config).cpuMillis,
    openGroups: () => openCpuGroups(config.directory),
    records: () => replicas.records(),
    clock,
  });
  const operations = new Operations({
    host: config.host,
    root: config.root,
    ...(config.immutable === undefined ? {} : { immutable: config.immutable }),
    folder,
    clock,
    bootId: () => bootId,
  });
  const switchUrl = config.switch?.url;
  const handOver = new HandOver({
    host: config.host,
    replicas,
    folder,
    clock,
    readOwner: switchUrl === undefined ? undefined : (service) => readOwner(config, switchUrl, service),
    openSnapshot: (peer, id) => openSnapshot(config, peer, id),
  });
  const cordon = new Cordon(config.host, folder.cordonRecord, clock);
  const sampler = new Sampler(config.host, () => replicas.records(), clock);
  const parts: AgentParts = {
    config,
    folder,
    clock,
    bootId: () => bootId,
    cordon,
    shares,
    replicas,
    handOver,
    operations,
    sampler,
    scheduleReboot: () => {
      setTimeout(events.onReboot, REBOOT_DELAY_MS);
    },
  };

  async function recover(): Promise<void> {
    await Promise.all([config.directory, config.root].map((path) => mkdir(path, { recursive: true, mode: 0o700 })));
    // Before the first answer: whoever sees this agent serve finds its process on record.
    const identity: ProcessIdentity = { pid: process.pid, startTicks: readProcess(process.pid)?.startTicks ?? -1 };
    await writeRecord(folder.agentRecord, identity);
    bootId = await readBootId(config, folder);
    await cordon.recover();
    await operations.recover();
    await replicas.recover();
    if (operations.isRebootPending()) await carryOnReboot();
    handOver.recover();
    await shares.recover();
    await removeOldSnapshots(folder, clock.now());
    sampler.start();
  }

  /** A reboot was recorded in this boot and has not happened: nothing of this boot may go on. */
  async function carryOnReboot(): Promise<void> {
    if (config.platform === "linux") {
      parts.scheduleReboot();
      return;
    }
    await replicas.killAll();
    signalByEnvironment(HOST_ROOT, config.root, "SIGKILL");
    bootId = await beginBoot(folder);
    await operations.recover();
  }

  /** Loaded only where it is wanted: agents stay small. */
  async function serveMetrics(address: MetricsAddress): Promise<MetricsEndpoint> {
    const { createAgentMetrics } = await import("../metrics/agent-metrics.js");
    const registry = createAgentMetrics({
      host: config.host,
      replicas: () => sampler.totals(),
      isCordoned: () => cordon.observe() !== undefined,
    });
    return startMetricsEndpoint(registry, address);
  }

  const server = createControlServer({
    subject: config.host,
    tls: config.tls,
    host: config.listen.host,
    port: config.listen.port,
    stateFile: folder.callLedger,
    reads: createReads(parts),
    mutations: createMutations(parts),
    prepare: recover,
  });
  const url = await server.listen();
  const metrics = config.metrics && (await serveMetrics(config.metrics));
  return {
    url,
    ...(shares.obstacle === undefined ? {} : { withoutShares: shares.obstacle }),
    close: async () => {
      await metrics?.close();
      sampler.close();
      shares.close();
      await server.close();
      handOver.close();
      operations.close();
      replicas.close();
    },
  };
}

/** Starts the process that follows this one on the same configuration; it waits for the port. */
export function startSuccessor(program: string, configFile: string): void {
  spawn(process.execPath, [...process.execArgv, program, "serve", "--config", configFile, "--successor"], {
    detached: true,
    stdio: ["ignore", "inherit", "inherit"],
    env: process.env,
  }).unref();
}
