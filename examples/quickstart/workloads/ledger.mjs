/**
 * The ledger: an exclusive, stateful workload. One active copy; moved by hand-over; no acknowledged write is ever lost.
 *
 * `POST /entries {"id", "amount"}` appends and answers 201 when the entry is on disk; the same entry again answers 200;
 * the same id with another amount 409. `GET /entries/<id>`; `GET /entries` all entries as lines of JSON;
 * `GET /audit` -> {"count", "sha256", "sum"}.
 *
 * Invariants
 * 1. An entry is acknowledged only after the log with it was synced to disk; entries of the same moment are synced
 *    together.
 * 2. The state is the log's bytes; its sha256 is that of the bytes, so a snapshot is the log and nothing else.
 * 3. While not active, nothing is written but by restore.
 */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, open, readFile, rename } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { readBody, replica, sendJson, serve } from "./workload.mjs";

const folder = process.env["ARCHIPELAGO_DATA"] ?? ".";
const logFile = join(folder, "ledger.log");

let state = process.env["ARCHIPELAGO_STANDBY"] === "1" ? "standby" : "active";
/** id -> amount, of entries on disk and of those on their way to it. */
let entries = new Map();
let hash = createHash("sha256");
let bytes = 0;
let sum = 0;
let log;
/** Entries waiting for the next sync: {line, resolve, reject}. */
let queue = [];
/** id -> promise of entries that are not on disk yet. */
const underWay = new Map();
let syncing;

await mkdir(folder, { recursive: true });
await load();

serve(
  {
    "GET /health": (_request, response) => sendJson(response, 200, { ok: true, replica, state }),
    "GET /archipelago/state": (_request, response) => sendJson(response, 200, { state, sha256: digest(), bytes }),
    "POST /archipelago/quiesce": async (_request, response) => {
      if (state === "active") state = "quiesced";
      // From here on no entry is taken; those taken are acknowledged before the answer.
      while (syncing !== undefined) await syncing;
      sendJson(response, 200, { state, sha256: digest(), bytes });
    },
    "POST /archipelago/activate": (_request, response) => {
      state = "active";
      sendJson(response, 200, { state, sha256: digest(), bytes });
    },
    "GET /archipelago/snapshot": async (_request, response) => {
      if (state === "active") {
        sendJson(response, 409, { error: "an active ledger has no snapshot; quiesce it first" });
        return;
      }
      while (syncing !== undefined) await syncing;
      response.writeHead(200, {
        "content-type": "application/octet-stream",
        "content-length": bytes,
        "x-archipelago-sha256": digest(),
      });
      await sendLog(response);
    },
    "POST /archipelago/restore": async (request, response) => {
      if (state === "active") {
        sendJson(response, 409, { error: "an active ledger is not restored; quiesce it first" });
        return;
      }
      await restore(request);
      sendJson(response, 200, { sha256: digest(), bytes, count: entries.size });
    },
    "POST /entries": postEntry,
    "GET /entries": async (_request, response) => {
      if (refuses(response)) return;
      response.writeHead(200, { "content-type": "application/x-ndjson" });
      await sendLog(response);
    },
    "GET /entries/*": (_request, response, path) => {
      if (refuses(response)) return;
      const id = decodeURIComponent(path.slice("/entries/".length));
      const amount = underWay.has(id) ? undefined : entries.get(id);
      if (amount === undefined) sendJson(response, 404, { error: `no entry ${id}` });
      else sendJson(response, 200, { id, amount });
    },
    "GET /audit": (_request, response) => {
      if (refuses(response)) return;
      sendJson(response, 200, { count: entries.size - underWay.size, sha256: digest(), sum, replica });
    },
  },
  {
    beforeExit: async () => {
      while (syncing !== undefined) await syncing;
      await log.close();
    },
  },
);

async function postEntry(request, response) {
  if (refuses(response)) return;
  let entry;
  try {
    entry = JSON.parse(await readBody(request));
  } catch (error) {
    sendJson(response, 400, { error: `body must be JSON: ${error.message}` });
    return;
  }
  const { id, amount } = entry ?? {};
  if (typeof id !== "string" || id === "" || typeof amount !== "number" || !Number.isFinite(amount)) {
    sendJson(response, 400, { error: 'body must be {"id": text, "amount": number}' });
    return;
  }
  // It may have been quiesced while the body came: what follows until `append` happens in one go.
  if (refuses(response)) return;
  const known = entries.get(id);
  if (known !== undefined && known !== amount) {
    sendJson(response, 409, { error: `entry ${id} has another amount`, id, amount: known });
    return;
  }
  // A repeated entry is acknowledged no earlier than the first one.
  await (known === undefined ? append(id, amount) : underWay.get(id));
  sendJson(response, known === undefined ? 201 : 200, { id, amount });
}

/** True when the answer was given: this copy is not active. The header promises that nothing was done. */
function refuses(response) {
  if (state === "active") return false;
  sendJson(response, 503, { error: `this copy is ${state}` }, { "x-archipelago-quiesced": "1", "retry-after": "1" });
  return true;
}

/** Resolves when the entry is on disk. */
function append(id, amount) {
  const written = new Promise((resolve, reject) => {
    queue.push({ id, amount, resolve, reject });
  }).finally(() => underWay.delete(id));
  entries.set(id, amount);
  underWay.set(id, written);
  syncing ??= syncAll().finally(() => {
    syncing = undefined;
  });
  return written;
}

/** Writes what waits, syncs it together, acknowledges it, until nothing waits (invariant 1). */
async function syncAll() {
  while (queue.length > 0) {
    const batch = queue;
    queue = [];
    const text = Buffer.from(batch.map(({ id, amount }) => lineOf(id, amount)).join(""));
    try {
      await log.write(text, 0, text.length, bytes);
      await log.datasync();
    } catch (error) {
      // What reached the log was not acknowledged. It must go, or a later batch would leave half a line of it behind.
      await log.truncate(bytes).catch(endAtOnce);
      for (const { id, reject } of batch) {
        entries.delete(id);
        reject(error);
      }
      continue;
    }
    hash.update(text);
    bytes += text.length;
    for (const { amount, resolve } of batch) {
      sum += amount;
      resolve();
    }
    await Promise.allSettled(batch.map(({ id }) => underWay.get(id)));
  }
}

/** The log as it is on disk now. */
async function sendLog(response) {
  if (bytes === 0) response.end();
  else await pipeline(createReadStream(logFile, { start: 0, end: bytes - 1 }), response);
}

async function restore(content) {
  const draft = `${logFile}.restore`;
  const file = await open(draft, "w", 0o600);
  try {
    for await (const chunk of content) await file.write(chunk);
    await file.datasync();
  } finally {
    await file.close();
  }
  await log.close();
  await rename(draft, logFile);
  // The new name itself must survive a crash of the machine.
  const directory = await open(folder, "r");
  await directory.sync().finally(() => directory.close());
  await load();
}

/** The log can no longer be trusted from within; after a restart it is read anew. */
function endAtOnce(error) {
  console.error(`${replica}: ${error}`);
  process.exit(1);
}

/** Reads the log. A torn last line was never acknowledged and is cut off. */
async function load() {
  log = await open(logFile, "a").then(async (created) => {
    await created.close();
    return open(logFile, "r+");
  });
  const content = await readFile(logFile);
  const whole = content.subarray(0, content.lastIndexOf(0x0a) + 1);
  entries = new Map();
  sum = 0;
  for (const line of whole.toString("utf8").split("\n")) {
    if (line === "") continue;
    const { id, amount } = JSON.parse(line);
    entries.set(id, amount);
    sum += amount;
  }
  if (whole.length < content.length) await log.truncate(whole.length);
  hash = createHash("sha256").update(whole);
  bytes = whole.length;
}

function lineOf(id, amount) {
  return `${JSON.stringify({ id, amount })}\n`;
}

function digest() {
  return hash.copy().digest("hex");
}
