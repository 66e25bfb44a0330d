/** A real agent process on a folder of its own, with everything it starts ended and removed at the end. */
import { strict as assert } from "node:assert";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before } from "mocha";
import { FLEET, inheritedEnvironment } from "../../providers/agent/environment";
import { findFreePort } from "../../providers/agent/free-port";
import { isRunning, signalByEnvironment, type ProcessIdentity } from "../../providers/agent/process-table";
import { systemClock } from "../../providers/clock";
import { createFleetAuthority, issueCertificate, type TlsFiles } from "../../providers/drivers/certificates";
import type { CallContext, Operation, StartSpec } from "../../providers/drivers/contracts";
import { createControlClient, type ControlClient } from "../../providers/drivers/control-client";
import type { Json, Replica } from "../../sdk/model";

export const NO_ABORT: AbortSignal = new AbortController().signal;
/** Starting a few processes on a busy machine. */
export const PROCESS_TEST_MS = 60_000;
const ENTRY = join(__dirname, "..", "..", "providers", "agent", "main.js");
const WORKLOAD = join(__dirname, "fixture-workload.js");

/** One agent. */
export class TestAgent {
  #keys = 0;

  private constructor(
    readonly name: string,
    readonly directory: string,
    readonly fleet: string,
    readonly client: ControlClient,
    readonly controller: TlsFiles,
  ) {}

  /** Starts an agent below a fleet's folder, which has an authority already. */
  static async start(fleet: string, name: string, switchUrl?: string): Promise<TestAgent> {
    const tls = await issueCertificate(join(fleet, "tls"), { name, role: "agent", addresses: ["127.0.0.1"] });
    const controller = await issueCertificate(join(fleet, "tls"), { name: "test", role: "client", addresses: [] });
    const port = await findFreePort();
    const directory = join(fleet, name);
    await writeFile(
      join(fleet, `${name}.json`),
      JSON.stringify({
        host: name,
        zone: "zone-a",
        role: "member",
        platform: "local",
        listen: { host: "127.0.0.1", port },
        directory,
        root: join(directory, "root"),
        tls,
        capacity: { cpuMillis: 1000, memoryBytes: 2 ** 30 },
        ...(switchUrl === undefined ? {} : { switch: { url: switchUrl } }),
      }),
    );
    const url = `https://127.0.0.1:${String(port)}`;
    const client = createControlClient({ url, tls: controller, subject: name, serverName: name });
    const agent = new TestAgent(name, directory, fleet, client, controller);
    await agent.launch();
    return agent;
  }

  /** Starts the process and waits until it serves. */
  async launch(): Promise<void> {
    const child = spawn(process.execPath, [ENTRY, "serve", "--config", join(this.fleet, `${this.name}.json`)], {
      detached: true,
      stdio: ["ignore", "pipe", "inherit"],
      env: { ...inheritedEnvironment(), [FLEET]: this.fleet },
    });
    const line = await Promise.race([
      once(child.stdout, "data").then(([data]) => String(data)),
      once(child, "exit").then(([code]) => `ended with code ${String(code)}`),
    ]);
    assert.match(line, /serves at/);
    child.stdout.destroy();
    child.unref();
  }

  /** The agent's process of the moment. */
  async identity(): Promise<ProcessIdentity> {
    return JSON.parse(await readFile(join(this.directory, "agent.json"), "utf8")) as ProcessIdentity;
  }

  /** Kills the agent, and the agent only. */
  async kill(): Promise<void> {
    const identity = await this.identity();
    process.kill(identity.pid, "SIGKILL");
    await eventually("the agent is gone", () => Promise.resolve(!isRunning(identity)));
  }

  context(overrides: Partial<CallContext> = {}): CallContext {
    this.#keys += 1;
    return { key: `${this.name}/${String(this.#keys)}`, epoch: 1, owner: "test", signal: NO_ABORT, ...overrides };
  }

  async mutate<T>(name: string, args: unknown, overrides: Partial<CallContext> = {}): Promise<T> {
    return (await this.client.mutate(name, args as Json, this.context(overrides))) as T;
  }

  async read<T>(name: string, args: Readonly<Record<string, string | number>> = {}): Promise<T> {
    return (await this.client.read(name, args, NO_ABORT)) as T;
  }

  async replica(id: string): Promise<Replica | undefined> {
    return (await this.read<readonly Replica[]>("replicas")).find((replica) => replica.id === id);
  }

  /** Waits until a copy has a state. */
  async reaches(id: string, state: Replica["state"]): Promise<Replica> {
    return await eventually(`${id} is ${state}`, async () => {
      const replica = await this.replica(id);
      return replica?.state === state ? replica : undefined;
    });
  }

  /** Starts a copy of the fixture workload and waits until it answers. */
  async startCopy(
    id: string,
    options: { standby?: boolean; environment?: Record<string, string> } = {},
  ): Promise<Replica> {
    await this.mutate("start", workloadSpec(id, options));
    return await this.reaches(id, options.standby ? "standby" : "healthy");
  }

  /** What the agent keeps of a copy. */
  async record(id: string): Promise<{ readonly process: ProcessIdentity }> {
    return JSON.parse(await readFile(join(this.directory, "replicas", `${id}.json`), "utf8")) as {
      readonly process: ProcessIdentity;
    };
  }

  /** Waits for the end of an operation. */
  async ended(key: string): Promise<Operation> {
    return await eventually(`operation ${key} ends`, async () => {
      const operation = await this.read<Operation | null>("operation", { key }).catch(() => null);
      return operation && operation.state !== "running" ? operation : undefined;
    });
  }
}

/** A folder with an authority, for agents that trust each other. */
export async function createTestFleet(): Promise<string> {
  const fleet = await mkdtemp(join(tmpdir(), "archipelago-agent-"));
  await createFleetAuthority(join(fleet, "tls"));
  return fleet;
}

/** An agent for all tests of a suite, in a fleet of its own that ends with it; called where the suite is described. */
export function withTestAgent(use: (agent: TestAgent) => void): void {
  let fleet = "";
  before(async () => {
    fleet = await createTestFleet();
    use(await TestAgent.start(fleet, "host-01"));
  });
  after(() => removeTestFleet(fleet));
}

/** Ends everything that was started in a fleet's folder and removes it. */
export async function removeTestFleet(fleet: string): Promise<void> {
  while (signalByEnvironment(FLEET, fleet, "SIGKILL") > 0) await systemClock.sleep(20);
  await rm(fleet, { recursive: true, force: true, maxRetries: 5 });
}

/** How a copy of the fixture workload is started. */
export function workloadSpec(
  replica: string,
  options: { standby?: boolean; environment?: Record<string, string> } = {},
): StartSpec {
  return {
    replica,
    workload: "fixture",
    standby: options.standby ?? false,
    request: { cpuMillis: 10, memoryBytes: 2 ** 20 },
    process: {
      command: [process.execPath, WORKLOAD],
      port: 0,
      health: { path: "/health", intervalMs: 200, timeoutMs: 2000 },
      environment: options.environment ?? {},
    },
  };
}

/** Asks until there is an answer. */
export async function eventually<T>(
  what: string,
  observe: () => Promise<T | undefined | false>,
  withinMs = 20_000,
): Promise<T> {
  const end = performance.now() + withinMs;
  for (;;) {
    const seen = await observe();
    if (seen !== undefined && seen !== false) return seen;
    if (performance.now() > end) assert.fail(`${what}: not within ${String(withinMs)} ms`);
    await systemClock.sleep(25);
  }
}

/** Status of a copy's own HTTP answer; 0 when there is none. */
export async function request(replica: Replica, method: string, path: string, body?: string): Promise<number> {
  return await fetch(`http://${replica.address ?? ""}${path}`, {
    method,
    ...(body === undefined ? {} : { body }),
  }).then(
    async (response) => {
      await response.arrayBuffer();
      return response.status;
    },
    () => 0,
  );
}
