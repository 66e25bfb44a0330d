/**
 * One process at a time, on this machine: the kernel holds the lock as the name of an abstract socket, so that it is
 * free the moment its holder dies, and held as long as its holder lives, stopped or not.
 *
 * Not for: fleets of several machines; those have leases.
 */
import { createHash } from "node:crypto";
import { createServer, type Server } from "node:net";
import { DriverError } from "../../../sdk/model";
import type { Clock } from "../../clock";

const POLL_MS = 25;

/**
 * Runs the body while no other process runs one of that name.
 * @throws DriverError timeout when the signal aborts while another still holds it
 */
export async function runExclusively<T>(
  name: string,
  clock: Clock,
  signal: AbortSignal,
  body: () => Promise<T>,
): Promise<T> {
  const held = await hold(name, clock, signal);
  try {
    return await body();
  } finally {
    await new Promise((resolve) => held.close(resolve));
  }
}

async function hold(name: string, clock: Clock, signal: AbortSignal): Promise<Server> {
  const address = `\0archipelago-${createHash("sha256").update(name).digest("hex")}`;
  for (;;) {
    const server = await tryListen(address);
    if (server) return server;
    await clock.sleep(POLL_MS, signal);
    if (signal.aborted) {
      throw new DriverError("timeout", name, "is held by a call of another process that has not ended", {
        remedy: "wait for it, or end that process",
      });
    }
  }
}

function tryListen(address: string): Promise<Server | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.once("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "EADDRINUSE") resolve(undefined);
      else reject(error);
    });
    server.listen(address, () => {
      resolve(server);
    });
  });
}
