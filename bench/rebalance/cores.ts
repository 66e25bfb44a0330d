/**
 * The cores of the benchmark's hosts: one queue for each host, on a socket. Whoever asks gets its answer when all that
 * asked before have been served; how long each is served is drawn by a seed. It uses no CPU to speak of, so that what is
 * measured does not depend on what else this machine does.
 */
import { createServer } from "node:net";
import * as path from "node:path";
import { createRandom } from "../../providers/forecast/random";

/** Sockets of the hosts are in this folder. */
const [folder = ".", meanText = "8", ...hosts] = process.argv.slice(2);
const meanMs = Number(meanText);

for (const [index, host] of hosts.entries()) {
  const random = createRandom(index + 1);
  let freeAtMs = 0;
  const server = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.on("data", (bytes) => {
      for (const _ of bytes) {
        const nowMs = performance.now();
        // Exponential: some requests take much longer than others.
        freeAtMs = Math.max(nowMs, freeAtMs) - meanMs * Math.log(1 - random.next());
        setTimeout(() => socket.write("."), freeAtMs - nowMs);
      }
    });
  });
  server.listen(path.join(folder, `${host}.sock`), () => process.send?.(host));
}
process.on("disconnect", () => process.exit(0));
