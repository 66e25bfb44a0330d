/**
 * Free TCP ports for workloads and for the parts of a local fleet.
 *
 * Invariant: ports lie below the range that Linux takes for outgoing connections (32768 and up), so that traffic
 * never takes the port of a process that is about to start again.
 */
import { createServer } from "node:net";
import { randomInt } from "node:crypto";

const LOWEST = 12_000;
const HIGHEST = 32_700;
const ATTEMPTS = 200;

/**
 * A port that nothing listens on, by trying. Taken ports and lost races are rare; the caller's process then fails to
 * start, which shows as an unhealthy copy.
 * @throws Error when none was found
 */
export async function findFreePort(host = "127.0.0.1"): Promise<number> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const port = randomInt(LOWEST, HIGHEST);
    if (await isFree(host, port)) return port;
  }
  throw new Error(`no free port between ${String(LOWEST)} and ${String(HIGHEST)} on ${host}`);
}

async function isFree(host: string, port: number): Promise<boolean> {
  const server = createServer();
  const tried = Promise.withResolvers<boolean>();
  server.once("error", () => {
    tried.resolve(false);
  });
  server.listen({ host, port, exclusive: true }, () => {
    server.close(() => {
      tried.resolve(true);
    });
  });
  return await tried.promise;
}
