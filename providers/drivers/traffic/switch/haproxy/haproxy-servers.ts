/**
 * The servers of one HAProxy back end: makes them those of a record.
 *
 * Not for: holding requests (haproxy-service.ts).
 *
 * Invariants
 * 1. A new server, and one with a new address, gets no request before a health check was good, or somebody said that it
 *    is healthy.
 * 2. A server that is gone gets no new request; it is deleted when its last connection has ended.
 */
import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import type { BackendRecord, ServiceRecord } from "../service-record";
import { backendName, healthMap } from "./haproxy-config";
import type { RuntimeApi, ServerStatus } from "./runtime-api";
import { scaleWeights, serverName, splitAddress } from "./server-name";

/** Check intervals while a server is about to change its state, and while it is down. */
const FAST_INTERVAL_MS = 50;
const DOWN_INTERVAL_MS = 200;

/** See the file's header. */
export class HaproxyServers {
  private readonly backend: string;
  private readonly map: string;
  /** Path of each server's check, as HAProxy was told. */
  private readonly paths = new Map<string, string>();

  constructor(
    service: string,
    private readonly api: RuntimeApi,
  ) {
    this.backend = backendName(service);
    this.map = healthMap(service);
  }

  /** A new HAProxy knows none. */
  forget(): void {
    this.paths.clear();
  }

  /** Answers with true when no server waits for being deleted. */
  async follow({ backends, exclusive, owner }: ServiceRecord): Promise<boolean> {
    const known = new Map((await this.api.servers(this.backend)).map((server) => [server.name, server]));
    const weights = scaleWeights(backends.map(({ replica, weight }) => (exclusive && replica !== owner ? 0 : weight)));
    for (const [index, declared] of backends.entries()) {
      const name = serverName(declared.replica);
      const server = known.get(name);
      known.delete(name);
      await this.followOne(declared, weights[index] ?? 0, server);
    }
    return this.remove([...known.values()]);
  }

  private async followOne(declared: BackendRecord, weight: number, server: ServerStatus | undefined): Promise<void> {
    const name = serverName(declared.replica);
    const path = `${this.backend}/${name}`;
    const { host, port } = splitAddress(declared.address);
    const address = isIP(host) === 0 ? (await lookup(host)).address : host;
    const seenAt = isIP(address) === 6 ? `[${address}]:${String(port)}` : `${address}:${String(port)}`;
    await this.setCheckPath(name, declared.health.path);
    if (server?.address === seenAt && !server.isInMaintenance) {
      if (server.weight !== weight) await this.api.change([`set server ${path} weight ${String(weight)}`]);
      return;
    }
    await this.api.change([
      ...(server ? moveServer(path, address, port) : [addServer(path, seenAt, declared.health.intervalMs)]),
      `enable health ${path}`,
      `set server ${path} state ready`,
      // Ready counts as healthy; only a check may say so (invariant 1).
      `set server ${path} health down`,
      `set server ${path} weight ${String(weight)}`,
    ]);
  }

  private async setCheckPath(server: string, path: string): Promise<void> {
    if (this.paths.get(server) === path) return;
    // Blanks and semicolons would end the word or the command.
    const word = encodeURI(path).replaceAll(";", "%3B");
    await this.api.send(`del map ${this.map} ${server}`);
    await this.api.change([`add map ${this.map} ${server} ${word}`]);
    this.paths.set(server, path);
  }

  private async remove(gone: readonly ServerStatus[]): Promise<boolean> {
    let isDone = true;
    for (const { name, isInMaintenance } of gone) {
      const path = `${this.backend}/${name}`;
      if (!isInMaintenance) {
        await this.api.change([`set server ${path} state maint`]);
        await this.api.endTunnels(this.backend, name);
      }
      const answer = await this.api.send(`del server ${path}`);
      if (answer.includes("deleted")) this.paths.delete(name);
      else isDone = false;
    }
    return isDone;
  }
}

function moveServer(path: string, address: string, port: number): readonly string[] {
  return [`set server ${path} weight 0`, `set server ${path} addr ${address} port ${String(port)}`];
}

function addServer(path: string, address: string, intervalMs: number): string {
  const fastMs = Math.min(intervalMs, FAST_INTERVAL_MS);
  const downMs = Math.min(intervalMs, DOWN_INTERVAL_MS);
  const check = `check inter ${String(intervalMs)}ms fastinter ${String(fastMs)}ms downinter ${String(downMs)}ms`;
  return `add server ${path} ${address} ${check} rise 1 fall 2 weight 0`;
}
