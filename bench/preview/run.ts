/**
 * `npm run bench:preview [-- --quick]`: what a host update adds to a preview, against the same stack without it, on a
 * generated fleet whose hosts answer like agents. Writes bench/results/preview.json.
 */
import { execFileSync, fork } from "node:child_process";
import { once } from "node:events";
import * as fs from "node:fs";
import * as path from "node:path";
import { parseArgs } from "node:util";
import { readProcess, TICKS_PER_SECOND } from "../../providers/agent/process-table";
import { openEngine } from "../../test/engine/open-engine";
import { runCommand } from "../command";
import { readResults, writeResults } from "../results";
import type { FleetSize } from "../fleet/generate-fleet";
import { answeringFleetFiles } from "./answering-fleet";

const HELP = `Usage: npm run bench:preview [-- --hosts 500 --workloads 5000 --rounds 3 | --quick]

Time that a host update adds to a preview, against the same stack without it: the medians of alternating previews, after
one of each that fits models anew. Hosts answer on ports of their own in one other process; the load of two weeks comes from
a file. The import of the package is measured apart. One row in bench/results/preview.json by size and engine.

  --hosts N      hosts of the fleet, 500 unless given
  --workloads N  workloads, 5000 unless given
  --rounds N     previews of each kind, 3 unless given
  --quick        50 hosts, 500 workloads, one preview of each kind`;

/** Previews that are made again because a host answered too late. */
const TRIES = 4;
/** Characters of a blocked plan that are shown. */
const SHOWN = 4000;
const QUICK: FleetSize = { hosts: 50, workloads: 500 };

/** What a preview took. */
interface Spent {
  readonly wallMs: number;
  readonly cpuMs: number;
}

/** One row of the results. */
interface PreviewRow {
  readonly engine: string;
  readonly withMs: number;
  readonly withoutMs: number;
  readonly addedMs: number;
  /** CPU time of engine, program and provider, which other work on the machine changes less. */
  readonly addedCpuMs: number;
  /** With models to be fitted. */
  readonly coldMs: number;
  readonly coldCpuMs: number;
  readonly importMs: number;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      quick: { type: "boolean", default: false },
      hosts: { type: "string", default: "500" },
      workloads: { type: "string", default: "5000" },
      rounds: { type: "string", default: "3" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    console.log(HELP);
    return;
  }
  const size = values.quick ? QUICK : { hosts: Number(values.hosts), workloads: Number(values.workloads) };
  // Inside of this package, so that the program finds it.
  const folder = path.resolve(".archipelago", `preview-${String(process.pid)}`);
  fs.mkdirSync(folder, { recursive: true });
  const fleet = fork(path.join(__dirname, "answering-fleet.js"), [folder, String(size.hosts), String(size.workloads)]);
  try {
    const [answer] = (await Promise.race([once(fleet, "message"), once(fleet, "exit")])) as [unknown];
    if (answer !== "serves") throw new Error("the fleet could not be made");
    const row = await measure(folder, size, values.quick ? 1 : Number(values.rounds));
    const name = `${String(size.hosts)}x${String(size.workloads)} ${row.engine.split(" ")[0] ?? ""}`;
    writeResults("preview", { ...readResults<Record<string, PreviewRow>>("preview"), [name]: row });
  } finally {
    fleet.kill();
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

async function measure(folder: string, size: FleetSize, rounds: number): Promise<PreviewRow> {
  const project = path.join(folder, "project");
  fs.mkdirSync(project);
  fs.writeFileSync(
    path.join(project, "Pulumi.yaml"),
    JSON.stringify({ name: "preview", main: "index.js", runtime: { name: "nodejs", options: { typescript: false } } }),
  );
  fs.writeFileSync(path.join(project, "index.js"), `require(${JSON.stringify(path.join(__dirname, "program.js"))});\n`);
  const session = await openEngine({
    projectDir: project,
    stack: "bench",
    stateDir: path.join(folder, "state"),
    env: { PULUMI_CONFIG_PASSPHRASE: "bench", ARCHIPELAGO_CACHE: path.join(folder, "cache") },
  });
  try {
    const { inventory, islands, history } = answeringFleetFiles(folder);
    const config = { inventory, islands, history, hosts: String(size.hosts) };
    for (const [key, value] of Object.entries(config)) await session.setConfig(key, value);
    const preview = async (update: boolean, triesLeft = TRIES): Promise<Spent> => {
      await session.setConfig("update", String(update));
      const begun = { wallMs: performance.now(), cpuMs: usedCpuMs() };
      const result = await session.preview();
      if (result.exitCode !== 0) throw new Error(result.stdout);
      // A plan that finds a reason against it ends earlier, and says what: hosts may answer too late on a busy machine.
      const blocked = /BLOCKED.*/.exec(result.stdout)?.[0];
      if (blocked !== undefined && triesLeft > 0 && result.stdout.includes("does not answer")) {
        console.log("a host answered too late, for the machine is busy: once more");
        return await preview(update, triesLeft - 1);
      }
      if (blocked !== undefined) throw new Error(`the plan does not run: ${blocked}\n${result.stdout.slice(0, SHOWN)}`);
      return { wallMs: performance.now() - begun.wallMs, cpuMs: usedCpuMs() - begun.cpuMs };
    };
    const previewCold = async (): Promise<Spent> => {
      fs.rmSync(path.join(folder, "cache"), { recursive: true, force: true });
      return await preview(true, 0);
    };
    await preview(false);
    let halfHour = halfHourOf();
    const cold = await previewCold().catch(() => previewCold());
    console.log(`with a host update, cold: ${cold.wallMs.toFixed(0)} ms, ${cold.cpuMs.toFixed(0)} ms of CPU`);
    const times: Record<"with" | "without", Spent[]> = { with: [], without: [] };
    for (let round = 0; round < rounds; round++) {
      // Forecasts of large fleets hold for half an hour: the first preview in a new one is cold again.
      if (halfHourOf() !== halfHour) await preview(true);
      halfHour = halfHourOf();
      times.without.push(await preview(false));
      times.with.push(await preview(true));
    }
    const middle = (kind: "with" | "without", of: keyof Spent): number => median(times[kind].map((spent) => spent[of]));
    const row: PreviewRow = {
      engine: `${session.kind} ${session.version}`,
      withMs: Math.round(middle("with", "wallMs")),
      withoutMs: Math.round(middle("without", "wallMs")),
      addedMs: Math.round(middle("with", "wallMs") - middle("without", "wallMs")),
      addedCpuMs: Math.round(middle("with", "cpuMs") - middle("without", "cpuMs")),
      coldMs: Math.round(cold.wallMs),
      coldCpuMs: Math.round(cold.cpuMs),
      importMs: Math.round(median(Array.from({ length: Math.max(3, rounds) }, importTime))),
    };
    console.log(`engine ${row.engine}, ${String(size.hosts)} hosts, ${String(size.workloads)} workloads`);
    console.log(
      `with ${String(row.withMs)} ms, without ${String(row.withoutMs)} ms: a host update adds ${String(row.addedMs)} ms (goal 2000), ${String(row.addedCpuMs)} ms of CPU; importing it ${String(row.importMs)} ms (goal 200)`,
    );
    return row;
  } finally {
    await session.close();
  }
}

function halfHourOf(): number {
  return Math.floor(Date.now() / 1_800_000);
}

/** CPU time of this process and of all that it has started and that has ended; the fleet goes on, and is not in it. */
function usedCpuMs(): number {
  return ((readProcess(process.pid)?.cpuTicks ?? 0) * 1000) / TICKS_PER_SECOND;
}

/** Time to import what a program imports, with @pulumi/pulumi there already, in a process of its own. */
function importTime(): number {
  const script =
    'require("@pulumi/pulumi"); const t = performance.now(); require("pulumi-archipelago"); console.log(performance.now() - t);';
  return Number(execFileSync(process.execPath, ["-e", script], { encoding: "utf8" }));
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return ((sorted[Math.floor((sorted.length - 1) / 2)] ?? 0) + (sorted[Math.ceil((sorted.length - 1) / 2)] ?? 0)) / 2;
}

// Programs resolve this package from here.
process.chdir(path.join(require.resolve("pulumi-archipelago/package.json"), ".."));
runCommand(main);
