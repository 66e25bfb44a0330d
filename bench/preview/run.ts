/**
 * `npm run bench:preview [-- --quick]`: what a host update adds to a preview, against the same stack without it, on a
 * running fleet of six hosts. Writes bench/results/preview.json.
 */
import { execFileSync } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";
import { parseArgs } from "node:util";
import { endEarlierFleet } from "../../examples/quickstart/demonstration";
import { prepare } from "../../examples/quickstart/prepare";
import { folder, hostImage, root, workloads } from "../../examples/quickstart/settings";
import { createLocalFleet, deleteLocalFleet } from "../../providers/drivers/local-fleet";
import { generateHistory, renderRecordedCsv } from "../../providers/observe/history-generator";
import { runCommand } from "../command";
import { writeResults } from "../results";
import { openEngine } from "../../test/engine/open-engine";

const HELP = `Usage: npm run bench:preview [-- --quick]

Time that a host update of six hosts adds to a preview, against the same stack without it; the medians of
alternating previews. The import of the package is measured apart.

  --quick  3 previews of each instead of 9`;

const HOST_COUNT = 6;

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { quick: { type: "boolean", default: false }, help: { type: "boolean", default: false } },
  });
  if (values.help) {
    console.log(HELP);
    return;
  }
  const rounds = values.quick ? 3 : 9;
  await endEarlierFleet(console.log);
  prepare();
  const directory = path.join(folder, "fleet");
  const fleet = await createLocalFleet({
    name: "preview",
    directory,
    hostImage,
    hosts: Array.from({ length: HOST_COUNT + 1 }, (_, index) => ({
      id: index < HOST_COUNT ? `host-0${String(index)}` : "standby-00",
      zone: `zone-${String(index % 3)}`,
      role: index < HOST_COUNT ? ("member" as const) : ("standby" as const),
      cpuMillis: 500,
      memoryBytes: 2 ** 30,
    })),
    workloads: ["front", "ledger"].map((name) => ({
      name,
      copies: name === "front" ? HOST_COUNT : 1,
      exclusive: name === "ledger",
      request: { cpuMillis: 20, memoryBytes: 32 * 2 ** 20 },
      process: {
        command: commandOf(name),
        port: 0,
        health: { path: "/health", intervalMs: 1000, timeoutMs: 1000 },
        environment: {},
      },
      service: name,
    })),
  });
  try {
    await measure(fleet.inventory, rounds);
  } finally {
    await deleteLocalFleet(directory);
  }
}

async function measure(inventory: string, rounds: number): Promise<void> {
  const project = path.join(folder, "preview");
  const history = path.join(folder, "history.csv");
  fs.mkdirSync(project, { recursive: true });
  fs.writeFileSync(
    path.join(project, "Pulumi.yaml"),
    JSON.stringify({ name: "preview", main: "index.js", runtime: { name: "nodejs", options: { typescript: false } } }),
  );
  fs.writeFileSync(path.join(project, "index.js"), `require(${JSON.stringify(path.join(__dirname, "program.js"))});\n`);
  const generated = ["front", "ledger"].map((name) => ({ name, peakCpuMillis: 100, memoryBytes: 48 * 2 ** 20 }));
  fs.writeFileSync(
    history,
    renderRecordedCsv(
      generateHistory({ workloads: generated, endMs: Date.now(), seed: 1 }),
      "generated for the benchmark",
    ),
  );
  const session = await openEngine({
    projectDir: project,
    stack: "bench",
    stateDir: path.join(folder, "preview-state"),
    env: { PULUMI_CONFIG_PASSPHRASE: "bench" },
  });
  await session.setConfig("inventory", inventory);
  await session.setConfig("history", history);
  const times: Record<"with" | "without", number[]> = { with: [], without: [] };
  for (let round = 0; round <= rounds; round++) {
    for (const kind of ["without", "with"] as const) {
      await session.setConfig("update", String(kind === "with"));
      const begun = performance.now();
      const result = await session.preview();
      const ms = performance.now() - begun;
      if (result.exitCode !== 0) throw new Error(result.stdout);
      if (round === 0) console.log(`${kind} a host update, cold: ${ms.toFixed(0)} ms`);
      else times[kind].push(ms);
    }
  }
  const added = median(times.with) - median(times.without);
  const importMs = median(Array.from({ length: rounds }, importTime));
  const result = {
    engine: `${session.kind} ${session.version}`,
    hosts: HOST_COUNT,
    withMs: Math.round(median(times.with)),
    withoutMs: Math.round(median(times.without)),
    addedMs: Math.round(added),
    importMs: Math.round(importMs),
  };
  console.log(`engine ${result.engine}, ${String(rounds)} previews of each`);
  console.log(
    `with ${String(result.withMs)} ms, without ${String(result.withoutMs)} ms: a host update adds ${String(result.addedMs)} ms (goal 2000), importing it ${String(result.importMs)} ms (goal 200)`,
  );
  writeResults("preview", result);
  await session.close();
}

/** Time to import what a program imports, with @pulumi/pulumi there already, in a process of its own. */
function importTime(): number {
  const script =
    'require("@pulumi/pulumi"); const t = performance.now(); require("pulumi-archipelago"); console.log(performance.now() - t);';
  return Number(execFileSync(process.execPath, ["-e", script], { cwd: root, encoding: "utf8" }));
}

function commandOf(name: string): readonly string[] {
  return workloads.find((workload) => workload.name === name)?.command ?? [];
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return ((sorted[Math.floor((sorted.length - 1) / 2)] ?? 0) + (sorted[Math.ceil((sorted.length - 1) / 2)] ?? 0)) / 2;
}

process.chdir(root);
runCommand(main);
