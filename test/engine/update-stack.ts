/**
 * A real local fleet and a stack that updates its hosts, for the scenarios of archipelago*.spec.ts.
 *
 * The project lies inside the repository: that is where the package's own name resolves to itself.
 */
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { openFileStore } from "../../providers/journal/file-store";
import { PACKAGE_ROOT, openSmallFleet, workloadProgram } from "../fixtures/small-fleet";
import type { EngineResult, EngineSession } from "./engine-session";
import { openEngine } from "./open-engine";
import { engineKind } from "./scenario";

/** Name of the run's resource. */
export const RUN = "tool-run";
/** Opens on the 29th of February only. */
export const FAR_AWAY = "0 3 29 2 *";

/** What an operation did with a resource. */
export function opOf(result: EngineResult, name = RUN): string | undefined {
  return result.steps.find((step) => step.name === name)?.op;
}

/** Messages that stay. */
export function textOf(result: EngineResult): string {
  return result.diagnostics
    .filter(({ ephemeral }) => !ephemeral)
    .map(({ message }) => message)
    .join("\n");
}

/** The stack, its fleet, and what a test asks of them. */
export interface UpdateStack {
  readonly session: EngineSession;
  /** Project folder; the program and the provider run in it. */
  readonly folder: string;
  readonly inventory: string;
  readonly workload: string;
  /** What VERSION holds on each member host. */
  versions(): Promise<Readonly<Record<string, string>>>;
  /** What a file in the root folder holds on each member host. */
  fileOnHosts(name: string): Promise<Readonly<Record<string, string>>>;
  /** Ids of the runs in the store. */
  runs(): Promise<readonly string[]>;
  /** The same stack with another state, which knows nothing of the first. */
  openSession(stateFolder: string): Promise<EngineSession>;
  /** Writes VERSION on a host behind everybody's back. */
  setVersion(host: string, version: string): Promise<void>;
  /** Mutating calls that the agents and the switch have taken, all together. */
  mutations(): Promise<number>;
  /** Hash over the names and contents of the run store. */
  storeHash(): Promise<string>;
  close(): Promise<void>;
}

/** Starts three hosts and a standby with a front of two copies and a ledger. */
export async function openUpdateStack(): Promise<UpdateStack> {
  await mkdir(join(PACKAGE_ROOT, ".build"), { recursive: true });
  const folder = await mkdtemp(join(PACKAGE_ROOT, ".build", "engine-"));
  const workload = workloadProgram("front");
  await writeFile(
    join(folder, "Pulumi.yaml"),
    JSON.stringify({ name: "hosts", main: "index.js", runtime: { name: "nodejs", options: { typescript: false } } }),
  );
  await writeFile(
    join(folder, "index.js"),
    `module.exports = require(${JSON.stringify(join(__dirname, "programs", "host-update.js"))});\n`,
  );
  const fleet = await openSmallFleet(folder);
  const { inventory, history } = fleet;
  const openSession = async (stateFolder: string): Promise<EngineSession> => {
    const opened = await openEngine({
      projectDir: folder,
      stack: "dev",
      kind: engineKind(),
      stateDir: join(folder, stateFolder),
    });
    for (const [key, value] of Object.entries({ inventory, history, workload })) await opened.setConfig(key, value);
    return opened;
  };
  const session = await openSession("state");
  return {
    session,
    folder,
    inventory,
    workload,
    versions: () => fleet.versions(),
    fileOnHosts: (name) => fleet.fileOnHosts(name),
    runs: async () => (await openFileStore(`file:${join(fleet.directory, "store")}`)).list(),
    openSession,
    setVersion: (host, version) => fleet.setVersion(host, version),
    mutations: async () => Object.values(await fleet.mutations()).reduce((sum, count) => sum + count, 0),
    storeHash: () => fleet.storeHash(),
    close: async () => {
      await session.close();
      await fleet.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
