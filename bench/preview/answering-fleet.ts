/**
 * Hosts that answer like agents, hundreds in one process: each has a port, a certificate and the control protocol of its
 * own, and tells of the copies that a generated fleet has on it. A switch tells of the services.
 *
 * Not for: carrying anything out; whatever changes a host is refused.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import * as path from "node:path";
import { createControlServer, type ReadRoute } from "../../providers/agent/control-server";
import { createFleetAuthority, issueCertificate, type CertificateRole } from "../../providers/drivers/certificates";
import type { Inventory, InventoryHost } from "../../providers/drivers/inventory";
import { generateHistory, renderRecordedCsv } from "../../providers/observe/history-generator";
import type { Json } from "../../sdk/model";
import { generateFleet, type FleetSize } from "../fleet/generate-fleet";

/** Files of a fleet that answers. */
export interface AnsweringFleet {
  readonly inventory: string;
  /** Islands as the program declares them, JSON. */
  readonly islands: string;
  readonly history: string;
}

const SEED = 1;
const ADDRESS = "127.0.0.1";
/** Peaks of the generated history as a share of what copies request: bursts come on top. */
const QUIET = 0.4;
const STEP_MS = 5 * 60_000;
const DAY_MS = 86_400_000;

/** Where the files of a fleet are. */
export function answeringFleetFiles(folder: string): AnsweringFleet {
  const file = (name: string): string => path.join(folder, name);
  return { inventory: file("inventory.json"), islands: file("islands.json"), history: file("history.csv") };
}

/** Writes the files and serves until the process ends. */
async function serve(folder: string, size: FleetSize): Promise<void> {
  const { fleet } = generateFleet(size, SEED).input;
  const files = answeringFleetFiles(folder);
  const tls = path.join(folder, "tls");
  mkdirSync(tls, { recursive: true });
  await createFleetAuthority(tls);
  const listen = async (name: string, role: CertificateRole, answers: Readonly<Record<string, unknown>>) => {
    const certificate = await issueCertificate(tls, { name, role, addresses: [ADDRESS] });
    const reads = Object.entries(answers).map(([call, answer]): [string, ReadRoute] => [
      call,
      { answer: () => Promise.resolve(answer as Json) },
    ]);
    const server = createControlServer({
      subject: name,
      tls: certificate,
      host: ADDRESS,
      port: 0,
      stateFile: path.join(folder, "calls", `${name}.log`),
      reads: Object.fromEntries(reads),
      mutations: {},
    });
    return await server.listen();
  };
  const hosts: InventoryHost[] = [];
  for (const host of fleet.hosts) {
    const { id, zone, rack, role } = host;
    const replicas = fleet.replicas.filter((replica) => replica.host === id);
    const url = await listen(id, "agent", { host, replicas, probe: host.probe, schedules: [], samples: [] });
    hosts.push({ id, url, zone, rack, role });
  }
  const switchUrl = await listen("switch", "switch", { services: fleet.services, calls: [], traffic: [] });
  const caller = await issueCertificate(tls, { name: "bench", role: "client", addresses: [] });
  const inventory: Inventory = {
    v: 1,
    name: "preview",
    hosts,
    switch: { url: switchUrl },
    tls: caller,
    store: "file:store?shared=true",
  };
  writeFileSync(files.inventory, JSON.stringify(inventory));
  const islands = fleet.islands.map(({ name, hosts: within, share }) => ({
    name,
    within: { hosts: within },
    guarantee: { cpu: `${String(share.cpu * 100)}%`, memory: `${String(share.memory * 100)}%` },
    workloads: fleet.workloads
      .filter(({ island }) => island === name)
      .map(({ name: workload, copies, exclusive, criticality, maxUnavailable, request }) => ({
        name: workload,
        copies: exclusive ? "exclusive" : copies,
        criticality,
        ...(exclusive ? {} : { budget: { maxUnavailable } }),
        request: { cpu: `${String(request.cpuMillis)} millicores`, memory: `${String(request.memoryBytes)} bytes` },
      })),
  }));
  writeFileSync(files.islands, JSON.stringify(islands));
  writeFileSync(files.history, renderHistory(fleet.workloads));
  process.send?.("serves");
}

/** Two weeks: CPU in steps of five minutes, memory, which hardly changes, in days. */
function renderHistory(
  workloads: readonly {
    readonly name: string;
    readonly copies: number;
    readonly request: { cpuMillis: number; memoryBytes: number };
  }[],
): string {
  const generated = workloads.map(({ name, copies, request }) => ({
    name,
    peakCpuMillis: QUIET * request.cpuMillis * copies,
    memoryBytes: request.memoryBytes,
  }));
  const endMs = Date.now();
  const parts = [
    { unit: "cpuMillis", stepMs: STEP_MS },
    { unit: "memoryBytes", stepMs: DAY_MS },
  ].map(({ unit, stepMs }) => {
    const series = generateHistory({ workloads: generated, endMs, stepMs, seed: SEED });
    return renderRecordedCsv(
      series.filter((one) => one.unit === unit),
      "generated for the benchmark",
    );
  });
  const [first = "", ...others] = parts;
  // One header is enough.
  return [first, ...others.map((text) => text.split("\n").slice(2).join("\n"))].join("");
}

if (require.main === module) {
  const [folder = "", hosts = "0", workloads = "0"] = process.argv.slice(2);
  void serve(folder, { hosts: Number(hosts), workloads: Number(workloads) });
  // Whoever measured has ended: nobody asks any more.
  process.on("disconnect", () => process.exit());
}
