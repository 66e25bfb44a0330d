/**
 * One request of a client, from its head to the end of its answer: waits for a backend, is sent, is sent again where
 * that is safe, and streams both bodies with back-pressure.
 *
 * Not for: who may take it (service.ts).
 *
 * Invariants
 * 1. A request is sent a second time only if (a) the first never reached a backend: its connection was refused, or
 *    (b) the backend said by `x-archipelago-quiesced` that it did nothing, or (c) its method is idempotent and no
 *    byte of an answer came. A POST that was written to a live connection is never sent again.
 * 2. What was read of the client's body is kept until it is too large to be sent again; while the request waits,
 *    nothing is read.
 * 3. Every attempt that was begun at a backend is ended once, whatever happens.
 */
import { request as httpRequest } from "node:http";
import type { ClientRequest, IncomingMessage, ServerResponse } from "node:http";
import { messageOf } from "../../../../sdk/model";
import type { BackendRuntime } from "./backend";
import { CALLER_HEADER } from "./call-stats";
import { forwardRequestHeaders, forwardResponseHeaders, hasBody } from "./headers";
import type { ServiceRuntime } from "./service";
import { isRefused } from "./service-record";
import { SLOW_HEADER } from "./traffic-stats";
import type { Waiter } from "./waiting-room";

/** A copy of an exclusive workload that is quiesced or on standby answers 503 with this header and does nothing. */
export const QUIESCED_HEADER = "x-archipelago-quiesced";

/** Methods whose repetition has the effect of one (RFC 9110, section 9.2.2). */
const IDEMPOTENT: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"]);
/** Broken attempts after which a request fails; refused connections do not count, they are bounded by time. */
const MOST_BROKEN_ATTEMPTS = 3;
/** About as long as a wave takes: whose path is refused need not ask again soon. */
const TURNED_AWAY_S = 60;

interface Attempt {
  readonly backend: BackendRuntime;
  readonly call: ClientRequest;
  /** Anything after this belongs to an attempt that was given up. */
  isOver: boolean;
}

/** See the file's header. */
export class Exchange implements Waiter {
  readonly giveUpAt: number;
  private readonly startedAt: number;
  private readonly hasBody: boolean;
  private headers: readonly string[] | undefined;
  private attempt: Attempt | undefined;
  private tried: Set<BackendRuntime> | undefined;
  private brokenAttempts = 0;
  private waitingSince: number | undefined;
  private isParked = false;
  private isGone = false;
  private isFailed = false;
  /** Its path is refused for a time, on purpose. */
  private isTurnedAway = false;
  /** What was read of the body; undefined once it is too large to be sent again. */
  private kept: Buffer[] | undefined = [];
  private keptBytes = 0;
  private isReading = false;
  private isRead = false;
  private bodyBytes = 0;
  private answerBytes = 0;

  constructor(
    private readonly service: ServiceRuntime,
    private readonly request: IncomingMessage,
    private readonly response: ServerResponse,
    private readonly expectsContinue: boolean,
  ) {
    this.startedAt = service.clock.monotonic();
    this.giveUpAt = this.startedAt + service.limits.maxWaitMs;
    this.hasBody = hasBody(request);
    response.on("close", () => {
      this.finish();
    });
    // A client that breaks off shows as `close`; without listeners the error would end the process.
    request.on("error", ignore);
    response.on("error", ignore);
  }

  /** Sends it to a backend, or waits for one. */
  begin(): void {
    if (this.attempt === undefined && isRefused(this.service.record, this.request.url ?? "")) {
      this.turnAway();
      return;
    }
    let backend = this.service.choose(this.tried);
    if (backend === undefined && this.tried !== undefined) {
      // All others are gone: the one that broke may be tried again.
      this.tried = undefined;
      backend = this.service.choose();
    }
    if (backend !== undefined) {
      this.send(backend);
      return;
    }
    const now = this.service.clock.monotonic();
    if (now >= this.giveUpAt) {
      this.giveUp();
    } else if (this.service.wait(this)) {
      this.waitingSince ??= now;
      if (!this.isParked) this.isParked = this.service.countParked();
    } else {
      this.fail(503, "too many requests are waiting for this service");
    }
  }

  proceed(): void {
    if (this.isParked) this.service.noteHeld(this.service.clock.monotonic() - (this.waitingSince ?? this.startedAt));
    this.begin();
  }

  giveUp(): void {
    this.fail(503, "no backend of this service could take the request in time");
  }

  private send(backend: BackendRuntime): void {
    const call = this.createCall(backend);
    if (call === undefined) return;
    backend.begin(Math.floor(this.service.clock.monotonic() / 1000));
    const attempt: Attempt = { backend, call, isOver: false };
    this.attempt = attempt;
    call.on("close", () => {
      backend.end();
    });
    call.on("error", (error: NodeJS.ErrnoException) => {
      this.breakOff(attempt, error);
    });
    call.on("timeout", () => {
      call.destroy(new SilentBackendError());
    });
    call.on("response", (answer: IncomingMessage) => {
      this.answer(attempt, answer);
    });
    if (this.hasBody) this.sendBody(attempt);
    else call.end();
  }

  /** Node's client refuses some of what its server lets pass; such a request must not end the switch. */
  private createCall(backend: BackendRuntime): ClientRequest | undefined {
    try {
      this.headers ??= forwardRequestHeaders(this.request);
      return httpRequest({
        agent: backend.agent,
        host: backend.host,
        port: backend.port,
        method: this.request.method ?? "GET",
        path: this.request.url ?? "/",
        headers: this.headers,
        setHost: false,
        timeout: this.service.limits.backendSilenceMs,
      });
    } catch (error) {
      this.fail(400, messageOf(error));
      return undefined;
    }
  }

  /** Waits for the connection, so that a refused one has consumed nothing that could not be sent again. */
  private sendBody(attempt: Attempt): void {
    const { call } = attempt;
    const start = (): void => {
      if (attempt.isOver) return;
      for (const chunk of this.kept ?? []) call.write(chunk);
      if (this.isRead) call.end();
      else this.readBody();
    };
    call.on("socket", (socket) => {
      if (socket.connecting) socket.once("connect", start);
      else start();
    });
    call.on("drain", () => {
      if (!attempt.isOver) this.request.resume();
    });
  }

  private readBody(): void {
    if (this.isReading) {
      this.request.resume();
      return;
    }
    this.isReading = true;
    if (this.expectsContinue) this.response.writeContinue();
    this.request.on("data", (chunk: Buffer) => {
      this.keepChunk(chunk);
      const { attempt } = this;
      if (attempt === undefined || attempt.isOver) this.request.pause();
      else if (!attempt.call.write(chunk)) this.request.pause();
    });
    this.request.on("end", () => {
      this.isRead = true;
      if (this.attempt?.isOver === false) this.attempt.call.end();
    });
    // An earlier attempt may have paused it, and a listener alone does not undo that.
    this.request.resume();
  }

  private keepChunk(chunk: Buffer): void {
    this.bodyBytes += chunk.length;
    if (this.kept === undefined) return;
    this.keptBytes += chunk.length;
    if (this.keptBytes <= this.service.limits.replayBytes) this.kept.push(chunk);
    else this.kept = undefined;
  }

  private answer(attempt: Attempt, answer: IncomingMessage): void {
    if (attempt.isOver) {
      answer.resume();
      return;
    }
    if (this.isRefusedByQuiesced(answer)) {
      attempt.isOver = true;
      this.request.pause();
      // The connection may still wait for the rest of the body; it is not worth keeping.
      if (this.hasBody && !this.isRead) attempt.call.destroy();
      else answer.resume();
      attempt.backend.markUnhealthy();
      this.begin();
      return;
    }
    const { response } = this;
    try {
      response.writeHead(answer.statusCode ?? 502, answer.statusMessage ?? "", forwardResponseHeaders(answer));
    } catch (error) {
      // Such as status 099: no valid answer, and no reason to end the switch.
      attempt.isOver = true;
      attempt.call.destroy();
      this.fail(502, `the backend's answer is not valid: ${messageOf(error)}`);
      return;
    }
    if ((answer.statusCode ?? 0) >= 500) this.isFailed = true;
    answer.on("error", () => {
      this.breakAnswer(attempt);
    });
    answer.on("end", () => {
      attempt.isOver = true;
      // An answer before the end of the body: the backend does not want the rest.
      if (this.hasBody && !this.isRead) {
        attempt.call.destroy();
        this.request.resume();
      }
    });
    answer.on("data", (chunk: Buffer) => {
      this.answerBytes += chunk.length;
    });
    answer.pipe(response);
  }

  private isRefusedByQuiesced(answer: IncomingMessage): boolean {
    return (
      this.service.record.exclusive &&
      answer.statusCode === 503 &&
      answer.headers[QUIESCED_HEADER] !== undefined &&
      this.kept !== undefined
    );
  }

  /** The backend is gone while its answer is under way: the client must not take what it got for the whole. */
  private breakAnswer(attempt: Attempt): void {
    if (attempt.isOver) return;
    attempt.isOver = true;
    this.isFailed = true;
    void attempt.backend.check();
    this.response.destroy();
  }

  /** No byte of an answer came. */
  private breakOff(attempt: Attempt, error: NodeJS.ErrnoException): void {
    if (attempt.isOver) return;
    if (this.response.headersSent) {
      this.breakAnswer(attempt);
      return;
    }
    attempt.isOver = true;
    if (this.isGone) return;
    const isRefused = error.syscall === "connect";
    if (isRefused) attempt.backend.markUnhealthy();
    else void attempt.backend.check();
    if (error instanceof SilentBackendError) {
      this.fail(504, "the backend did not answer in time");
      return;
    }
    if (!isRefused) this.brokenAttempts += 1;
    const isSafe = isRefused || IDEMPOTENT.has(this.request.method ?? "");
    if (isSafe && this.kept !== undefined && this.brokenAttempts < MOST_BROKEN_ATTEMPTS) {
      this.request.pause();
      this.tried ??= new Set();
      this.tried.add(attempt.backend);
      this.begin();
      return;
    }
    this.fail(502, "the backend broke off before it answered");
  }

  private turnAway(): void {
    this.isTurnedAway = true;
    this.respond(503, "this part of the service is off for a while", TURNED_AWAY_S);
  }

  private fail(status: number, reason: string): void {
    if (this.response.headersSent || this.isGone) return;
    this.isFailed = true;
    this.respond(status, reason, 1);
  }

  private respond(status: number, reason: string, retryAfterS: number): void {
    const text = `${JSON.stringify({ error: reason, service: this.service.name })}\n`;
    this.response.writeHead(status, {
      "content-type": "application/json",
      "content-length": Buffer.byteLength(text),
      ...(status === 503 ? { "retry-after": String(retryAfterS) } : {}),
      // What the client still sends would be taken for its next request.
      ...(this.hasBody && !this.isRead ? { connection: "close" } : {}),
    });
    this.response.end(text);
  }

  /** The answer is with the client, or the client is gone. */
  private finish(): void {
    const { clock, stats, calls, room } = this.service;
    if (!this.response.writableFinished && !this.isFailed && !this.isTurnedAway) {
      this.isGone = true;
      room.leave(this);
    }
    if (this.attempt !== undefined && !this.attempt.isOver) {
      this.attempt.isOver = true;
      this.attempt.call.destroy();
    }
    // Neither answered nor failed: a client that left says nothing about the service.
    if (this.isGone) return;
    const { method = "", url: target = "", headers } = this.request;
    const latencyMs = clock.monotonic() - this.startedAt;
    // What is refused on purpose is no failure, and says nothing about latency; it was called all the same.
    if (!this.isTurnedAway) stats.record(clock.now(), latencyMs, this.isFailed, headers[SLOW_HEADER] === "1");
    const caller = headers[CALLER_HEADER];
    calls.record(clock.now(), {
      method,
      target,
      caller: typeof caller === "string" ? caller : undefined,
      latencyMs,
      isFailed: this.isFailed,
      bytes: this.bodyBytes + this.answerBytes,
    });
    this.service.accessLog?.record({
      atMs: clock.now(),
      service: this.service.name,
      method,
      target,
      status: this.response.statusCode,
      latencyMs,
      who: whoAsks(this.request),
    });
  }
}

/** A cookie or user that says who it is; else address and browser, as logs of web servers tell people apart. */
function whoAsks({ headers, socket }: IncomingMessage): string {
  const { cookie, authorization, "user-agent": agent = "", "x-forwarded-for": forwarded } = headers;
  return cookie ?? authorization ?? `${String(forwarded ?? socket.remoteAddress)} ${agent}`;
}

/** The backend was silent for too long. */
class SilentBackendError extends Error {
  constructor() {
    super("the backend was silent for too long");
  }
}

function ignore(): void {
  // See the constructor.
}
