/**
 * One batch of a journal as the text of a file: JSON with the sequence number, the entries, a checksum over all, and
 * the hash of the batch before it.
 *
 * Not for: files and folders (batch-log.ts), the order of batches (batch-chain.ts) and the meaning of entries
 * (replay.ts).
 */
import { createHash } from "node:crypto";
import type { JournalEntry } from "../../sdk/model";
import { packBundle, UnknownFormError, unpackBundle, type StoredBundle } from "./packed-demand";
import { ENTRY_VERSION } from "./replay";

/** What a batch file holds. */
export type ParsedBatch =
  /** @property previous hash of the batch before; null in the first, undefined where journals had no links yet */
  | { readonly kind: "ok"; readonly entries: readonly JournalEntry[]; readonly previous: string | null | undefined }
  /** Written by another major version; its checksum cannot be judged. */
  | { readonly kind: "version"; readonly version: unknown }
  /** It breaks off, as after a crash of a disk: such a batch was never acknowledged. */
  | { readonly kind: "torn"; readonly reason: string }
  /** It is whole, but not what was written. */
  | { readonly kind: "damaged"; readonly reason: string };

/** Hex digits of an entry's own checksum: enough to tell which one of a damaged batch was changed. */
const SUM_LENGTH = 8;

/**
 * The text of a batch. `at` comes early in it, so that {@link parseBatchTime} needs only its start.
 * @param previous {@link hashBatch} of the batch before; null for the first
 */
export function renderBatch(
  run: string,
  seq: number,
  entries: readonly JournalEntry[],
  previous: string | null,
): string {
  const stored = entries.map(toStored);
  const body = JSON.stringify(stored);
  const head = {
    v: ENTRY_VERSION,
    seq,
    at: entries[0]?.at ?? 0,
    run,
    sha256: checksum(run, seq, body),
    previous,
    sums: stored.map(sumOf),
  };
  return `${JSON.stringify(head).slice(0, -1)}${BODY}${body}}\n`;
}

/** The hash by which the next batch names this one. */
export function hashBatch(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

/**
 * Reads a batch and checks that it is whole and the one that its place says. Never throws.
 * @param firstEntry number that its first entry has in the run, for messages
 */
export function parseBatch(run: string, seq: number, text: string, firstEntry?: number): ParsedBatch {
  let batch: unknown;
  try {
    batch = JSON.parse(text);
  } catch {
    return { kind: "torn", reason: text.trim() === "" ? "it is empty" : "it breaks off or is no JSON" };
  }
  if (!isRecord(batch)) return { kind: "damaged", reason: "it is no JSON object" };
  if (batch["v"] !== ENTRY_VERSION) return { kind: "version", version: batch["v"] };
  if (batch["run"] !== run || batch["seq"] !== seq) {
    return { kind: "damaged", reason: `it is batch ${String(batch["seq"])} of run ${String(batch["run"])}` };
  }
  const entries: unknown = batch["entries"];
  if (!Array.isArray(entries)) return { kind: "damaged", reason: "it has no entries" };
  if (batch["sha256"] !== checksum(run, seq, bodyOf(text))) {
    return { kind: "damaged", reason: describeChange(entries, batch["sums"], firstEntry) };
  }
  const foreign: unknown = entries.find((entry: unknown) => !isRecord(entry) || entry["v"] !== ENTRY_VERSION);
  if (foreign !== undefined) return { kind: "version", version: isRecord(foreign) ? foreign["v"] : undefined };
  const previous = batch["previous"];
  if (previous !== undefined && previous !== null && typeof previous !== "string") {
    return { kind: "damaged", reason: "its link to the batch before is no hash" };
  }
  try {
    // The checksum proves that this package wrote them, from typed entries.
    return { kind: "ok", entries: (entries as StoredEntry[]).map(fromStored), previous };
  } catch (error) {
    if (error instanceof UnknownFormError)
      return { kind: "version", version: `${String(ENTRY_VERSION)} with demand paths in form ${String(error.form)}` };
    throw error;
  }
}

type Created = Extract<JournalEntry, { kind: "created" }>;
/** An entry as it is stored: large demand is packed. */
type StoredEntry = Exclude<JournalEntry, Created> | (Omit<Created, "bundle"> & { readonly bundle: StoredBundle });

function toStored(entry: JournalEntry): StoredEntry {
  return entry.kind === "created" ? { ...entry, bundle: packBundle(entry.bundle) } : entry;
}

function fromStored(entry: StoredEntry): JournalEntry {
  return entry.kind === "created" ? { ...entry, bundle: unpackBundle(entry.bundle) } : entry;
}

const BODY = ',"entries":';

/** The entries as they were written: no string before them can hold what stands in front of them. */
function bodyOf(text: string): string {
  return text.slice(text.indexOf(BODY) + BODY.length, text.lastIndexOf("}"));
}

/** Bytes of a batch's start that hold its time. */
export const BATCH_START_BYTES = 120;

/** Time of a batch's first entry from the start of its text; 0 when it cannot be read. */
export function parseBatchTime(start: string): number {
  return Number(/"at":(\d+)/.exec(start)?.[1] ?? 0);
}

/** Covers run and number too: a batch copied to another place must not count. */
function checksum(run: string, seq: number, body: string): string {
  return createHash("sha256")
    .update(`${run}\n${String(seq)}\n${body}`)
    .digest("hex");
}

function sumOf(entry: unknown): string {
  return createHash("sha256").update(JSON.stringify(entry)).digest("hex").slice(0, SUM_LENGTH);
}

/** Which entries are not those that were written, where the batch has their checksums. */
function describeChange(entries: readonly unknown[], sums: unknown, firstEntry = 0): string {
  const general = "its checksum does not match";
  if (!Array.isArray(sums)) return general;
  if (sums.length !== entries.length) {
    return `${general}: ${String(entries.length)} entries are there, ${String(sums.length)} were written`;
  }
  const changed = entries.flatMap((entry, index) =>
    sumOf(entry) === sums[index] ? [] : [`entry ${String(firstEntry + index)} (${nameOf(entry)})`],
  );
  if (changed.length === 0) return general;
  return `${general}: ${changed.join(", ")} changed after it was written`;
}

/** Kind and step of an entry, as far as it still has them. */
function nameOf(entry: unknown): string {
  if (!isRecord(entry)) return "no object";
  const step: unknown = isRecord(entry["step"]) ? entry["step"]["id"] : entry["id"];
  return [entry["kind"], step].filter((part) => typeof part === "string").join(" of ") || "of no kind";
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
