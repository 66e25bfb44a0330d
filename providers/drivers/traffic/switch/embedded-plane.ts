/**
 * Services whose requests go through this process.
 *
 * Not for: what happens to a request (exchange.ts) and who may take it (service.ts).
 */
import type { Clock } from "../../../clock";
import type { AccessLogWriter } from "./access-log-writer";
import type { SwitchLimits } from "./config";
import type { DataPlane, ServiceListener } from "./data-plane";
import { listenForService } from "./listener";
import type { ServiceListenerHandle } from "./listener";
import { ServiceRuntime } from "./service";
import type { ServiceRecord } from "./service-record";

/** See the file's header. */
export class EmbeddedPlane implements DataPlane {
  private readonly services: ServiceRuntime[] = [];
  private readonly ports: ServiceListenerHandle[] = [];

  constructor(
    private readonly limits: SwitchLimits,
    private readonly clock: Clock,
    private readonly accessLog?: AccessLogWriter,
  ) {}

  createService(record: ServiceRecord, listener: ServiceListener): ServiceRuntime {
    const service = new ServiceRuntime(record, this.limits, this.clock, listener, this.accessLog);
    this.services.push(service);
    return service;
  }

  async listen(): Promise<Readonly<Record<string, number>>> {
    const ports: Record<string, number> = {};
    for (const service of this.services) {
      const handle = await listenForService(service, service.record.port);
      this.ports.push(handle);
      ports[service.name] = handle.port;
    }
    return ports;
  }

  async close(graceMs: number): Promise<void> {
    for (const service of this.services) service.close();
    await Promise.all(this.ports.map((port) => port.close(graceMs)));
    await this.accessLog?.close();
  }

  abandon(): Promise<void> {
    return this.close(0);
  }
}
