/**
 * Layout of an agent's state folder, and its small durable JSON records.
 *
 * Invariant: a record is replaced as a whole or not at all, and what `writeRecord` acknowledged survives a crash.
 */
import { createHash } from "node:crypto";
import { mkdir, open, readdir, readFile, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";

/** Paths below an agent's state folder. */
export interface HostFolder {
  /** Pid and start time of the agent that serves; whoever starts and stops agents reads it. */
  readonly agentRecord: string;
  readonly bootRecord: string;
  readonly cordonRecord: string;
  readonly sharesRecord: string;
  readonly callLedger: string;
  readonly replicas: string;
  readonly operations: string;
  readonly snapshots: string;
  replicaRecord(replica: string): string;
  /** Where a copy keeps its own state: `ARCHIPELAGO_DATA`. */
  replicaData(replica: string): string;
  replicaLog(replica: string): string;
  snapshot(id: string): string;
  /** Folder of one operation. */
  operation(key: string): string;
}

/** The layout below `directory`; makes nothing. */
export function hostFolder(directory: string): HostFolder {
  const replicas = join(directory, "replicas");
  const operations = join(directory, "operations");
  const snapshots = join(directory, "snapshots");
  return {
    agentRecord: join(directory, "agent.json"),
    bootRecord: join(directory, "boot.json"),
    cordonRecord: join(directory, "cordon.json"),
    sharesRecord: join(directory, "shares.json"),
    callLedger: join(directory, "calls.log"),
    replicas,
    operations,
    snapshots,
    replicaRecord: (replica) => join(replicas, `${fileName(replica)}.json`),
    replicaData: (replica) => join(directory, "data", fileName(replica)),
    replicaLog: (replica) => join(directory, "logs", `${fileName(replica)}.log`),
    snapshot: (id) => join(snapshots, fileName(id)),
    operation: (key) => join(operations, createHash("sha256").update(key).digest("hex").slice(0, 32)),
  };
}

/** Reads a record; undefined when there is none. */
export async function readRecord(path: string): Promise<unknown> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
  return JSON.parse(text);
}

/** Writes a record and syncs it, file and name. */
export async function writeRecord(path: string, content: unknown): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const draft = `${path}.new`;
  const file = await open(draft, "w", 0o600);
  try {
    await file.writeFile(`${JSON.stringify(content)}\n`);
    await file.datasync();
  } finally {
    await file.close();
  }
  await rename(draft, path);
  const folder = await open(dirname(path), "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** Removes a record; one that is not there is fine. */
export async function removeRecord(path: string): Promise<void> {
  await rm(path, { force: true });
}

/** Names in a folder; none when it is not there. */
export async function listFolder(path: string): Promise<readonly string[]> {
  try {
    return await readdir(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}

/** Ids come from callers: nothing in them may leave the folder. Ids of usual form stay readable. */
function fileName(id: string): string {
  if (/^[A-Za-z0-9][A-Za-z0-9._-]{0,120}$/.test(id)) return id;
  return `x-${createHash("sha256").update(id).digest("hex").slice(0, 32)}`;
}
