/**
 * Opens a run store by the scheme of its URL, and refuses stores that the fleet's machines cannot share.
 *
 * Not for: what a store does (run-store.ts).
 */
import { StoreError } from "../../sdk/model";
import { openFileStore, SHARED_SUFFIX, type FileStoreOptions } from "./file-store";
import type { RunStore } from "./run-store";

/** Schemes of object stores that are planned but not there yet, each with what people call it. */
const PLANNED_SCHEMES: Readonly<Record<string, string>> = {
  gs: "Google Cloud Storage",
  azblob: "Azure Blob Storage",
};

const REMEDY =
  "use s3://<bucket>/<prefix> for fleets of several machines, or file:<folder> on the one machine that runs pulumi " +
  "and the runner";

/**
 * Opens the store of a URL. Nothing is written by opening it.
 * @throws StoreError unavailable for a scheme that is unknown or not supported yet
 */
export async function openRunStore(url: string, options: FileStoreOptions = {}): Promise<RunStore> {
  const scheme = schemeOf(url);
  if (scheme === "file") return openFileStore(url, options);
  if (scheme === "s3") {
    const { openS3Store } = await import("./s3-store.js");
    return openS3Store(url, options.clock);
  }
  const planned = scheme === undefined ? undefined : PLANNED_SCHEMES[scheme];
  if (planned !== undefined) {
    throw new StoreError("unavailable", `run store (${JSON.stringify(url)}): ${planned} is not supported yet`, {
      remedy: REMEDY,
    });
  }
  throw new StoreError("unavailable", `run store (${JSON.stringify(url)}) must be a URL with the scheme file: or s3:`, {
    remedy: scheme === undefined ? `write it like file:${url || "./store"}` : REMEDY,
  });
}

/**
 * Refuses a `file:` store for hosts that are not all on this machine: another machine's runner would not see its
 * leases, and two runs could work on one host.
 * @param singleMachine true when every host is on this machine
 * @throws StoreError denied with the remedy
 */
export function requireSharedStore(url: string, singleMachine: boolean): void {
  if (singleMachine || schemeOf(url) !== "file" || url.endsWith(SHARED_SUFFIX)) return;
  throw new StoreError(
    "denied",
    `run store (${JSON.stringify(url)}) must be shared by all machines that may run updates`,
    {
      remedy:
        "its hosts are on other machines; use s3://<bucket>/<prefix>, or put the folder on a network file system with " +
        "hard links that all of them mount, or run updates from one machine only, and say so with " +
        JSON.stringify(url + SHARED_SUFFIX),
    },
  );
}

function schemeOf(url: string): string | undefined {
  return /^([a-z][a-z0-9+.-]*):/i.exec(url)?.[1]?.toLowerCase();
}
