/**
 * What HAProxy tells of every request when it ended, as one UDP datagram on the loopback address: the source of what
 * clients saw and of rates.
 *
 * Not for: control. Datagrams that are lost (a switch that restarts, an overloaded machine) are requests that are not
 * counted, nothing else. Latencies are whole milliseconds.
 */
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";

/** One request that ended. */
export interface LoggedRequest {
  readonly backend: string;
  /** Server's name; `<NOSRV>` when none got it. */
  readonly server: string;
  readonly latencyMs: number;
  readonly isFailed: boolean;
  /** The client marked it, or it was an upgraded connection: its latency is no one's measure. */
  readonly isSlow: boolean;
  /** The client left before the answer was complete: it says nothing about the service. */
  readonly isGone: boolean;
  readonly method: string;
  readonly target: string;
  readonly caller: string | undefined;
  /** Of both directions, heads included. */
  readonly bytes: number;
}

/** The `log-format` of haproxy-config.ts. */
const LINE = /^archipelago (\S+) (\S+) (-?\d+) \+?(-?\d+) (\S\S) (\S+) (\S+) \+?(\d+) \+?(\d+) (\S+) (\S+)\s*$/;
const SWITCHING_PROTOCOLS = 101;

/** Reads one line; undefined for what HAProxy says about itself. */
export function parseLogLine(line: string): LoggedRequest | undefined {
  const [, backend, server, statusText, latency, ended, slow, caller, sent, answered, method, target] =
    LINE.exec(line) ?? [];
  if (backend === undefined || server === undefined || ended === undefined) return undefined;
  const status = Number(statusText);
  const isTunnel = status === SWITCHING_PROTOCOLS;
  const isGone = ended.startsWith("C") && !isTunnel;
  return {
    backend,
    server,
    latencyMs: Math.max(0, Number(latency)),
    // Termination states: section 8.5 of the configuration manual. `-` is a normal end, C the client's doing.
    isFailed: !isTunnel && !isGone && (status >= 500 || status < 0 || /^[SPRIKD]/.test(ended)),
    isSlow: isTunnel || slow === "1",
    isGone,
    method: method ?? "",
    target: target ?? "",
    caller: caller === "-" ? undefined : caller,
    bytes: Number(sent) + Number(answered),
  };
}

/** Receives them. */
export class RequestLog {
  private readonly socket: Socket = createSocket("udp4");
  private isClosed = false;

  /** Opens a port, the wanted one where it is free; answers with it. */
  async listen(wantedPort: number, onRequest: (request: LoggedRequest) => void): Promise<number> {
    this.socket.on("message", (message) => {
      const request = parseLogLine(message.toString("utf8"));
      if (request) onRequest(request);
    });
    await this.bind(wantedPort).catch(() => this.bind(0));
    return this.socket.address().port;
  }

  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.socket.close();
  }

  private async bind(port: number): Promise<void> {
    this.socket.bind(port, "127.0.0.1");
    await once(this.socket, "listening");
  }
}
