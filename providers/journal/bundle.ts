/**
 * A bundle as a file: everything that planning needs, so that the same plan can be rebuilt anywhere.
 *
 * Not for: making bundles (providers/runner) and planning from them (providers/plan).
 *
 * Invariant: `parseBundle(renderBundle(b))` deep-equals `b`, but for the kind of array of large demand.
 */
import { readFile, writeFile } from "node:fs/promises";
import { canonicalJson, StoreError, type Bundle } from "../../sdk/model";
import { packBundle, UnknownFormError, unpackBundle, type StoredBundle } from "./packed-demand";

/** Major version of the bundle format. */
const BUNDLE_VERSION = 1;
const BUNDLE_FIELDS = ["spec", "fleet", "forecast", "durations"] as const;

/**
 * The text of a bundle: canonical JSON, so equal bundles are equal files.
 * @throws TypeError for values that JSON cannot hold exactly, such as NaN
 */
export function renderBundle(bundle: Bundle): string {
  return `${canonicalJson(packBundle(bundle))}\n`;
}

/**
 * Reads the text of a bundle.
 * @param name what the text came from, for messages
 * @throws StoreError corrupt when it is no bundle; version for an unknown format
 */
export function parseBundle(text: string, name = "bundle"): Bundle {
  const bundle = parseObject(text, name);
  if (bundle["v"] !== BUNDLE_VERSION) {
    throw versionError(
      `${name} has format ${String(bundle["v"])}, this package knows ${String(BUNDLE_VERSION)}`,
      bundle,
    );
  }
  const missing = BUNDLE_FIELDS.find((field) => typeof bundle[field] !== "object" || bundle[field] === null);
  if (missing !== undefined || typeof bundle["slotMs"] !== "number") {
    throw corruptError(name, `it has no ${missing ?? "slotMs"}`);
  }
  try {
    return unpackBundle(bundle as unknown as StoredBundle);
  } catch (error) {
    if (error instanceof UnknownFormError) throw versionError(`${name}: its ${error.message}`, bundle);
    throw corruptError(name, "its demand paths cannot be unpacked", error);
  }
}

function versionError(text: string, { packageVersion }: Readonly<Record<string, unknown>>): StoreError {
  return new StoreError("version", text, {
    remedy: `plan it with pulumi-archipelago ${String(packageVersion)}, which wrote it`,
  });
}

/** Writes a bundle to a file. @throws as {@link renderBundle}, and the file system's errors */
export async function writeBundle(file: string, bundle: Bundle): Promise<void> {
  await writeFile(file, renderBundle(bundle), { mode: 0o600 });
}

/** Reads a bundle from a file. @throws StoreError unavailable when it cannot be read, else as {@link parseBundle} */
export async function readBundle(file: string): Promise<Bundle> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    throw new StoreError("unavailable", `bundle ${file} cannot be read`, {
      remedy: "name the file of a bundle that a run wrote",
      cause: error,
    });
  }
  return parseBundle(text, file);
}

function parseObject(text: string, name: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null) return value as Readonly<Record<string, unknown>>;
  } catch (error) {
    throw corruptError(name, "it is no JSON", error);
  }
  throw corruptError(name, "it is no JSON object");
}

function corruptError(name: string, reason: string, cause?: unknown): StoreError {
  return new StoreError("corrupt", `${name} is no bundle of a run: ${reason}`, {
    remedy: "write it again from the run's journal",
    ...(cause === undefined ? {} : { cause }),
  });
}
