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
import type { EngineSession } from "../../test/engine/engine-session";
import { openEngine } from "../../test/engine/open-engine";
import { runCommand } from "../command";
import { readResults, writeResults } from "../results";
import type { FleetSize } from "../fleet/generate-fleet";
import { answeringFleetFiles } from "./answering-fleet";

const HELP = `Usage: npm run bench:preview [-- --hosts 500 --workloads 5000 --rounds 3 | --quick]

Time that a host update adds to a preview, against a stack without it: the medians of alternating previews, after one that
fits models anew; first while the stack knows nothing of the update, then while it is armed for an opening in six hours. Hosts answer on ports of their own in one other process; the load of two weeks comes from
a file. The import of the package is measured apart. One row in bench/results/preview.json by size and engine.

  --hosts N      hosts of the fleet, 500 unless given
  --workloads N  workloads, 5000 unless given
  --rounds N     previews of each kind, 3 unless given
  --quick        50 hosts, 500 workloads, one preview of each kind`;

/** Previews that are made again because a host answered too late. */
const TRIES = 4;
/** Characters of a blocked plan that are shown. */
const SHOWN = 4000;
const HOUR_MS = 3_600_000;
const HOURS_AHEAD = 6;
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
  /** The same once the update is armed: the state has it, and its run is in the store. */
  readonly armedMs: number;
  readonly armedAddedMs: number;
  readonly armedAddedCpuMs: number;
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
  const sessionOf = (stack: string): Promise<EngineSession> =>
    openEngine({
      projectDir: project,
      stack,
      stateDir: path.join(folder, "state", stack),
      env: { PULUMI_CONFIG_PASSPHRASE: "bench", ARCHIPELAGO_CACHE: path.join(folder, "cache") },
    });
  const [plain, updated] = [await sessionOf("without"), await sessionOf("with")];
  try {
    const { inventory, islands, history } = answeringFleetFiles(folder);
    const config = { inventory, islands, history, hosts: String(size.hosts), opens: opensLater() };
    for (const [session, update] of [
      [plain, "false"],
      [updated, "true"],
    ] as const) {
      for (const [key, value] of Object.entries({ ...config, update })) await session.setConfig(key, value);
    }
    await preview(plain, 0);
    let halfHour = halfHourOf();
    const previewCold = async (): Promise<Spent> => {
      fs.rmSync(path.join(folder, "cache"), { recursive: true, force: true });
      return await preview(updated, 0);
    };
    const cold = await previewCold().catch(() => previewCold());
    console.log(`with a host update, cold: ${cold.wallMs.toFixed(0)} ms, ${cold.cpuMs.toFixed(0)} ms of CPU`);
    const measurePairs = async (): Promise<Pairs> => {
      const pairs: Pairs = { without: [], with: [] };
      for (let round = 0; round < rounds; round++) {
        // Forecasts of large fleets hold for half an hour: the first preview in a new one is cold again.
        if (halfHourOf() !== halfHour) await preview(updated, TRIES);
        halfHour = halfHourOf();
        pairs.without.push(await preview(plain, TRIES));
        pairs.with.push(await preview(updated, TRIES));
      }
      return pairs;
    };
    const first = await measurePairs();
    const up = await updated.up();
    if (up.exitCode !== 0 || !up.stdout.includes("armed")) throw new Error(`not armed: ${up.stdout.slice(0, SHOWN)}`);
    const armed = await measurePairs();
    const row: PreviewRow = {
      engine: `${plain.kind} ${plain.version}`,
      withMs: middle(first.with, "wallMs"),
      withoutMs: middle(first.without, "wallMs"),
      addedMs: added(first, "wallMs"),
      addedCpuMs: added(first, "cpuMs"),
      armedMs: middle(armed.with, "wallMs"),
      armedAddedMs: added(armed, "wallMs"),
      armedAddedCpuMs: added(armed, "cpuMs"),
      coldMs: Math.round(cold.wallMs),
      coldCpuMs: Math.round(cold.cpuMs),
      importMs: Math.round(median(Array.from({ length: Math.max(3, rounds) }, importTime))),
    };
    console.log(`engine ${row.engine}, ${String(size.hosts)} hosts, ${String(size.workloads)} workloads`);
    console.log(
      `with ${String(row.withMs)} ms, without ${String(row.withoutMs)} ms: a host update adds ${String(row.addedMs)} ms (goal 2000), ${String(row.addedCpuMs)} ms of CPU; importing it ${String(row.importMs)} ms (goal 200)`,
    );
    console.log(
      `armed: with ${String(row.armedMs)} ms, it adds ${String(row.armedAddedMs)} ms (goal 2000), ${String(row.armedAddedCpuMs)} ms of CPU`,
    );
    return row;
  } finally {
    await plain.close();
    await updated.close();
  }
}

/** Previews of both kinds, in turn. */
interface Pairs {
  readonly without: Spent[];
  readonly with: Spent[];
}

async function preview(session: EngineSession, triesLeft: number): Promise<Spent> {
  const begun = { wallMs: performance.now(), cpuMs: usedCpuMs() };
  const result = await session.preview();
  if (result.exitCode !== 0) throw new Error(result.stdout);
  // A plan that finds a reason against it ends earlier, and says what: hosts may answer too late on a busy machine.
  const blocked = /BLOCKED.*/.exec(result.stdout)?.[0];
  if (blocked !== undefined && triesLeft > 0 && result.stdout.includes("does not answer")) {
    console.log("a host answered too late, for the machine is busy: once more");
    return await preview(session, triesLeft - 1);
  }
  if (blocked !== undefined) throw new Error(`the plan does not run: ${blocked}\n${result.stdout.slice(0, SHOWN)}`);
  return { wallMs: performance.now() - begun.wallMs, cpuMs: usedCpuMs() - begun.cpuMs };
}

function middle(spent: readonly Spent[], of: keyof Spent): number {
  return Math.round(median(spent.map((one) => one[of])));
}

function added(pairs: Pairs, of: keyof Spent): number {
  return middle(pairs.with, of) - middle(pairs.without, of);
}

/** Cron of the hour that begins in more than five hours and less than six. */
function opensLater(): string {
  return `0 ${String(new Date(Date.now() + HOURS_AHEAD * HOUR_MS).getUTCHours())} * * *`;
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
