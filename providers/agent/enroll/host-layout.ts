/**
 * Where an enrolled agent lives on a Linux host, and which of it was made by enrolment and installation.
 *
 * Invariant: every folder and file that is made is on record before it is made, so that it can be removed without a
 * trace; what was there before is never removed.
 */
import { mkdir, readFile, rm, rmdir, stat, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { writeAtomically } from "../../drivers/certificates";

/** Paths of a host. `root` stands before each: the file system of an image, or `/`. */
export interface HostLayout {
  readonly root: string;
  readonly configFolder: string;
  readonly config: string;
  readonly ca: string;
  /** Certificate and key in one file, so that both are replaced in one step. */
  readonly identity: string;
  readonly state: string;
  readonly unit: string;
  /** What starts the unit with the machine. */
  readonly wanted: string;
  readonly record: string;
}

/** Name of the systemd unit. */
export const UNIT = "archipelago-agent.service";

/** The layout below a root. */
export function hostLayout(root: string): HostLayout {
  const base = resolve(root);
  const configFolder = join(base, "etc/archipelago");
  return {
    root: base,
    configFolder,
    config: join(configFolder, "agent.json"),
    ca: join(configFolder, "tls/ca.pem"),
    identity: join(configFolder, "tls/agent.pem"),
    state: join(base, "var/lib/archipelago"),
    unit: join(base, "etc/systemd/system", UNIT),
    wanted: join(base, "etc/systemd/system/multi-user.target.wants", UNIT),
    record: join(configFolder, "installed.json"),
  };
}

/** Makes a folder, and puts on record which of its parents were made as well. */
export async function makeFolder(layout: HostLayout, folder: string, mode: number): Promise<void> {
  const missing: string[] = [];
  for (let path = folder; path.startsWith(layout.root) && !(await exists(path)); path = dirname(path))
    missing.push(path);
  if (missing.length === 0) return;
  await mkdir(layout.configFolder, { recursive: true, mode: 0o755 });
  const known = await readRecord(layout);
  await writeFile(layout.record, JSON.stringify({ folders: [...new Set([...known, ...missing])] }), { mode: 0o644 });
  await mkdir(folder, { recursive: true, mode });
}

/** Writes a file below a folder that is made where it is missing. */
export async function writeHostFile(layout: HostLayout, path: string, content: string, mode: number): Promise<void> {
  await makeFolder(layout, dirname(path), 0o755);
  await writeAtomically(path, content, mode);
}

/** Removes what was made: files, the agent's folders, and parents that were made and are empty now. */
export async function removeHostFiles(layout: HostLayout): Promise<void> {
  const folders = await readRecord(layout);
  for (const path of [layout.unit, layout.wanted]) await rm(path, { force: true });
  for (const path of [layout.state, layout.configFolder]) await rm(path, { recursive: true, force: true });
  for (const folder of [...folders].sort((a, b) => b.length - a.length)) {
    await rmdir(folder).catch((error: unknown) => {
      // Gone already, or somebody else's files are in it.
      if (!["ENOENT", "ENOTEMPTY"].includes((error as NodeJS.ErrnoException).code ?? "")) throw error;
    });
  }
}

/** True when there is something at the path. */
export async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

async function readRecord(layout: HostLayout): Promise<readonly string[]> {
  const text = await readFile(layout.record, "utf8").catch(() => '{"folders":[]}');
  return (JSON.parse(text) as { readonly folders: readonly string[] }).folders;
}
