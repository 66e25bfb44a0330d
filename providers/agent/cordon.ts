/**
 * The cordon mark of this host: who put it and when it lapses by itself. The agent reports it; planners respect it.
 *
 * Invariant: an owner never replaces or removes another owner's mark that has not lapsed.
 */
import { DriverError, type Mark } from "../../sdk/model";
import type { Clock } from "../clock";
import { readRecord, removeRecord, writeRecord } from "./host-folder";

/** See the file's header. */
export class Cordon {
  readonly #host: string;
  readonly #path: string;
  readonly #clock: Clock;
  #mark: Mark | undefined;

  constructor(host: string, path: string, clock: Clock) {
    this.#host = host;
    this.#path = path;
    this.#clock = clock;
  }

  async recover(): Promise<void> {
    this.#mark = (await readRecord(this.#path)) as Mark | undefined;
  }

  /** The mark that holds now. */
  observe(): Mark | undefined {
    return this.#mark && this.#mark.expiresAt > this.#clock.now() ? this.#mark : undefined;
  }

  /** @throws DriverError conflict */
  async put(mark: Mark): Promise<void> {
    const held = this.observe();
    if (held && held.owner !== mark.owner) {
      const until = new Date(held.expiresAt).toISOString();
      throw new DriverError("conflict", this.#host, `is cordoned by ${held.owner} until ${until}`, {
        remedy: "wait for that owner, or remove its mark with its own tool",
      });
    }
    await writeRecord(this.#path, mark);
    this.#mark = mark;
  }

  /** Removes this owner's mark; without one it does nothing. */
  async remove(owner: string): Promise<void> {
    if (this.#mark?.owner !== owner) return;
    await removeRecord(this.#path);
    this.#mark = undefined;
  }
}
