/**
 * Durable memory of mutating calls: the highest epoch seen of each resource, and the results of recent calls by key.
 *
 * Not for: carrying calls out (control-server.ts).
 *
 * Invariants
 * 1. What `admitEpoch` or `record` acknowledged survives a crash of the process and of the machine.
 * 2. Epochs are never forgotten; results are, oldest first, beyond `RESULTS_KEPT`.
 * 3. A torn last line (a crash while appending) is dropped: it was never acknowledged.
 */
import { mkdir, open, readFile, rename, type FileHandle } from "node:fs/promises";
import { dirname } from "node:path";
import type { Json } from "../../sdk/model";

/** Result of a call that was carried out. */
export interface RecordedCall {
  readonly key: string;
  readonly route: string;
  readonly result: Json;
}

type Line =
  | { readonly kind: "epoch"; readonly resource: string; readonly epoch: number }
  | ({ readonly kind: "call" } & RecordedCall);

/** Lines that are written together. */
interface Batch {
  readonly lines: Line[];
  readonly written: Promise<void>;
}

/** A run of thousands of steps makes a few calls each per host; repeats come within minutes, not days. */
const RESULTS_KEPT = 4096;

/** See the file's header. */
export class CallLedger {
  readonly #path: string;
  readonly #epochs = new Map<string, number>();
  readonly #calls = new Map<string, RecordedCall>();
  #file: FileHandle | undefined;
  #lines = 0;
  #isTorn = false;
  #batch: Batch | undefined;
  #tail: Promise<void> = Promise.resolve();

  private constructor(path: string) {
    this.#path = path;
  }

  /** Reads the file, or starts an empty one. */
  static async open(path: string): Promise<CallLedger> {
    const ledger = new CallLedger(path);
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    for (const line of parseLines(await readIfThere(path))) ledger.#apply(line);
    await ledger.#compact();
    return ledger;
  }

  /** Highest epoch seen; undefined before the first. */
  epochOf(resource: string): number | undefined {
    return this.#epochs.get(resource);
  }

  callOf(key: string): RecordedCall | undefined {
    return this.#calls.get(key);
  }

  /** Keeps `epoch` as the highest, durably; false when a higher one was seen. */
  async admitEpoch(resource: string, epoch: number): Promise<boolean> {
    const highest = this.#epochs.get(resource);
    if (highest !== undefined && epoch < highest) return false;
    if (highest !== epoch) await this.#append({ kind: "epoch", resource, epoch });
    return true;
  }

  /** Keeps a call's result, durably. */
  async record(call: RecordedCall): Promise<void> {
    await this.#append({ kind: "call", ...call });
  }

  /** Waits for what is being written and closes the file. */
  async close(): Promise<void> {
    await this.#tail.catch(() => undefined);
    await this.#file?.close();
    this.#file = undefined;
  }

  /** In order, and those of the same moment with one sync; memory follows at once, so that it refuses already. */
  #append(line: Line): Promise<void> {
    this.#apply(line);
    this.#batch ??= this.#openBatch();
    this.#batch.lines.push(line);
    return this.#batch.written;
  }

  /** Takes lines until the writes before it are done. All of a batch are acknowledged, or none. */
  #openBatch(): Batch {
    const lines: Line[] = [];
    const written = this.#tail.then(() => {
      this.#batch = undefined;
      return this.#write(lines);
    });
    this.#tail = written.catch(() => undefined);
    return { lines, written };
  }

  async #write(lines: readonly Line[]): Promise<void> {
    if (!this.#file) throw new Error(`${this.#path} is closed`);
    if (this.#isTorn || this.#lines + lines.length > 2 * RESULTS_KEPT) {
      await this.#compact(); // Memory holds these lines already.
      return;
    }
    // Until this is done the file may end in the middle of a line, as on a full disk; nothing may follow that.
    this.#isTorn = true;
    await this.#file.appendFile(lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
    await this.#file.datasync();
    this.#isTorn = false;
    this.#lines += lines.length;
  }

  #apply(line: Line): void {
    if (line.kind === "epoch") {
      this.#epochs.set(line.resource, Math.max(line.epoch, this.#epochs.get(line.resource) ?? line.epoch));
      return;
    }
    this.#calls.delete(line.key);
    this.#calls.set(line.key, { key: line.key, route: line.route, result: line.result });
    const oldest = this.#calls.keys().next();
    if (this.#calls.size > RESULTS_KEPT && !oldest.done) this.#calls.delete(oldest.value);
  }

  /** Writes what is remembered to a new file that replaces the old one. */
  async #compact(): Promise<void> {
    const lines: Line[] = [
      ...Array.from(this.#epochs, ([resource, epoch]): Line => ({ kind: "epoch", resource, epoch })),
      ...Array.from(this.#calls.values(), (call): Line => ({ kind: "call", ...call })),
    ];
    const draft = `${this.#path}.new`;
    const file = await open(draft, "w", 0o600);
    await file.writeFile(lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
    await file.datasync();
    await rename(draft, this.#path);
    await this.#file?.close();
    this.#file = file;
    this.#lines = lines.length;
    this.#isTorn = false;
  }
}

function parseLines(text: string): Line[] {
  const lines: Line[] = [];
  for (const line of text.split("\n")) {
    if (line === "") continue;
    try {
      lines.push(JSON.parse(line) as Line);
    } catch {
      break; // Torn by a crash while appending: never acknowledged (invariant 3).
    }
  }
  return lines;
}

async function readIfThere(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return "";
    throw error;
  }
}
