/**
 * The calls an agent answers, each a line: what they do is in the files they name.
 *
 * Invariant: everything on a host is one resource, fenced by the epoch of the lease on the host.
 */
import { CORES, DriverError, type Host, type Json, type ProbeResult } from "../../sdk/model";
import type { Clock } from "../clock";
import { capacityOf, type AgentConfig } from "./agent-config";
import {
  commandOf,
  numberOf,
  rateOf,
  sharesOf,
  sourceOf,
  startSpecOf,
  stateOf,
  textOf,
  tokenOf,
} from "./call-arguments";
import { runCommand } from "./command";
import type { MutationRoute, ReadRoute } from "./control-server";
import { readCores } from "./cores";
import type { Cordon } from "./cordon";
import { matchesGlob } from "./glob";
import type { HandOver } from "./hand-over";
import type { HostFolder } from "./host-folder";
import type { HostShares } from "./host-shares";
import type { Operations } from "./operations";
import type { Replicas } from "./replicas";
import type { Sampler } from "./sampler";
import { readSchedules } from "./schedules/read-schedules";
import { readSnapshot } from "./snapshots";
import { callWorkload, refusal } from "./workload-endpoint";

/** The parts of a running agent. */
export interface AgentParts {
  readonly config: AgentConfig;
  readonly folder: HostFolder;
  readonly clock: Clock;
  readonly bootId: () => string;
  readonly cordon: Cordon;
  readonly shares: HostShares;
  readonly replicas: Replicas;
  readonly handOver: HandOver;
  readonly operations: Operations;
  readonly sampler: Sampler;
  /** Restarts the host once the call under way is answered. */
  readonly scheduleReboot: () => void;
}

/** A probe only looks; one that takes longer hangs. */
const PROBE_TIMEOUT_MS = 10_000;
const HOOK_TIMEOUT_MS = 30_000;

/** Reads: they change nothing. */
export function createReads(parts: AgentParts): Readonly<Record<string, ReadRoute>> {
  const { replicas, operations, sampler, folder, config } = parts;
  return {
    host: { answer: () => Promise.resolve(toJson(observeHost(parts))) },
    replicas: { answer: () => Promise.resolve(toJson(replicas.list())) },
    replica: { answer: (args) => Promise.resolve(toJson(describe(parts, textOf(args, "replica")))) },
    probe: {
      answer: async (args, _, signal) =>
        toJson(await probe(parts, textOf(args, "command"), args["expect"] ?? "", signal)),
    },
    check: {
      answer: async (args, _, signal) => {
        const { command, timeoutMs } = commandOf(args);
        const result = await runCommand(config.root, command, timeoutMs, signal);
        return { ok: result.exitCode === 0, output: result.transcript };
      },
    },
    operation: { answer: async (args) => toJson((await operations.observe(textOf(args, "key"))) ?? null) },
    schedules: { answer: async () => toJson(await readSchedules(config.host, config.schedules ?? [])) },
    samples: {
      answer: (args) => {
        const stepMs = Math.max(1, numberOf(args, "stepMs"));
        return Promise.resolve(toJson(sampler.read(numberOf(args, "fromMs"), numberOf(args, "toMs"), stepMs)));
      },
    },
    "snapshot-content": {
      roles: ["agent", "client"],
      answer: async (args) => await readSnapshot(folder, config.host, textOf(args, "id")),
    },
  };
}

/** Mutating calls. */
export function createMutations(parts: AgentParts): Readonly<Record<string, MutationRoute>> {
  const { cordon, shares, replicas, handOver, operations } = parts;
  const onHost = (apply: MutationRoute["apply"]): MutationRoute => ({ resource: () => "host", apply });
  return {
    cordon: onHost(async (args, { owner }) => {
      await cordon.put({ owner, expiresAt: numberOf(args, "expiresAt") });
      return null;
    }),
    uncordon: onHost(async (_, { owner }) => {
      await cordon.remove(owner);
      return null;
    }),
    "set-shares": onHost(async (args) => {
      await shares.set(sharesOf(args));
      return null;
    }),
    // Its epoch was kept before this is called: that is all it is for.
    "fence-off": onHost(() => Promise.resolve(null)),
    "start-update": onHost(async (args, { key }) => toJson(await operations.start(key, commandOf(args)))),
    reboot: onHost(async (_, { key }) => {
      const operation = await operations.beginReboot(key);
      if (operation.state === "running") parts.scheduleReboot();
      return toJson(operation);
    }),
    start: onHost(async (args) => toJson(await replicas.start(startSpecOf(args)))),
    stop: onHost(async (args) => {
      await replicas.stop(textOf(args, "replica"), numberOf(args, "graceMs"));
      return null;
    }),
    hook: onHost((args) => callHook(parts, textOf(args, "replica"), textOf(args, "path"))),
    quiesce: onHost(async (args) => {
      await handOver.quiesce(textOf(args, "replica"), tokenOf(args));
      return null;
    }),
    snapshot: onHost(async (args) => toJson(await handOver.snapshot(textOf(args, "replica")))),
    restore: onHost(async (args) =>
      toJson(
        await handOver.restore(textOf(args, "replica"), sourceOf(args), stateOf(args), tokenOf(args), rateOf(args)),
      ),
    ),
    activate: onHost(async (args) => {
      await handOver.activate(textOf(args, "replica"));
      return null;
    }),
  };
}

function observeHost({ config, cordon, shares, bootId }: AgentParts): Host {
  const mark = cordon.observe();
  const inForce = shares.observe();
  return {
    id: config.host,
    zone: config.zone,
    rack: config.rack,
    role: config.role,
    state: "ready",
    capacity: capacityOf(config),
    ...describeCores(config),
    bootId: bootId(),
    ...(shares.obstacle === undefined ? { offers: ["shares"] as const } : {}),
    ...(config.immutable === undefined ? {} : { immutable: config.immutable }),
    ...(mark ? { cordoned: mark } : {}),
    ...(inForce ? { shares: inForce } : {}),
  };
}

/** Cores that copies can be pinned to: no more than the host is said to have, which may be a part of this machine. */
function describeCores(config: AgentConfig): Pick<Host, "devices"> {
  const count = Math.min(readCores("self")?.length ?? 0, Math.ceil(capacityOf(config).cpuMillis / 1000));
  return count > 0 ? { devices: { [CORES]: { count, partitions: 1 } } } : {};
}

function describe({ replicas }: AgentParts, replica: string): unknown {
  const record = replicas.record(replica);
  const { spec, mode } = record;
  const cores = replicas.coresOf(record);
  return { ...spec, ...(cores ? { cores: cores.length } : {}), standby: mode === "standby" };
}

async function probe(
  { config }: AgentParts,
  command: string,
  expect: string,
  signal: AbortSignal,
): Promise<ProbeResult> {
  const result = await runCommand(config.root, command, PROBE_TIMEOUT_MS, signal);
  if (result.exitCode === 0) {
    const output = result.output.trim();
    return { output, matches: matchesGlob(output, expect) };
  }
  const why = result.isTimedOut
    ? `no end within ${String(PROBE_TIMEOUT_MS)} ms`
    : result.exitCode === 127
      ? "command not found"
      : `exit code ${String(result.exitCode ?? "none")}`;
  throw new DriverError("failed", config.host, `probe failed: ${why}`, {
    remedy: "try the probe on the host by hand; it must print the version and change nothing",
    output: result.transcript,
  });
}

async function callHook({ replicas }: AgentParts, replica: string, path: string): Promise<Json> {
  const { port } = replicas.record(replica);
  const endpoint = { replica, port };
  const answer = await callWorkload(endpoint, "POST", path, HOOK_TIMEOUT_MS);
  if (answer.status === 409) return "notNow";
  if (answer.status >= 200 && answer.status < 300) return "ok";
  throw refusal(endpoint, path, answer);
}

/** Model types are JSON without index signatures; this is the one place that says so. */
function toJson(value: unknown): Json {
  return value as Json;
}
