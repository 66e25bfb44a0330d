/**
 * Where things are in a local fleet's folder, and the record that makes a folder a fleet.
 *
 * Not for: processes (processes.ts).
 */
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import type { LocalFleetSpec } from "../../../sdk/model";

/** Paths below a fleet's folder. */
export interface FleetLayout {
  readonly directory: string;
  readonly inventory: string;
  readonly record: string;
  readonly tls: string;
  readonly store: string;
  readonly reservations: string;
  readonly switch: ProcessLayout;
  host(id: string): HostLayout;
}

/** Files of one process of the fleet. */
export interface ProcessLayout {
  readonly config: string;
  readonly log: string;
  /** Pid and start time, see {@link ProcessIdentity}. */
  readonly process: string;
}

export interface HostLayout extends ProcessLayout {
  /** The agent's own state. */
  readonly state: string;
  /** What stands for the machine's file system. */
  readonly root: string;
  /** What is known of its machines, the root folder of the one to come, and where the one that was replaced is kept. */
  readonly machine: string;
  readonly next: string;
  readonly kept: string;
}

/** `fleet.json`: the spec, and what was chosen for it once. */
export interface FleetFile {
  readonly v: 1;
  readonly spec: LocalFleetSpec;
  /** As it was made; the mark in the environment of all its processes. */
  readonly directory: string;
  readonly ports: {
    readonly switch: number;
    readonly hosts: Readonly<Record<string, number>>;
    readonly services: Readonly<Record<string, number>>;
  };
  /** The first copies were started once; from then on runs decide what runs where. */
  readonly isPopulated: boolean;
}

/** The layout below a folder; makes nothing. */
export function fleetLayout(directory: string): FleetLayout {
  const root = resolve(directory);
  const switchFolder = join(root, "switch");
  return {
    directory: root,
    inventory: join(root, "inventory.json"),
    record: join(root, "fleet.json"),
    tls: join(root, "tls"),
    store: join(root, "store"),
    reservations: join(root, "reservations"),
    switch: {
      config: join(switchFolder, "config.json"),
      log: join(switchFolder, "switch.log"),
      process: join(switchFolder, "process.json"),
    },
    host: (id) => {
      const folder = join(root, "hosts", id);
      return {
        config: join(folder, "config.json"),
        log: join(folder, "agent.log"),
        process: join(folder, "state", "agent.json"),
        state: join(folder, "state"),
        root: join(folder, "root"),
        machine: join(folder, "machine.json"),
        next: join(folder, "next"),
        kept: join(folder, "kept"),
      };
    },
  };
}

/** The record of the fleet in a folder; undefined when there is none. */
export async function readFleetFile(layout: FleetLayout): Promise<FleetFile | undefined> {
  return (await readJson(layout.record)) as FleetFile | undefined;
}

/** Reads JSON; undefined when there is no such file. */
export async function readJson(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, "utf8"));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

/** Writes JSON that a reader sees as a whole; makes the folder. */
export async function writeJson(path: string, content: unknown): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const draft = `${path}.${String(process.pid)}.new`;
  await writeFile(draft, `${JSON.stringify(content, undefined, 2)}\n`, { mode: 0o600 });
  await rename(draft, path);
}
