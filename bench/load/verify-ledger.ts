/**
 * Compares what the ledger holds with what it acknowledged.
 */
import { get } from "node:http";

/** What came of the acknowledged writes. */
export interface LedgerVerdict {
  readonly acknowledged: number;
  /** Entries that the ledger holds. */
  readonly held: number;
  /** Acknowledged and not there: must be empty. */
  readonly lost: readonly string[];
  /** Ids that are there more than once: must be empty. */
  readonly doubled: readonly string[];
}

/**
 * Reads all entries of the ledger behind `url` (at the switch) and looks for every acknowledged id.
 * @throws Error when the ledger cannot be read
 */
export async function verifyLedger(url: string, acknowledgedIds: readonly string[]): Promise<LedgerVerdict> {
  const held = new Set<string>();
  const doubled: string[] = [];
  for (const line of (await readEntries(url)).split("\n")) {
    if (line === "") continue;
    const { id } = JSON.parse(line) as { readonly id: string };
    if (held.has(id)) doubled.push(id);
    held.add(id);
  }
  return {
    acknowledged: acknowledgedIds.length,
    held: held.size,
    lost: acknowledgedIds.filter((id) => !held.has(id)),
    doubled,
  };
}

function readEntries(url: string): Promise<string> {
  return new Promise((resolve, reject) => {
    get(`${url}/entries`, { agent: false }, (answer) => {
      let text = "";
      answer.setEncoding("utf8");
      answer.on("data", (chunk: string) => (text += chunk));
      answer.on("error", reject);
      answer.on("end", () => {
        if (answer.statusCode === 200) resolve(text);
        else reject(new Error(`the ledger at ${url} cannot be read: status ${String(answer.statusCode)}: ${text}`));
      });
    }).on("error", reject);
  });
}
