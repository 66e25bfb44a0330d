/**
 * Reads of one server in one request: hundreds of hosts are asked several things each, and a request costs both sides more
 * than its answer.
 *
 * Not for: connections and attempts (control-client.ts); mutating calls, which go one by one.
 *
 * Invariants
 * 1. Each read has an end of its own: its answer, its deadline, or its caller's abort. No read waits for another's.
 * 2. A deadline counts from when the batch is sent.
 * 3. The request ends with the last read that somebody waits for.
 */
import { DriverError, messageOf, type Json } from "../../sdk/model";
import { errorFromBody, STATUS_OF_CODE, type CalledRead, type ReadAnswer } from "../agent/control-protocol";
import { DeadlineError, resultOf, toDriverError, type Answer } from "./control-exchange";

/** One read. */
export interface Read {
  readonly name: string;
  readonly args: Readonly<Record<string, string | number>>;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

interface Waiting extends Read {
  readonly resolve: (result: Json) => void;
  readonly reject: (error: unknown) => void;
  timer?: NodeJS.Timeout;
  readonly onAbort: () => void;
}

/** Calls go in the URL, percent-encoded up to three times as long: half of what a server takes for its headers. */
const MOST_CALLS_LENGTH = 10_000;

/** Reads that are gathered, sent once, and answered in any order. */
export class ReadBatch {
  private readonly server: { readonly subject: string; readonly url: string };
  private readonly gathered: Waiting[] = [];
  private readonly waiting = new Set<Waiting>();
  private readonly abort = new AbortController();
  private answered = 0;
  private length = 0;

  /** @param server what errors name */
  constructor(server: { readonly subject: string; readonly url: string }) {
    this.server = server;
  }

  /** Aborts once nobody waits for an answer. */
  get signal(): AbortSignal {
    return this.abort.signal;
  }

  /** True where a read may go along: always into an empty batch. */
  hasRoomFor(read: Read): boolean {
    return this.gathered.length === 0 || this.length + lengthOf(read) <= MOST_CALLS_LENGTH;
  }

  /** Adds a read; before `begin` only. @throws DriverError, or the reason of the read's own signal */
  add(read: Read): Promise<Json> {
    return new Promise((resolve, reject) => {
      const waiting: Waiting = {
        ...read,
        resolve,
        reject,
        onAbort: () => {
          this.settle(waiting, () => {
            reject(toDriverError(new Error(messageOf(read.signal.reason)), this.server, read.timeoutMs));
          });
        },
      };
      this.gathered.push(waiting);
      this.length += lengthOf(read);
      this.waiting.add(waiting);
      if (read.signal.aborted) waiting.onAbort();
      else read.signal.addEventListener("abort", waiting.onAbort, { once: true });
    });
  }

  /** Starts the deadlines. @returns the query of the request */
  begin(): string {
    const calls = this.gathered.map(({ name, args }): CalledRead => [name, args]);
    for (const read of this.waiting) {
      read.timer = setTimeout(() => {
        this.settle(read, () => {
          read.reject(toDriverError(new DeadlineError(), this.server, read.timeoutMs));
        });
      }, read.timeoutMs);
    }
    return new URLSearchParams({ calls: JSON.stringify(calls) }).toString();
  }

  /** Takes one line of the answer. */
  answer(line: string): void {
    const { call, ...answer } = JSON.parse(line) as ReadAnswer;
    const read = this.gathered[call];
    this.answered += 1;
    if (!read) throw new Error(`answers call ${String(call)}, which was not made`);
    this.settle(read, () => {
      if ("error" in answer) {
        read.reject(errorFromBody(answer.error, this.server.subject, STATUS_OF_CODE[answer.error.code]));
      } else read.resolve(answer.result);
    });
  }

  /** Ends all reads that are left: with what the server said instead, or that it said nothing. @throws DriverError */
  end(refusal: Answer | undefined): void {
    if (refusal) resultOf(refusal, this.server.subject);
    if (this.waiting.size === 0) return;
    throw new DriverError("failed", this.server.subject, "ended its answer before everything was told", {
      remedy: "check that both sides run the same version",
    });
  }

  /** Ends all reads that are left with an error of the request. */
  fail(error: unknown): void {
    for (const read of this.waiting) {
      this.settle(read, () => {
        read.reject(toDriverError(error, this.server, read.timeoutMs));
      });
    }
  }

  private settle(read: Waiting, settle: () => void): void {
    if (!this.waiting.delete(read)) return;
    clearTimeout(read.timer);
    read.signal.removeEventListener("abort", read.onAbort);
    settle();
    // Where all were answered the answer is at its end, and its connection good for more.
    if (this.waiting.size === 0 && this.answered < this.gathered.length) this.abort.abort();
  }
}

function lengthOf({ name, args }: Read): number {
  return JSON.stringify([name, args]).length;
}
