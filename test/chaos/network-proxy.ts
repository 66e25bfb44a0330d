/**
 * A TCP proxy in front of one agent: passes everything on, or is slow, or goes silent with its connections open, as a
 * cable that was pulled or a firewall that forgot them (half-open).
 *
 * Invariant: nothing is changed in what is passed; it only comes later or not at all.
 */
import { once } from "node:events";
import { createServer, connect, type AddressInfo, type Server, type Socket } from "node:net";

/** How the network is now. */
export type NetworkState =
  | { readonly kind: "good" }
  /** Each piece comes this much later, and no more than so many bytes a second. */
  | { readonly kind: "slow"; readonly delayMs: number; readonly bytesPerSecond: number }
  /** Connections stay open, new ones are accepted, and nothing comes through. */
  | { readonly kind: "half-open" };

/** A proxy in front of one server. */
export class NetworkProxy {
  private state: NetworkState = { kind: "good" };
  private readonly sockets = new Set<Socket>();
  private readonly server: Server;

  private constructor(private readonly target: { readonly host: string; readonly port: number }) {
    this.server = createServer((client) => {
      this.accept(client);
    });
  }

  static async start(target: { readonly host: string; readonly port: number }): Promise<NetworkProxy> {
    const proxy = new NetworkProxy(target);
    proxy.server.listen(0, "127.0.0.1");
    await once(proxy.server, "listening");
    return proxy;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  /** What was held back by a half-open network never comes: its connections break when the network is back. */
  become(state: NetworkState): void {
    const wasSilent = this.state.kind === "half-open";
    this.state = state;
    if (wasSilent && state.kind !== "half-open") for (const socket of this.sockets) socket.resetAndDestroy();
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private accept(client: Socket): void {
    const upstream = connect(this.target.port, this.target.host);
    this.pass(client, upstream);
    this.pass(upstream, client);
  }

  private pass(from: Socket, to: Socket): void {
    this.sockets.add(from);
    let freeAtMs = 0;
    let underWay = 0;
    let last = Promise.resolve();
    // One after the other: timers alone may overtake each other, and an end must not come before what it ends.
    const deliver = (bytes: number, action: () => void): void => {
      if (this.state.kind === "half-open") return;
      if (this.state.kind === "good" && underWay === 0) {
        action();
        return;
      }
      const { delayMs, bytesPerSecond } = this.state.kind === "slow" ? this.state : { delayMs: 0, bytesPerSecond: 1e9 };
      freeAtMs = Math.max(freeAtMs, Date.now()) + (bytes / bytesPerSecond) * 1000;
      const dueAtMs = freeAtMs + delayMs;
      underWay += 1;
      last = last.then(async () => {
        await new Promise((resolve) => {
          setTimeout(resolve, Math.max(0, dueAtMs - Date.now())).unref();
        });
        underWay -= 1;
        if (this.state.kind !== "half-open") action();
      });
    };
    from.on("data", (chunk: Buffer) => {
      deliver(chunk.length, () => to.write(chunk));
    });
    from.on("end", () => {
      deliver(0, () => to.end());
    });
    from.on("error", () => to.destroy());
    from.on("close", () => {
      this.sockets.delete(from);
      deliver(0, () => {
        to.destroySoon();
      });
    });
  }
}
