/**
 * Which run store, and which host update in it, a command means.
 *
 * Not for: what is in a store (providers/journal, providers/runner).
 */
import { access, stat } from "node:fs/promises";
import * as path from "node:path";
import { MistakeError, type HostUpdateSpec } from "../../sdk/model";
import { parseFileUrl } from "../journal/file-store";
import { openRunStore } from "../journal/open-store";
import type { RunStore } from "../journal/run-store";
import { resolveFamily } from "../runner/list-runs";
import { listFamilies } from "../runner/run-family";
import { UsageError, type OptionTable } from "./command";
import { readWindowFile, type WindowFile } from "./window-file";

/** Options of every command that works on a store. */
export const STORE_OPTIONS = {
  store: {
    value: "URL",
    about: "run store, such as file:/srv/archipelago; `archipelago --help` says which without it",
  },
  file: { value: "FILE", about: "window file: its store, and its update where no RUN is given" },
} as const satisfies OptionTable;

/** Window files that are found by themselves in the working folder. */
const DEFAULT_FILES = ["archipelago.yaml", "archipelago.yml", "archipelago.json"] as const;
/** Where `npm run quickstart` keeps its store. */
const QUICKSTART_STORE = path.join(".archipelago", "quickstart", "store");

/** A store, and the window file that was named or found. */
export interface OpenedStore {
  readonly store: RunStore;
  readonly url: string;
  readonly windowFile?: WindowFile;
}

/**
 * Opens the store that is meant; nothing is written.
 * @param mayBeNew true where the folder may be made by the first run that is still to come
 * @throws UsageError when nothing names one; MistakeError for a folder that is not there
 */
export async function openStore(
  options: { readonly store: string | undefined; readonly file: string | undefined },
  mayBeNew = false,
): Promise<OpenedStore> {
  const named = options.file === undefined ? undefined : await readWindowFile(options.file);
  const given = options.store ?? (await storeOf(named)) ?? storeOfEnvironment();
  const found = named ?? (given === undefined ? await findWindowFile() : undefined);
  const url = given ?? (await storeOf(found));
  const known = url ?? ((await isThere(QUICKSTART_STORE)) ? `file:${path.resolve(QUICKSTART_STORE)}` : undefined);
  if (known === undefined) {
    throw new UsageError(
      "no run store is named; give --store URL or --file WINDOW-FILE, set ARCHIPELAGO_STORE, or work where archipelago.yaml is",
    );
  }
  const store = await openRunStore(known);
  // The folder of a window file's store is made by its first run.
  if (named === undefined && !mayBeNew) await requireFolder(known);
  return { store, url: known, ...(found === undefined ? {} : { windowFile: found }) };
}

/**
 * The update that a command means: RUN, the window file's, or the only one of the store.
 * @throws MistakeError, UsageError when it is not clear
 */
export async function chooseFamily({ store, windowFile }: OpenedStore, word: string | undefined): Promise<string> {
  if (word !== undefined) return resolveFamily(store, word);
  if (windowFile) return windowFile.family;
  const families = await listFamilies(store);
  const [only, ...others] = families;
  if (only && others.length === 0) return only.family;
  throw new UsageError(
    only
      ? `RUN is missing; there are: ${families.map(({ family }) => family).join(", ")}`
      : `RUN is missing, and the store ${store.url} has no runs`,
  );
}

/** The store that a spec's runs are in: its own, else its inventory's. */
async function storeOf(file: WindowFile | undefined): Promise<string | undefined> {
  return file && (file.spec.store ?? (await storeOfInventory(file.spec)));
}

/** An empty variable is none. */
function storeOfEnvironment(): string | undefined {
  const url = process.env["ARCHIPELAGO_STORE"];
  return url === "" ? undefined : url;
}

async function storeOfInventory({ islands }: HostUpdateSpec): Promise<string | undefined> {
  const source = islands[0]?.source;
  if (source?.kind !== "agents") return undefined;
  const { loadInventory } = await import("../drivers/inventory.js");
  return (await loadInventory(source.inventory)).store;
}

async function findWindowFile(): Promise<WindowFile | undefined> {
  for (const file of DEFAULT_FILES) if (await isThere(file)) return readWindowFile(file);
  return undefined;
}

async function isThere(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  );
}

/** A store is made by the first run: a folder that is not there is a wrong path. Other trouble is told when it is read. */
async function requireFolder(url: string): Promise<void> {
  if (!url.toLowerCase().startsWith("file:")) return;
  const folder = parseFileUrl(url);
  const error = await stat(folder).then(
    () => undefined,
    (reason: unknown) => reason as NodeJS.ErrnoException,
  );
  if (error?.code !== "ENOENT") return;
  throw MistakeError.of("store", url, `must be a run store, and there is no folder ${folder}`, "correct the path");
}
