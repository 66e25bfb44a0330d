/**
 * One batch of a journal as the text of a file: JSON with the sequence number, the entries and a checksum over all.
 *
 * Not for: files and folders (batch-log.ts) and the meaning of entries (replay.ts).
 */
import { createHash } from "node:crypto";
import type { JournalEntry } from "../../sdk/model";
import { ENTRY_VERSION } from "./replay";

/** What a batch file holds. */
export type ParsedBatch =
  | { readonly kind: "ok"; readonly entries: readonly JournalEntry[] }
  /** Written by another major version; its checksum cannot be judged. */
  | { readonly kind: "version"; readonly version: unknown }
  | { readonly kind: "damaged"; readonly reason: string };

/** The text of a batch. `at` comes early in it, so that {@link parseBatchTime} needs only its start. */
export function renderBatch(run: string, seq: number, entries: readonly JournalEntry[]): string {
  const body = JSON.stringify(entries);
  const head = { v: ENTRY_VERSION, seq, at: entries[0]?.at ?? 0, run, sha256: checksum(run, seq, body) };
  return `${JSON.stringify(head).slice(0, -1)},"entries":${body}}\n`;
}

/** Reads a batch and checks that it is whole and the one that its place says. Never throws. */
export function parseBatch(run: string, seq: number, text: string): ParsedBatch {
  let batch: unknown;
  try {
    batch = JSON.parse(text);
  } catch {
    return { kind: "damaged", reason: text.trim() === "" ? "it is empty" : "it breaks off or is no JSON" };
  }
  if (!isRecord(batch)) return { kind: "damaged", reason: "it is no JSON object" };
  if (batch["v"] !== ENTRY_VERSION) return { kind: "version", version: batch["v"] };
  if (batch["run"] !== run || batch["seq"] !== seq) {
    return { kind: "damaged", reason: `it is batch ${String(batch["seq"])} of run ${String(batch["run"])}` };
  }
  const entries = batch["entries"];
  if (!Array.isArray(entries)) return { kind: "damaged", reason: "it has no entries" };
  if (batch["sha256"] !== checksum(run, seq, JSON.stringify(entries))) {
    return { kind: "damaged", reason: "its checksum does not match" };
  }
  const foreign: unknown = entries.find((entry: unknown) => !isRecord(entry) || entry["v"] !== ENTRY_VERSION);
  if (foreign !== undefined) return { kind: "version", version: isRecord(foreign) ? foreign["v"] : undefined };
  // The checksum proves that this package wrote them, from typed entries.
  return { kind: "ok", entries: entries as JournalEntry[] };
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

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
