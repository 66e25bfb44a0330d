/**
 * The audit log: who did what to which run, and why. Documents `audit/<n>` that are created once and never changed;
 * each holds the hash of the one before, so that what was changed or taken out is found.
 *
 * Not for: carrying on runs; their journals are (providers/journal).
 *
 * Invariants
 * 1. Create-if-absent decides who writes entry n: entries of several processes form one chain without a gap.
 * 2. An entry is never written over. The head, which tells that the newest entries are missing, may lag behind the log
 *    by a crash; it is never ahead of it.
 * 3. Who can write to the store as a whole can write a new log: keep a copy of `readAudit().head` elsewhere where that
 *    matters.
 */
import { createHash } from "node:crypto";
import { AUDIT_PREFIX, canonicalJson, StoreError } from "../../sdk/model";
import type { AuditAction, AuditEntry } from "../../sdk/model";
import type { RunStore } from "../journal/run-store";

/** Position and hash of the newest entry. Not below AUDIT_PREFIX: it is no entry. */
const HEAD_NAME = "audit-head";
/** Digits of the number in a name, so that names sort like numbers. */
const DIGITS = 10;
/** Processes that write at once take turns; each turn somebody gets on. */
const APPEND_TRIES = 200;
const READS_AT_ONCE = 32;

/** What is written down. */
export interface AuditEvent {
  readonly who: string;
  readonly what: AuditAction;
  /** The run, or `store`. */
  readonly subject: string;
  readonly why: string;
  /** Position of the journal's entry that it repeats. */
  readonly entry?: number;
}

/** The log, with what is wrong with it. */
export interface AuditLog {
  readonly entries: readonly AuditEntry[];
  /** Entries that are missing, were changed or cannot be read, in words; empty: the log is whole. */
  readonly problems: readonly string[];
  /** Position and hash of the newest entry; undefined for an empty log. */
  readonly head: AuditHead | undefined;
}

interface AuditHead {
  readonly n: number;
  readonly hash: string;
}

/**
 * Writes an entry at the end of the log.
 * @throws StoreError when the store cannot, or a damaged entry is at the end of the log
 */
export async function appendAudit(store: RunStore, event: AuditEvent): Promise<AuditEntry> {
  let last = await readLast(store);
  for (let tries = 1; tries <= APPEND_TRIES; tries++) {
    const { who, what, subject, why, entry: position } = event;
    const content: Omit<AuditEntry, "hash"> = {
      v: 1,
      n: (last?.n ?? 0) + 1,
      at: await store.now(),
      who,
      what,
      subject,
      why,
      ...(position === undefined ? {} : { entry: position }),
      previous: last?.hash ?? "",
    };
    const entry: AuditEntry = { ...content, hash: hashOf(content) };
    if (await store.createDocument(auditName(entry.n), JSON.stringify(entry))) {
      const head: AuditHead = { n: entry.n, hash: entry.hash };
      await store.putDocument(HEAD_NAME, JSON.stringify(head));
      return entry;
    }
    last = await readEntry(store, entry.n);
  }
  throw new StoreError("conflict", `audit log: no turn in ${String(APPEND_TRIES)} tries`, {
    remedy: "find out what writes to the log of this store without end",
  });
}

/** Reads and checks the whole log. @throws StoreError when the store cannot be read */
export async function readAudit(store: RunStore): Promise<AuditLog> {
  const names = await store.listDocuments(AUDIT_PREFIX);
  const contents: (string | undefined)[] = [];
  for (let first = 0; first < names.length; first += READS_AT_ONCE) {
    const some = names.slice(first, first + READS_AT_ONCE);
    contents.push(...(await Promise.all(some.map((name) => store.getDocument(name)))));
  }
  const problems: string[] = [];
  const entries: AuditEntry[] = [];
  let previous: AuditEntry | undefined;
  names.forEach((name, index) => {
    const entry = parseEntry(contents[index]);
    if (!entry) {
      problems.push(`${name} cannot be read`);
      return;
    }
    if (auditName(entry.n) !== name || hashOf(entry) !== entry.hash) problems.push(`${name} was changed`);
    const expected = (previous?.n ?? 0) + 1;
    if (entry.n > expected) problems.push(describeGap(expected, entry.n - 1));
    else if (entry.previous !== (previous?.hash ?? "")) {
      problems.push(
        `${name} does not follow ${previous ? auditName(previous.n) : "the beginning"}: one of them was replaced`,
      );
    }
    entries.push(entry);
    previous = entry;
  });
  const head = await readHead(store);
  if (head && head.n > (previous?.n ?? 0)) problems.push(describeGap((previous?.n ?? 0) + 1, head.n));
  else if (head) {
    const same = entries.find(({ n }) => n === head.n);
    if (same && same.hash !== head.hash) problems.push(`${auditName(head.n)} is not the one that was written`);
  }
  return { entries, problems, head: previous && { n: previous.n, hash: previous.hash } };
}

/** The newest entries that can be read, oldest first. @param limit how many to look at */
export async function readNewestAudit(store: RunStore, limit: number): Promise<readonly AuditEntry[]> {
  const last = await readLast(store);
  if (!last) return [];
  const numbers = Array.from({ length: Math.min(limit, last.n - 1) }, (_, index) => last.n - 1 - index).reverse();
  const entries: AuditEntry[] = [];
  for (let first = 0; first < numbers.length; first += READS_AT_ONCE) {
    const some = numbers.slice(first, first + READS_AT_ONCE);
    const found = await Promise.all(some.map(async (n) => parseEntry(await store.getDocument(auditName(n)))));
    entries.push(...found.filter((entry) => entry !== undefined));
  }
  return [...entries, last];
}

function describeGap(first: number, last: number): string {
  return first === last ? `${auditName(first)} is missing` : `${auditName(first)} to ${auditName(last)} are missing`;
}

function auditName(n: number): string {
  return `${AUDIT_PREFIX}${String(n).padStart(DIGITS, "0")}`;
}

function hashOf(entry: Omit<AuditEntry, "hash"> & { readonly hash?: string }): string {
  return createHash("sha256")
    .update(canonicalJson({ ...entry, hash: undefined }))
    .digest("hex");
}

/** The newest entry: the head's, or one after it where a process died before it told. */
async function readLast(store: RunStore): Promise<AuditEntry | undefined> {
  const head = await readHead(store);
  const known = head && parseEntry(await store.getDocument(auditName(head.n)));
  if (known) return known;
  const name = (await store.listDocuments(AUDIT_PREFIX)).at(-1);
  if (name === undefined) return undefined;
  return readEntry(store, Number(name.slice(AUDIT_PREFIX.length)));
}

async function readEntry(store: RunStore, n: number): Promise<AuditEntry> {
  const entry = parseEntry(await store.getDocument(auditName(n)));
  if (entry) return entry;
  throw new StoreError("corrupt", `audit log: ${auditName(n)} cannot be read`, {
    remedy:
      "keep a copy of it for whoever looks into it, and remove the document; `archipelago audit` then names the gap",
  });
}

async function readHead(store: RunStore): Promise<AuditHead | undefined> {
  const content = await store.getDocument(HEAD_NAME);
  try {
    const head = JSON.parse(content ?? "null") as Partial<AuditHead> | null;
    return typeof head?.n === "number" && typeof head.hash === "string" ? { n: head.n, hash: head.hash } : undefined;
  } catch {
    // The entries themselves tell then.
    return undefined;
  }
}

function parseEntry(content: string | undefined): AuditEntry | undefined {
  try {
    const entry = JSON.parse(content ?? "null") as Partial<AuditEntry> | null;
    const isEntry = entry?.v === 1 && Number.isInteger(entry.n) && typeof entry.hash === "string";
    return isEntry ? (entry as AuditEntry) : undefined;
  } catch {
    return undefined;
  }
}
