/**
 * Two hosts of real processes with an uneven load: both busy workloads are on the first, both idle ones on the second.
 * Each host has one core that its copies share, which is a queue (cores.ts).
 *
 * Not for: load (bench/load) and what is measured (run.ts).
 *
 * Invariant: whatever was started is ended by `close`.
 */
import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import * as fs from "node:fs/promises";
import * as os from "node:os";
import * as path from "node:path";
import { systemClock } from "../../providers/clock";
import { createLocalFleet, deleteLocalFleet } from "../../providers/drivers/local-fleet";
import { renderRecordedCsv } from "../../providers/observe/history-generator";
import { planningSlot } from "../../providers/plan/plan-input";
import { openRunEnvironment, type RunEnvironment } from "../../providers/runner/environment";
import { performHostUpdate, type UpdateOutcome } from "../../providers/runner/host-update";
import { runFamily } from "../../providers/runner/run-family";
import { resolveWindowFile } from "../../sdk/arguments";
import { MistakeError, type HostUpdateSpec, type Mistake, type Series } from "../../sdk/model";

export const BUSY = ["orders", "search"] as const;
const IDLE = ["audit", "mail"] as const;
const HOSTS = ["host-00", "host-01"] as const;
const HOST_MILLIS = 1000;
const STEP_MS = 300_000;
const DAYS = 3;
/** Of the generated history, as a share of its level. */
const NOISE = 0.01;
const IDLE_MILLIS = 10;
const MEMORY_BYTES = 64 * 2 ** 20;

/** The fleet, and what can be done with it. */
export interface UnevenFleet {
  readonly directory: string;
  readonly inventory: string;
  /** URL of each service at the switch. */
  readonly endpoints: Readonly<Record<string, string>>;
  /** Writes a history in which the busy workloads use this much, and evens the load out by it. */
  rebalance(busyMillis: number, tell: (line: string) => void): Promise<UpdateOutcome>;
  close(): Promise<void>;
}

/**
 * Starts it below a folder that exists.
 * @param workMs mean time of one request on its host's core
 */
export async function openUnevenFleet(folder: string, workMs: number): Promise<UnevenFleet> {
  const directory = path.join(folder, "fleet");
  await deleteLocalFleet(directory);
  const slotMs = planningSlot(Date.now());
  // Paths of sockets must be short.
  const sockets = await fs.mkdtemp(path.join(os.tmpdir(), "cores-"));
  const cores = await startCores(sockets, workMs);
  // Copies are placed on the hosts in turn: the busy ones meet on the first.
  const names = [BUSY[0], IDLE[0], BUSY[1], IDLE[1]];
  const { inventory, endpoints } = await createLocalFleet({
    name: "uneven",
    directory,
    hosts: HOSTS.map((id, index) => ({
      id,
      zone: `zone-${String(index)}`,
      role: "member",
      cpuMillis: HOST_MILLIS,
      memoryBytes: 2 ** 30,
    })),
    workloads: names.map((name) => ({
      name,
      copies: 1,
      exclusive: false,
      request: { cpuMillis: 10, memoryBytes: MEMORY_BYTES },
      process: {
        command: [process.execPath, path.join(__dirname, "workload.js")],
        port: 0,
        health: { path: "/health", intervalMs: 500, timeoutMs: 2000 },
        environment: { CORES: sockets },
      },
      service: name,
    })),
    disclosures: ["the history is generated at the level that was measured"],
  });
  const history = path.join(folder, "history.csv");
  return {
    directory,
    inventory,
    endpoints,
    rebalance: async (busyMillis, tell) => {
      await fs.writeFile(
        history,
        renderRecordedCsv(flatHistory(names, busyMillis, slotMs), "generated at the measured level"),
      );
      return await performRebalance(specOf(inventory, history, names), slotMs, tell);
    },
    close: async () => {
      await deleteLocalFleet(directory);
      cores.kill();
      await fs.rm(sockets, { recursive: true });
    },
  };
}

/** Starts the process with the cores; it ends with this one. */
async function startCores(folder: string, workMs: number): Promise<ChildProcess> {
  const cores = fork(path.join(__dirname, "cores.js"), [folder, String(workMs), ...HOSTS]);
  for (const _ of HOSTS) await once(cores, "message");
  return cores;
}

/** A level with a little noise that repeats every day. */
function flatHistory(names: readonly string[], busyMillis: number, endMs: number): readonly Series[] {
  const count = (DAYS * 86_400_000) / STEP_MS;
  const startMs = endMs - count * STEP_MS;
  const isBusy = (name: string): boolean => (BUSY as readonly string[]).includes(name);
  return names.flatMap((name, index): Series[] => {
    const level = isBusy(name) ? busyMillis : IDLE_MILLIS;
    const values = Float64Array.from({ length: count }, (_, step) =>
      Math.round(level * (1 + NOISE * Math.sin(step * (index + 1) * 0.7))),
    );
    const shared = { id: `workload/${name}`, startMs, stepMs: STEP_MS };
    return [
      { ...shared, unit: "cpuMillis", values },
      { ...shared, unit: "memoryBytes", values: new Float64Array(count).fill(MEMORY_BYTES) },
    ];
  });
}

function specOf(inventory: string, history: string, names: readonly string[]): HostUpdateSpec {
  const mistakes: Mistake[] = [];
  const spec = resolveWindowFile(
    {
      v: 1,
      name: "evenly",
      islands: {
        shop: {
          hosts: { agents: { inventory } },
          guarantee: { cpu: "100%", memory: "90%" },
          workloads: names.map((name) => ({ name, copies: 1, budget: { maxUnavailable: 0 } })),
          metrics: { recorded: { file: history } },
        },
      },
      windows: { always: { cron: "0 0 * * *", duration: "1 day" } },
      rebalance: { target: "75%", tolerance: "30%", horizon: "30 minutes", maximumMoves: 2, rest: "0 s" },
      limits: { soak: "0 s", drain: "5 seconds" },
    },
    mistakes,
  );
  if (!spec) throw new MistakeError("the rebalance", mistakes);
  return spec;
}

/**
 * Its forecast is that of the slot in which the fleet was started: the agents' own samples, which would set the level of
 * the moment, know nothing of the cores' queues.
 */
async function performRebalance(
  spec: HostUpdateSpec,
  slotMs: number,
  tell: (line: string) => void,
): Promise<UpdateOutcome> {
  const environment = await openRunEnvironment(spec, systemClock);
  try {
    const forecast: RunEnvironment["forecast"] = (fleet, _, signal) => environment.forecast(fleet, slotMs, signal);
    return await performHostUpdate(
      { ...environment, forecast },
      {
        family: runFamily(spec.name, `window-file:${spec.name}`),
        owner: `bench-${String(process.pid)}`,
        engine: "archipelago",
        role: "person",
        progress: { line: tell, status: () => undefined },
        signal: AbortSignal.timeout(300_000),
      },
    );
  } finally {
    await environment.close();
  }
}
