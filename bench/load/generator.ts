/**
 * The load generator's process: begins requests at a fixed rate whatever the answers do, so that a stall of the
 * service shows as latency instead of as fewer requests.
 *
 * Not for: starting it (start-load.ts) and what is measured (load-record.ts).
 *
 * Invariant: every request ends as answered or as failed before the result is sent.
 */
import { Agent, request as httpRequest } from "node:http";
import type { IncomingMessage } from "node:http";
import type { LoadCommand, LoadMessage, LoadOptions } from "./load-contract";
import { LoadRecord } from "./load-record";
import { createRequestMix } from "./request-mix";
import type { PlannedRequest } from "./request-mix";

/** Sends what is due; below the time that a request takes, so that sends are spread and not bunched. */
const TICK_MS = 2;
const PROGRESS_MS = 1_000;
/** Beyond this the services are far behind; more would only exhaust this process. */
const MOST_IN_FLIGHT = 10_000;
/** Idle connections end here before the switch would close them. */
const IDLE_MS = 20_000;

/** One load, from its start to its result. */
class Load {
  private readonly agent = new Agent({ keepAlive: true, maxFreeSockets: 512, timeout: IDLE_MS });
  private readonly startedAt = performance.now();
  private readonly record: LoadRecord;
  private readonly next: () => PlannedRequest;
  private readonly endAt: number;
  private readonly tick: NodeJS.Timeout;
  private readonly progress: NodeJS.Timeout;
  private readonly run = `${String(process.pid)}-${String(Date.now())}`;
  private inFlight = 0;
  private sent = 0;
  private isStopping = false;

  constructor(
    private readonly options: LoadOptions,
    private readonly tell: (message: LoadMessage) => void,
  ) {
    this.record = new LoadRecord(options.phase ?? "steady", this.startedAt);
    this.next = createRequestMix(
      {
        slowShare: options.slowShare ?? 0.05,
        newConnectionShare: options.newConnectionShare ?? 0.1,
        ledgerShare: options.services.ledger === undefined ? 0 : (options.ledgerShare ?? 0.05),
      },
      options.seed ?? 1,
    );
    this.endAt = this.startedAt + (options.maxSeconds ?? 600) * 1000;
    this.tick = setInterval(() => {
      this.sendDue();
    }, TICK_MS);
    this.progress = setInterval(() => {
      this.tellProgress();
    }, PROGRESS_MS);
  }

  mark(phase: string): void {
    this.record.mark(phase, performance.now());
  }

  stop(): void {
    if (this.isStopping) return;
    this.isStopping = true;
    clearInterval(this.tick);
    this.finishWhenIdle();
  }

  private sendDue(): void {
    const now = performance.now();
    const { ratePerSecond, maxRequests = Number.POSITIVE_INFINITY } = this.options;
    if (now >= this.endAt || this.sent >= maxRequests) {
      this.stop();
      return;
    }
    const due = Math.min(maxRequests, Math.floor(((now - this.startedAt) / 1000) * ratePerSecond));
    while (this.sent < due) {
      const dueAt = this.startedAt + (this.sent / ratePerSecond) * 1000;
      this.sent += 1;
      this.record.noteSent(now - dueAt);
      this.send(this.next(), this.sent);
    }
  }

  private send(planned: PlannedRequest, number: number): void {
    const { record } = this;
    const { phase } = record;
    const id = `${this.run}-${String(number)}`;
    const { method, url, body, headers } = this.describe(planned, id);
    const fail = (reason: string): void => {
      record.noteFailed(planned.kind, { atMs: Date.now(), phase, request: `${method} ${url}`, reason });
    };
    if (this.inFlight >= MOST_IN_FLIGHT) {
      fail("not sent: too many requests are under way");
      return;
    }
    const begunAt = performance.now();
    let isOver = false;
    const finish = (reason: string | undefined): void => {
      if (isOver) return;
      isOver = true;
      clearTimeout(timer);
      this.inFlight -= 1;
      if (reason !== undefined) {
        fail(reason);
      } else {
        record.noteAnswered(phase, planned.kind, performance.now() - begunAt);
        if (planned.kind === "ledger") record.ackedLedgerIds.push(id);
      }
      this.finishWhenIdle();
    };
    this.inFlight += 1;
    const call = httpRequest(url, { method, headers, agent: planned.isNewConnection ? false : this.agent });
    const timer = setTimeout(() => {
      finish("no answer in time");
      call.destroy();
    }, this.options.timeoutMs ?? 20_000);
    call.on("error", (error: NodeJS.ErrnoException) => {
      finish(`${error.code ?? ""} ${error.message}`.trim());
    });
    call.on("response", (answer: IncomingMessage) => {
      readAnswer(answer, finish);
    });
    call.end(body);
  }

  private describe(planned: PlannedRequest, id: string) {
    const { front, ledger = "" } = this.options.services;
    switch (planned.kind) {
      case "page":
        return { method: "GET", url: `${front}/`, body: undefined, headers: {} };
      case "slow":
        return { method: "GET", url: `${front}/slow`, body: undefined, headers: { "x-archipelago-slow": "1" } };
      case "ledger": {
        const body = JSON.stringify({ id, amount: 1 });
        const headers = { "content-type": "application/json", "content-length": String(Buffer.byteLength(body)) };
        return { method: "POST", url: `${ledger}/entries`, body, headers };
      }
    }
  }

  private tellProgress(): void {
    const { phase, requests, failed, ackedLedgerIds } = this.record;
    const progress = { phase, requests, failed, inFlight: this.inFlight, ackedWrites: ackedLedgerIds.length };
    this.tell({ kind: "progress", progress });
  }

  private finishWhenIdle(): void {
    if (!this.isStopping || this.inFlight > 0) return;
    clearInterval(this.progress);
    this.agent.destroy();
    this.tell({ kind: "result", result: this.record.result(performance.now()) });
  }
}

function readAnswer(answer: IncomingMessage, finish: (reason: string | undefined) => void): void {
  const status = answer.statusCode ?? 0;
  const isGood = status >= 200 && status < 300;
  let text = "";
  answer.on("data", (chunk: Buffer) => {
    if (!isGood && text.length < 200) text += chunk.toString("utf8");
  });
  answer.on("error", (error) => {
    finish(`answer broke off: ${error.message}`);
  });
  answer.on("end", () => {
    finish(isGood ? undefined : `status ${String(status)}: ${text.trim()}`);
  });
}

/** Takes commands from the parent until it goes away. */
function main(): void {
  let load: Load | undefined;
  const tell = (message: LoadMessage): void => {
    process.send?.(message);
  };
  process.on("message", (command: LoadCommand) => {
    switch (command.kind) {
      case "start":
        load ??= new Load(command.options, tell);
        tell({ kind: "started" });
        break;
      case "mark":
        load?.mark(command.phase);
        tell({ kind: "marked", phase: command.phase });
        break;
      case "stop":
        load?.stop();
        break;
    }
  });
  process.on("disconnect", () => process.exit(0));
  tell({ kind: "ready" });
}

if (require.main === module) main();
