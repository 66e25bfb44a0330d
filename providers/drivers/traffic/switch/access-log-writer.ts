/**
 * The access log of the switch: a line of JSON for each request that was answered, in the words that `users` of an
 * island reads. Off unless the configuration names a file.
 *
 * Not for: counts and latencies (traffic-stats.ts, call-stats.ts), which are always kept.
 *
 * Invariants
 * 1. It never stands in the way of a request: lines are kept in memory and written behind; while the disk is slow or full,
 *    lines beyond a bound are left out.
 * 2. It is bounded: a file that is full becomes `<file>.1`, and the one before that goes.
 * 3. Who a session is does not get into it: it is told apart by a hash whose key dies with this process, and queries are
 *    cut off.
 */
import { createHmac, randomBytes } from "node:crypto";
import { appendFile, mkdir, rename, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { messageOf } from "../../../../sdk/model";

/** One answered request. */
export interface AccessLine {
  /** Wall time of its end, ms since the epoch. */
  readonly atMs: number;
  readonly service: string;
  readonly method: string;
  readonly target: string;
  readonly status: number;
  readonly latencyMs: number;
  /** What tells its user from others, such as address and browser. */
  readonly who: string;
}

/** As much as the reader looks at. */
const MOST_FILE_BYTES = 64 * 2 ** 20;
const MOST_BUFFERED_BYTES = 2 ** 20;
const WRITE_AFTER_MS = 500;
const SESSION_DIGITS = 16;

/** See the file's header. */
export class AccessLogWriter {
  private readonly key = randomBytes(32);
  private lines: string[] = [];
  private buffered = 0;
  private leftOut = 0;
  private isTold = false;
  private timer: NodeJS.Timeout | undefined;
  private writing: Promise<void> = Promise.resolve();

  /** @param mostBytes size at which the file is begun anew */
  constructor(
    private readonly file: string,
    private readonly mostBytes = MOST_FILE_BYTES,
  ) {}

  /** Lines that were left out since it began. */
  get lost(): number {
    return this.leftOut;
  }

  /** Keeps a line to be written soon. */
  record({ atMs, service, method, target, status, latencyMs, who }: AccessLine): void {
    const line = `${JSON.stringify({
      time: new Date(atMs).toISOString(),
      service,
      method,
      path: target.split("?", 1)[0],
      status,
      ms: Math.round(latencyMs),
      session: createHmac("sha256", this.key).update(who).digest("hex").slice(0, SESSION_DIGITS),
    })}\n`;
    if (this.buffered + line.length > MOST_BUFFERED_BYTES) {
      this.leftOut += 1;
      return;
    }
    this.lines.push(line);
    this.buffered += line.length;
    this.timer ??= setTimeout(() => {
      this.timer = undefined;
      void this.flush();
    }, WRITE_AFTER_MS).unref();
  }

  /** Writes what is left. */
  async close(): Promise<void> {
    clearTimeout(this.timer);
    await this.flush();
  }

  private flush(): Promise<void> {
    this.writing = this.writing.then(() => this.write());
    return this.writing;
  }

  private async write(): Promise<void> {
    const { lines, buffered } = this;
    if (lines.length === 0) return;
    this.lines = [];
    try {
      await mkdir(dirname(this.file), { recursive: true });
      const { size } = await stat(this.file).catch(() => ({ size: 0 }));
      if (size > 0 && size + buffered > this.mostBytes) await rename(this.file, `${this.file}.1`);
      await appendFile(this.file, lines.join(""), { mode: 0o600 });
    } catch (error) {
      this.leftOut += lines.length;
      if (!this.isTold) process.stderr.write(`switch: the access log cannot be written: ${messageOf(error)}\n`);
      this.isTold = true;
    } finally {
      this.buffered -= buffered;
    }
  }
}
