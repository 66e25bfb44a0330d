/**
 * Projects of the engine tests: a temporary folder with a compiled program of programs/, the fixture provider beside
 * it, and the repository's packages.
 */
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TraceEntry } from "./programs/fixture-provider";

/** A project in a temporary folder. */
export interface FixtureProject {
  readonly dir: string;
  /** What program and provider need in their environment. */
  readonly env: Readonly<Record<string, string>>;
  /** Where the fixture provider keeps its things, and programs leave notes. */
  readonly folder: string;
  /** Calls of the fixture provider since the last time this was asked. */
  takeCalls(): Promise<readonly TraceEntry[]>;
  /** Changes what a thing looks like, behind the engine's back; `undefined` takes it away. */
  changeWorld(id: string, change: Readonly<Record<string, unknown>> | undefined): Promise<void>;
  remove(): Promise<void>;
}

/** Makes a project that runs one of the programs in programs/. */
export async function makeFixtureProject(program: string): Promise<FixtureProject> {
  const root = await mkdtemp(join(tmpdir(), "engine-project-"));
  const dir = join(root, "project");
  const folder = join(root, "fixture");
  await mkdir(dir);
  await mkdir(folder);
  await symlink(packagesOf(__dirname), join(dir, "node_modules"));
  const settings = { name: "fixture", runtime: { name: "nodejs", options: { typescript: false } }, main: "index.js" };
  await writeFile(join(dir, "Pulumi.yaml"), JSON.stringify(settings));
  await writeFile(join(dir, "package.json"), JSON.stringify({ name: "fixture", private: true }));
  for (const [name, target] of [
    ["index", program],
    ["fixture-provider", "fixture-provider"],
  ] as const) {
    const path = join(__dirname, "programs", `${target}.js`);
    await writeFile(join(dir, `${name}.js`), `module.exports = require(${JSON.stringify(path)});\n`);
  }

  const trace = join(folder, "trace.jsonl");
  const thing = (id: string): string => join(folder, "world", `${id}.json`);
  return {
    dir,
    env: { FIXTURE_FOLDER: folder },
    folder,
    takeCalls: async () => {
      const text = await readFile(trace, "utf8").catch(() => "");
      await rm(trace, { force: true });
      const lines = text.split("\n").filter((line) => line !== "");
      return lines.map((line) => JSON.parse(line) as TraceEntry);
    },
    changeWorld: async (id, change) => {
      if (change === undefined) return rm(thing(id));
      const before = JSON.parse(await readFile(thing(id), "utf8")) as object;
      await writeFile(thing(id), JSON.stringify({ ...before, ...change }));
    },
    remove: () => rm(root, { recursive: true, force: true }),
  };
}

/** The `node_modules` folder from which this module's packages come. */
function packagesOf(from: string): string {
  const manifest = require.resolve("@pulumi/pulumi/package.json", { paths: [from] });
  return join(manifest, "..", "..", "..");
}
