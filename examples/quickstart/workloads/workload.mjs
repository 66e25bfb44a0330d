/**
 * What the quickstart's workloads share: a small HTTP server that follows the workload contract and ends gracefully.
 *
 * The contract of a workload on an Archipelago host, over HTTP on `PORT` (in full: docs/workload-contract.md):
 * - `GET  /health`                  2xx: it can serve (a standby or quiesced copy is healthy too)
 * - `GET  /archipelago/state`       {"state": "active" | "quiesced" | "standby", "sha256"}
 * - `POST /archipelago/quiesce`     stop writes; answers when every acknowledged write is durable
 * - `POST /archipelago/activate`    take writes (again)
 * - `GET  /archipelago/snapshot`    the whole state as bytes; quiesced copies only
 * - `POST /archipelago/restore`     those bytes as body -> {"sha256"} of the state now held; inactive copies only
 * Only workloads that are moved by hand-over need more than `/health`. While not active they answer their own paths
 * with 503 and the header `x-archipelago-quiesced: 1`, which says: nothing was done, send it again.
 *
 * Environment: PORT, ARCHIPELAGO_DATA (folder for state), ARCHIPELAGO_STANDBY (1: start inactive),
 * ARCHIPELAGO_REPLICA, ARCHIPELAGO_HOST, ARCHIPELAGO_SERVICE_<NAME> (where another service is reached).
 */
import { Agent, createServer, get } from "node:http";

/** How long requests under way may take after SIGTERM. */
const GRACE_MS = 8_000;
/** Longer than the traffic switch keeps idle connections, so that no request meets a connection being closed. */
const KEEP_ALIVE_MS = 30_000;

/** Requests to itself before a copy calls itself healthy: until code is compiled and connections are open, answers are slow. */
const WARM_UP_REQUESTS = 100;
/** A copy that waits for another service to come up serves all the same. */
const WARM_UP_LIMIT_MS = 1_500;

/** Who this copy is. */
export const replica = process.env["ARCHIPELAGO_REPLICA"] ?? `local-${process.pid}`;

/** Base URL of another service, such as `pricing`; undefined when this host does not know it. */
export function serviceUrl(name) {
  const value = process.env[`ARCHIPELAGO_SERVICE_${name.toUpperCase().replaceAll("-", "_")}`];
  if (value === undefined || value === "") return undefined;
  return value.includes("://") ? value.replace(/\/$/, "") : `http://${value}`;
}

/** Sends JSON. */
export function sendJson(response, status, value, headers = {}) {
  const text = `${JSON.stringify(value)}\n`;
  response.writeHead(status, {
    "content-type": "application/json",
    "content-length": Buffer.byteLength(text),
    ...headers,
  });
  response.end(text);
}

/**
 * Serves until SIGTERM, then finishes the requests under way and ends.
 *
 * @param routes "METHOD /path" -> (request, response, path) => void | Promise<void>; a path that ends with `/*`
 *   matches everything below it
 * @param options.beforeExit awaited after the last request
 * @param options.warmUp path of a request without effect; the copy is healthy once it has answered some of them to itself
 */
export function serve(routes, options = {}) {
  let isEnding = false;
  let isWarm = options.warmUp === undefined;
  const prefixes = Object.keys(routes).filter((route) => route.endsWith("/*"));
  const all = {
    "GET /health": (_request, response) => sendJson(response, isWarm ? 200 : 503, { ok: isWarm, replica }),
    ...routes,
  };

  const server = createServer({ keepAliveTimeout: KEEP_ALIVE_MS, requestTimeout: 0 }, (request, response) => {
    if (isEnding) response.shouldKeepAlive = false;
    const path = (request.url ?? "/").split("?", 1)[0];
    const key = `${request.method === "HEAD" ? "GET" : request.method} ${path}`;
    const route = all[key] ?? all[prefixes.find((prefix) => key.startsWith(prefix.slice(0, -1)))];
    if (route === undefined) {
      sendJson(response, 404, { error: `no ${key}` });
      return;
    }
    Promise.resolve()
      .then(() => route(request, response, path))
      .catch((error) => {
        console.error(`${replica}: ${key}: ${error?.stack ?? error}`);
        if (response.headersSent) response.destroy();
        else sendJson(response, 500, { error: String(error?.message ?? error) });
      });
  });

  const end = () => {
    if (isEnding) return;
    isEnding = true;
    server.close(async () => {
      await options.beforeExit?.();
      process.exit(0);
    });
    server.closeIdleConnections();
    setTimeout(() => process.exit(1), GRACE_MS).unref();
  };
  process.on("SIGTERM", end);
  process.on("SIGINT", end);
  server.listen(Number(process.env["PORT"] ?? 0), "127.0.0.1", () => {
    console.log(`${replica}: serves on port ${server.address().port}`);
    if (isWarm) return;
    void warmUp(server.address().port, options.warmUp).then(() => {
      isWarm = true;
    });
  });
  return server;
}

async function warmUp(port, path) {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const ask = () =>
    new Promise((resolve) => {
      // An answer is not needed: what it takes to give one is what shall be warm.
      const call = get({ host: "127.0.0.1", port, path, agent, timeout: 2_000 }, (answer) =>
        answer.on("end", resolve).resume(),
      );
      call.on("timeout", () => call.destroy());
      call.on("error", resolve);
    });
  const until = Date.now() + WARM_UP_LIMIT_MS;
  const limit = setTimeout(() => agent.destroy(), WARM_UP_LIMIT_MS);
  for (let done = 0; done < WARM_UP_REQUESTS && Date.now() < until; done += 1) await ask();
  clearTimeout(limit);
  agent.destroy();
}

/** The whole body of a request, for small ones. */
export async function readBody(request, limitBytes = 65_536) {
  const chunks = [];
  let bytes = 0;
  for await (const chunk of request) {
    bytes += chunk.length;
    if (bytes > limitBytes) throw new Error(`body is larger than ${limitBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}
