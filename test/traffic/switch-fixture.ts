/**
 * Builders for tests of the switch: a switch in this process with its own certificates and folder, backends, clients.
 */
import { createServer, request as httpRequest } from "node:http";
import type { Agent, IncomingMessage, OutgoingHttpHeaders, RequestListener, Server } from "node:http";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock, type Clock } from "../../providers/clock";
import { createFleetAuthority, issueCertificate } from "../../providers/drivers/certificates";
import type { TlsFiles } from "../../providers/drivers/certificates";
import type { CallContext } from "../../providers/drivers/contracts";
import { createSwitchTrafficDriver } from "../../providers/drivers/traffic/switch-driver";
import type { SwitchTrafficDriver } from "../../providers/drivers/traffic/switch-driver";
import type { SwitchLimits, SwitchServiceConfig } from "../../providers/drivers/traffic/switch/config";
import type { TrafficEngine } from "../../sdk/model";
import { startSwitch } from "../../providers/drivers/traffic/switch/main";
import type { RunningSwitch } from "../../providers/drivers/traffic/switch/main";

/** A short health check, so that tests do not wait. */
export const HEALTH = { path: "/health", intervalMs: 50, timeoutMs: 1000 } as const;

/** Everything a test starts, ended in reverse order. */
export class Cleanup {
  private readonly endings: (() => unknown)[] = [];

  add(ending: () => unknown): void {
    this.endings.push(ending);
  }

  async run(): Promise<void> {
    for (const ending of this.endings.splice(0).reverse()) await ending();
  }
}

/** A switch under test. */
export interface SwitchFixture {
  readonly directory: string;
  readonly configFile: string;
  readonly driver: SwitchTrafficDriver;
  readonly tls: TlsFiles;
  url(service: string): string;
  running(): RunningSwitch;
  /** Ends it and starts another one from the same files. */
  restart(): Promise<void>;
}

/** Starts a switch with these services. */
export async function createSwitchFixture(
  cleanup: Cleanup,
  services: readonly (Omit<SwitchServiceConfig, "port" | "exclusive"> & { readonly exclusive?: boolean })[],
  limits: Partial<SwitchLimits> = {},
  engine: TrafficEngine = "embedded",
  clock: Clock = systemClock,
): Promise<SwitchFixture> {
  const directory = await mkdtemp(join(tmpdir(), "archipelago-switch-"));
  cleanup.add(() => rm(directory, { recursive: true, force: true }));
  const keys = join(directory, "tls");
  await createFleetAuthority(keys);
  const own = await issueCertificate(keys, { name: "switch", role: "switch", addresses: ["127.0.0.1"] });
  const tls = await issueCertificate(keys, { name: "tester", role: "client", addresses: [] });
  const configFile = join(directory, "switch.json");
  const config = {
    tls: own,
    controlPort: 0,
    stateFile: "state.json",
    services: services.map((service) => ({ exclusive: false, port: 0, ...service })),
    limits,
    engine,
  };
  await writeFile(configFile, JSON.stringify(config));
  let running = await startSwitch(configFile, clock);
  cleanup.add(() => running.close(200));
  const driver = createSwitchTrafficDriver({ url: running.controlUrl, tls });
  cleanup.add(() => {
    driver.close();
  });
  return {
    directory,
    configFile,
    driver,
    tls,
    url: (service) => `http://127.0.0.1:${String(running.ports[service])}`,
    running: () => running,
    restart: async () => {
      await running.close(200);
      running = await startSwitch(configFile, clock);
    },
  };
}

let calls = 0;

/** A context with a fresh key. */
export function callContext(change: Partial<CallContext> = {}): CallContext {
  calls += 1;
  return { key: `test/${String(calls)}`, epoch: 1, owner: "test", signal: new AbortController().signal, ...change };
}

/** A backend of the test's own. */
export interface TestBackend {
  readonly address: string;
  readonly server: Server;
  /** Requests seen, health and state checks left out. */
  readonly seen: string[];
  /** Breaks every connection and takes no new one. */
  kill(): Promise<void>;
}

/** Starts a backend; health is answered with 200 unless the listener's own `health` says otherwise. */
export async function createBackend(
  cleanup: Cleanup,
  listener: RequestListener,
  checks: RequestListener = (request, response) => {
    response.statusCode = request.url === HEALTH.path ? 200 : 404;
    response.end();
  },
): Promise<TestBackend> {
  const seen: string[] = [];
  const server = createServer((request, response) => {
    if (request.url === HEALTH.path || request.url?.startsWith("/archipelago/") === true) {
      checks(request, response);
      return;
    }
    seen.push(`${request.method ?? ""} ${request.url ?? ""}`);
    listener(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const kill = async (): Promise<void> => {
    if (!server.listening) return;
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    server.closeAllConnections();
    await closed;
  };
  cleanup.add(kill);
  return { address: `127.0.0.1:${String((server.address() as AddressInfo).port)}`, server, seen, kill };
}

/** What a client got. */
export interface ClientAnswer {
  readonly status: number;
  readonly body: string;
  readonly headers: IncomingMessage["headers"];
}

/** Options of {@link callClient}. */
export interface ClientOptions {
  readonly method?: string;
  readonly headers?: OutgoingHttpHeaders;
  readonly body?: string | Buffer;
  readonly agent?: Agent | false;
}

/** Sends one request; rejects when the connection breaks. */
export function callClient(url: string, options: ClientOptions = {}): Promise<ClientAnswer> {
  return new Promise((resolve, reject) => {
    const { method = "GET", headers = {}, body, agent = false } = options;
    const call = httpRequest(url, { method, headers, agent }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on("data", (chunk: Buffer) => chunks.push(chunk));
      answer.on("error", reject);
      answer.on("end", () => {
        resolve({
          status: answer.statusCode ?? 0,
          body: Buffer.concat(chunks).toString("utf8"),
          headers: answer.headers,
        });
      });
    });
    call.on("error", reject);
    call.end(body);
  });
}

/** Waits until something holds. @throws Error when it does not within the time */
export async function waitUntil(
  what: string,
  holds: () => Promise<boolean> | boolean,
  atMostMs = 20_000,
): Promise<void> {
  const end = performance.now() + atMostMs;
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`within ${String(atMostMs)} ms it did not happen that ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
