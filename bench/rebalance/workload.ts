/**
 * A workload whose requests each wait for a time on its host's core (cores.ts).
 *
 * Not for: state; it has none.
 */
import { createServer } from "node:http";
import { connect, type Socket } from "node:net";
import * as path from "node:path";

/** Longer than the switch keeps idle connections. */
const KEEP_ALIVE_MS = 30_000;

/** Asks the core of this host; answers come in the order of the asking. */
class Core {
  private readonly waiting: (() => void)[] = [];
  private readonly socket: Socket;

  constructor(file: string) {
    this.socket = connect(file);
    this.socket.on("data", (bytes) => {
      for (const _ of bytes) this.waiting.shift()?.();
    });
  }

  work(done: () => void): void {
    this.waiting.push(done);
    this.socket.write(".");
  }

  close(): void {
    this.socket.end();
  }
}

const core = new Core(path.join(process.env["CORES"] ?? ".", `${process.env["ARCHIPELAGO_HOST"] ?? ""}.sock`));
let isEnding = false;
const server = createServer({ keepAliveTimeout: KEEP_ALIVE_MS }, (request, response) => {
  if (isEnding) response.shouldKeepAlive = false;
  const answer = (): void => {
    response.end("{}\n");
  };
  if (request.url === "/health") answer();
  else core.work(answer);
});
process.once("SIGTERM", () => {
  isEnding = true;
  server.close(() => {
    core.close();
  });
  server.closeIdleConnections();
});
server.listen(Number(process.env["PORT"]), "127.0.0.1");
