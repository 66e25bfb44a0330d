/**
 * A connection that is upgraded (RFC 9110, section 7.8), such as a WebSocket: waits for a backend like any request, and
 * once the backend agrees, bytes pass both ways until one side ends.
 *
 * Not for: requests (exchange.ts); content of what passes.
 *
 * Invariants
 * 1. It counts as one request under way at its backend until both sides are closed.
 * 2. Only the head is sent a second time, and only if it never reached a backend or a quiesced copy refused it.
 * 3. `goAway` ends it cleanly: a WebSocket gets a Close frame (1001) between two frames, anything else an end of stream;
 *    what does not close by itself is cut a moment later.
 */
import { request as httpRequest } from "node:http";
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import type { BackendRuntime } from "./backend";
import { FrameBoundary, goingAwayFrame } from "./frame-boundary";
import { forwardRequestHeaders, forwardResponseHeaders, hasBody } from "./headers";
import type { ServiceRuntime } from "./service";
import { QUIESCED_HEADER } from "./exchange";
import type { Waiter } from "./waiting-room";

/** How long both sides may take to close after they were told. */
const GOODBYE_MS = 500;
/** How long one side may go on after the other has ended: upgraded protocols seldom use half a connection. */
const HALF_OPEN_MS = 5_000;

/** See the file's header. */
export class Tunnel implements Waiter {
  readonly giveUpAt: number;
  private readonly startedAt: number;
  private backend: BackendRuntime | undefined;
  private server: Duplex | undefined;
  private toClient: Direction | undefined;
  private toServer: Direction | undefined;
  private isOver = false;
  private isLeaving = false;
  private goodbye: NodeJS.Timeout | undefined;

  constructor(
    private readonly service: ServiceRuntime,
    private readonly request: IncomingMessage,
    private readonly client: Duplex,
    private readonly early: Buffer,
  ) {
    this.startedAt = service.clock.monotonic();
    this.giveUpAt = this.startedAt + service.limits.maxWaitMs;
    client.on("error", () => client.destroy());
    client.on("close", () => {
      this.end();
    });
  }

  /** Asks a backend, or waits for one. */
  begin(): void {
    if (this.isOver) return;
    if (hasBody(this.request)) {
      this.refuse("400 Bad Request", "an upgrade must not have a body");
      return;
    }
    const backend = this.service.choose();
    if (backend !== undefined) this.send(backend);
    else if (this.service.clock.monotonic() >= this.giveUpAt) this.giveUp();
    else if (!this.service.wait(this)) this.refuse("503 Service Unavailable", "too many requests are waiting");
  }

  proceed(): void {
    this.begin();
  }

  giveUp(): void {
    this.refuse("503 Service Unavailable", "no backend of this service could take the request in time");
  }

  /** Ends it cleanly (invariant 3). */
  goAway(): void {
    if (this.isLeaving || this.isOver) return;
    this.isLeaving = true;
    this.cutAfter(GOODBYE_MS);
    if (this.server === undefined) return;
    this.toClient?.leave();
    this.toServer?.leave();
  }

  private cutAfter(ms: number): void {
    clearTimeout(this.goodbye);
    this.goodbye = setTimeout(() => {
      this.client.destroy();
      this.end();
    }, ms);
  }

  private send(backend: BackendRuntime): void {
    const call = httpRequest({
      // A connection of its own: an upgraded one never comes back to a pool.
      agent: false,
      host: backend.host,
      port: backend.port,
      method: this.request.method ?? "GET",
      path: this.request.url ?? "/",
      headers: [
        ...forwardRequestHeaders(this.request),
        ...["Connection", "Upgrade", "Upgrade", this.request.headers.upgrade ?? ""],
      ],
      setHost: false,
      timeout: this.service.limits.backendSilenceMs,
    });
    this.backend = backend;
    backend.begin(Math.floor(this.service.clock.monotonic() / 1000));
    backend.tunnels.add(this);
    call.on("timeout", () => call.destroy(new Error("the backend was silent for too long")));
    call.on("upgrade", (answer: IncomingMessage, server: Duplex, head: Buffer) => {
      if (this.isOver) server.destroy();
      else this.open(answer, server, head);
    });
    call.on("response", (answer: IncomingMessage) => {
      this.pass(answer, backend);
    });
    call.on("error", (error: NodeJS.ErrnoException) => {
      if (this.isOver || this.server !== undefined) return;
      this.release();
      const isRefused = error.syscall === "connect";
      if (isRefused) backend.markUnhealthy();
      else void backend.check();
      if (isRefused && !this.isLeaving) this.begin();
      else this.refuse("502 Bad Gateway", "the backend broke off before it answered");
    });
    this.client.once("close", () => call.destroy());
    call.end();
  }

  /** The backend agreed. */
  private open(answer: IncomingMessage, server: Duplex, head: Buffer): void {
    this.server = server;
    const isWebSocket = (answer.headers.upgrade ?? "").toLowerCase() === "websocket";
    const lines = [`HTTP/1.1 101 ${answer.statusMessage ?? ""}`];
    const raw = answer.rawHeaders;
    for (let i = 0; i + 1 < raw.length; i += 2) lines.push(`${raw[i] ?? ""}: ${raw[i + 1] ?? ""}`);
    this.client.write(`${lines.join("\r\n")}\r\n\r\n`);
    for (const side of [this.client, server]) {
      side.once("end", () => {
        if (!this.isLeaving) this.cutAfter(HALF_OPEN_MS);
      });
    }
    server.on("error", () => server.destroy());
    server.on("close", () => {
      this.client.end();
      this.end();
    });
    this.toClient = new Direction(server, this.client, isWebSocket ? "client" : undefined);
    this.toServer = new Direction(this.client, server, isWebSocket ? "server" : undefined);
    this.toClient.take(head);
    this.toServer.take(this.early);
    if (this.isLeaving) {
      this.toClient.leave();
      this.toServer.leave();
    }
  }

  /** The backend answered as if nothing had been said of an upgrade. */
  private pass(answer: IncomingMessage, backend: BackendRuntime): void {
    const isQuiesced =
      this.service.record.exclusive && answer.statusCode === 503 && answer.headers[QUIESCED_HEADER] !== undefined;
    if (isQuiesced) {
      answer.resume();
      this.release();
      backend.markUnhealthy();
      this.begin();
      return;
    }
    const lines = [`HTTP/1.1 ${String(answer.statusCode ?? 502)} ${answer.statusMessage ?? ""}`, "Connection: close"];
    const headers = forwardResponseHeaders(answer);
    for (let i = 0; i + 1 < headers.length; i += 2) lines.push(`${headers[i] ?? ""}: ${headers[i + 1] ?? ""}`);
    this.client.write(`${lines.join("\r\n")}\r\n\r\n`);
    answer.on("error", () => this.client.destroy());
    answer.pipe(this.client);
  }

  private refuse(status: string, reason: string): void {
    if (this.isOver) return;
    const text = `${JSON.stringify({ error: reason, service: this.service.name })}\n`;
    const head = [`HTTP/1.1 ${status}`, "Content-Type: application/json", "Connection: close"];
    this.client.end(`${head.join("\r\n")}\r\nContent-Length: ${String(Buffer.byteLength(text))}\r\n\r\n${text}`);
    const { stats, clock } = this.service;
    stats.record(clock.now(), clock.monotonic() - this.startedAt, true, true);
    this.end();
  }

  /** Both sides are closed, or will be. */
  private end(): void {
    if (this.isOver) return;
    this.isOver = true;
    clearTimeout(this.goodbye);
    this.service.room.leave(this);
    this.server?.destroy();
    this.release();
    // How long it was open is no latency: it counts among the slow ones.
    const { stats, clock } = this.service;
    if (this.server !== undefined) stats.record(clock.now(), clock.monotonic() - this.startedAt, false, true);
  }

  private release(): void {
    this.backend?.tunnels.delete(this);
    this.backend?.end();
    this.backend = undefined;
  }
}

/** Bytes of one direction, with back-pressure. */
class Direction {
  private readonly boundary = new FrameBoundary();
  private isLeaving = false;

  /** @param webSocketTo whom a Close frame would be for; undefined: not a WebSocket */
  constructor(
    private readonly from: Duplex,
    private readonly to: Duplex,
    private readonly webSocketTo: "client" | "server" | undefined,
  ) {
    from.on("data", (chunk: Buffer) => {
      this.take(chunk);
    });
    from.on("end", () => to.end());
    to.on("drain", () => from.resume());
  }

  take(chunk: Buffer): void {
    if (chunk.length === 0) return;
    const wasBetween = this.boundary.isBetween;
    const complete = this.webSocketTo === undefined ? 0 : this.boundary.push(chunk);
    if (!this.isLeaving) {
      if (!this.to.write(chunk)) this.from.pause();
      return;
    }
    // Leaving: what belongs to the frame under way still passes, nothing after it.
    if (this.webSocketTo === undefined || wasBetween || this.to.writableEnded) return;
    this.to.write(complete > 0 ? chunk.subarray(0, complete) : chunk);
    if (complete > 0) this.sayGoodbye();
  }

  leave(): void {
    if (this.isLeaving) return;
    this.isLeaving = true;
    if (this.webSocketTo === undefined || this.boundary.isBetween) this.sayGoodbye();
  }

  private sayGoodbye(): void {
    if (this.to.writableEnded) return;
    if (this.webSocketTo === undefined) this.to.end();
    else this.to.end(goingAwayFrame(this.webSocketTo));
  }
}
