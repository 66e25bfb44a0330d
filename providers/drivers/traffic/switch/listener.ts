/**
 * The port of one service on 127.0.0.1: takes clients' connections and makes an exchange of every request, a tunnel of
 * every upgrade.
 *
 * Not for: what happens to a request (exchange.ts) or an upgraded connection (tunnel.ts).
 */
import { createServer } from "node:http";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { Exchange } from "./exchange";
import type { ServiceRuntime } from "./service";
import { Tunnel } from "./tunnel";

const HOST = "127.0.0.1";
/** Longer than clients keep idle connections, so that it is the client who closes first and no request meets a reset. */
const KEEP_ALIVE_MS = 75_000;
const HEADERS_MS = 30_000;
const LARGEST_HEADERS_BYTES = 32_768;
/** How long a restarted switch waits for the ports that its predecessor is giving up. */
const PORT_WAIT_MS = 5_000;
const PORT_RETRY_MS = 50;

/** An open port. */
export interface ServiceListenerHandle {
  readonly port: number;
  /** Takes no new connection, lets requests under way end for at most `graceMs`, then breaks them off. */
  close(graceMs: number): Promise<void>;
}

/**
 * Opens the port of a service; 0 chooses one.
 * @throws Error EADDRINUSE when another process keeps the port
 */
export async function listenForService(service: ServiceRuntime, port: number): Promise<ServiceListenerHandle> {
  let isClosing = false;
  const server = createServer({
    keepAliveTimeout: KEEP_ALIVE_MS,
    headersTimeout: HEADERS_MS,
    // A body may take as long as its client needs; the silence of a backend is bounded elsewhere.
    requestTimeout: 0,
    maxHeaderSize: LARGEST_HEADERS_BYTES,
    // An offer of HTTP/2 may be left aside (RFC 9110, section 7.8): the request is answered as it is.
    shouldUpgradeCallback: ({ headers }) => !/^h2c?$/i.test(headers.upgrade ?? ""),
  });
  server.on("request", (request, response) => {
    if (isClosing) response.shouldKeepAlive = false;
    new Exchange(service, request, response, false).begin();
  });
  server.on("upgrade", (request, socket, head) => {
    new Tunnel(service, request, socket, head).begin();
  });
  server.on("checkContinue", (request, response) => {
    if (isClosing) response.shouldKeepAlive = false;
    new Exchange(service, request, response, true).begin();
  });
  await openPort(server, port);
  return {
    port: (server.address() as AddressInfo).port,
    close: async (graceMs) => {
      isClosing = true;
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeIdleConnections();
      const timer = setTimeout(() => {
        server.closeAllConnections();
      }, graceMs);
      await closed;
      clearTimeout(timer);
    },
  };
}

async function openPort(server: Server, port: number): Promise<void> {
  for (let waitedMs = 0; ; waitedMs += PORT_RETRY_MS) {
    try {
      await new Promise<void>((resolve, reject) => {
        server.once("error", reject);
        server.listen(port, HOST, 1024, () => {
          server.off("error", reject);
          resolve();
        });
      });
      return;
    } catch (error) {
      const isTaken = (error as NodeJS.ErrnoException).code === "EADDRINUSE";
      if (!isTaken || port === 0 || waitedMs >= PORT_WAIT_MS) throw error;
      await sleep(PORT_RETRY_MS);
    }
  }
}
