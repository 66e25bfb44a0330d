/**
 * `GET /metrics` in the text format of Prometheus, on a plain port of its own that is only for this machine unless told
 * otherwise.
 *
 * Not for: what is measured. Nothing here changes anything, and nothing secret is among the metrics.
 */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { Registry } from "prom-client";
import { messageOf } from "../../sdk/model";

/** Where it serves. */
export interface MetricsAddress {
  /** @default "127.0.0.1" */
  readonly host?: string;
  /** 0: any free one. */
  readonly port: number;
}

/** An endpoint that serves. */
export interface MetricsEndpoint {
  readonly url: string;
  close(): Promise<void>;
}

const LOCAL = "127.0.0.1";
const OK = 200;
const NOT_FOUND = 404;
const FAILED = 500;

/** Serves a registry. @throws Error EADDRINUSE */
export async function startMetricsEndpoint(
  registry: Registry,
  { host = LOCAL, port }: MetricsAddress,
): Promise<MetricsEndpoint> {
  const server = createServer((request, response) => {
    const path = new URL(request.url ?? "/", "http://metrics").pathname;
    if (request.method !== "GET" || path !== "/metrics") {
      response.writeHead(NOT_FOUND, { "content-type": "text/plain" }).end("GET /metrics\n");
      return;
    }
    registry.metrics().then(
      (text) => response.writeHead(OK, { "content-type": registry.contentType }).end(text),
      (error: unknown) => response.writeHead(FAILED, { "content-type": "text/plain" }).end(`${messageOf(error)}\n`),
    );
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, resolve);
  });
  // The endpoint alone keeps no process alive.
  server.unref();
  return {
    url: `http://${host}:${String((server.address() as AddressInfo).port)}/metrics`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve();
        });
        server.closeAllConnections();
      }),
  };
}

/** Reads the field `metrics` of a configuration; undefined where it is absent or wrong. */
export function parseMetricsAddress(
  value: unknown,
  report: (mistake: { field: string; value: unknown; rule: string; remedy: string }) => void,
): MetricsAddress | undefined {
  if (value === undefined) return undefined;
  const { host, port } = (typeof value === "object" && value !== null ? value : {}) as Record<string, unknown>;
  const isPort = typeof port === "number" && Number.isInteger(port) && port >= 0 && port <= 65_535;
  if (isPort && (host === undefined || (typeof host === "string" && host !== ""))) {
    return { port, ...(host === undefined ? {} : { host: host }) };
  }
  const remedy = 'write it like { "port": 9464 }; host is 127.0.0.1 unless given';
  report({ field: "metrics", value, rule: "must have a port, and may have a host", remedy });
  return undefined;
}
