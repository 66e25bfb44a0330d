/**
 * Services whose requests go through an HAProxy that this process starts, configures and steers.
 *
 * Not for: the embedded way (embedded-plane.ts).
 *
 * Invariant: what is said to HAProxy can be said again: after a restart of either process every service is made anew
 * from its record.
 */
import { mkdirSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { findFreePort } from "../../../../agent/free-port";
import type { Clock } from "../../../../clock";
import type { SwitchConfig } from "../config";
import type { DataPlane, ServiceListener } from "../data-plane";
import type { ServiceRecord } from "../service-record";
import { backendName, healthMap, renderHaproxyConfig, type BoundService } from "./haproxy-config";
import { HaproxyProcess } from "./haproxy-process";
import { HaproxyService } from "./haproxy-service";
import { renderHoldScript } from "./hold-script";
import { RequestLog } from "./request-log";
import { RuntimeApi } from "./runtime-api";

const LOG_PORT_FILE = "log-port";

/** See the file's header. */
export class HaproxyPlane implements DataPlane {
  private readonly folder: string;
  private readonly services: HaproxyService[] = [];
  private readonly log = new RequestLog();
  private readonly api: RuntimeApi;
  private process: HaproxyProcess | undefined;

  constructor(
    private readonly config: SwitchConfig,
    private readonly clock: Clock,
  ) {
    this.folder = join(dirname(config.stateFile), "haproxy");
    mkdirSync(this.folder, { recursive: true, mode: 0o700 });
    this.api = new RuntimeApi(this.folder);
  }

  createService(record: ServiceRecord, listener: ServiceListener): HaproxyService {
    const service = new HaproxyService(record, this.api, this.clock, listener);
    this.services.push(service);
    return service;
  }

  async listen(): Promise<Readonly<Record<string, number>>> {
    const bound: BoundService[] = [];
    for (const { name, record } of this.services) {
      const port = record.port === 0 ? await this.choosePort(bound) : record.port;
      bound.push({ name, port, exclusive: record.exclusive });
      await writeFile(join(this.folder, healthMap(name)), "# server path\n");
    }
    const logPort = await this.openLog();
    this.process = new HaproxyProcess(this.folder, this.api, this.clock, () => this.openServices());
    await this.process.start({
      config: renderHaproxyConfig(bound, this.config.limits, { log: logPort }),
      script: renderHoldScript(bound, this.config.limits),
    });
    await this.openServices();
    return Object.fromEntries(bound.map(({ name, port }) => [name, port]));
  }

  async close(graceMs: number): Promise<void> {
    await this.process?.stop(graceMs);
    this.leave();
  }

  async abandon(): Promise<void> {
    if (this.process?.isTakenOver === false) await this.process.stop(0);
    this.leave();
  }

  private leave(): void {
    this.process?.leave();
    for (const service of this.services) service.close();
    this.log.close();
    this.api.close();
  }

  private async openServices(): Promise<void> {
    for (const service of this.services) await service.open();
  }

  private async openLog(): Promise<number> {
    const byBackend = new Map(this.services.map((service) => [backendName(service.name), service]));
    const file = join(this.folder, LOG_PORT_FILE);
    // The same port again: another one would be another configuration, and another HAProxy.
    const wanted = Number(await readFile(file, "utf8").catch(() => "0"));
    const port = await this.log.listen(wanted, (request) => byBackend.get(request.backend)?.note(request));
    if (port !== wanted) await writeFile(file, String(port));
    return port;
  }

  private async choosePort(bound: readonly BoundService[]): Promise<number> {
    for (;;) {
      const port = await findFreePort();
      if (!bound.some((service) => service.port === port)) return port;
    }
  }
}
