/**
 * Replacement on a local fleet: a host's machine is its root folder and its agent's state, and another one is a copy of an
 * image's folder with an empty state. The old machine is kept beside it until it is put back or ended.
 *
 * Not for: hosts that are machines; their clouds make other ones.
 *
 * Invariants
 * 1. The record of an operation is there before its effect; whoever asks how it stands carries on what its process left
 *    halfway, from any point of it.
 * 2. One operation at a time has an effect on a host, on this machine; owners of an earlier epoch have none, whichever machine
 *    the host has: what the agent has seen of epochs, calls and marks goes along.
 * 3. From the moment at which a machine may be out of its place it is recorded as kept, so that it can be put back.
 */
import { cp, mkdir, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { DriverError, isKind, messageOf, type Host, type Replica, type ReplacedMachine } from "../../../sdk/model";
import { hostFolder } from "../../agent/host-folder";
import type { Clock } from "../../clock";
import type { AgentConnections } from "../agent-connections";
import type { CallContext, HostDriver, Operation, ReplacementDriver, ReplacementSpec } from "../contracts";
import { seedRoot } from "./configure";
import { runExclusively } from "./exclusive";
import { startLocalHost } from "./index";
import { fleetLayout, readFleetFile, readJson, writeJson, type HostLayout } from "./layout";
import { isProcessRunning, stopFleetProcess } from "./processes";

/** What is known of a host's machines. */
interface MachineRecord {
  /** Highest epoch that was seen here. */
  readonly epoch: number;
  /** By key; the last one may be under way. */
  readonly operations: readonly MachineOperation[];
  readonly kept?: ReplacedMachine;
}

type MachineOperation = Operation & {
  /** Folder of the image; absent: the kept machine is put back. */
  readonly image?: string;
  /** When nothing more is begun, ms since the epoch. Absent: a machine is put back however long it takes. */
  readonly giveUpAt?: number;
};

/** Operations that are remembered of a host. */
const REMEMBERED = 64;
const NO_RECORD: MachineRecord = { epoch: 0, operations: [] };
const NO_ABORT: AbortSignal = new AbortController().signal;

/** A host driver whose hosts can be replaced, as far as the fleet has images. */
export function withLocalReplacement(
  driver: HostDriver,
  directory: string,
  agents: AgentConnections,
  clock: Clock,
): HostDriver {
  const machines = new LocalMachines(directory, agents, clock);
  const decorate = async (host: Host, hasImages: boolean): Promise<Host> => {
    const { kept } = await machines.read(host.id);
    return {
      ...host,
      ...(hasImages ? { offers: [...(host.offers ?? []), "replacement"] } : {}),
      ...(kept ? { replaced: kept } : {}),
    };
  };
  return {
    ...driver,
    list: async (signal) => {
      const hasImages = await machines.hasImages();
      return Promise.all((await driver.list(signal)).map((host) => decorate(host, hasImages)));
    },
    observe: async (host, signal) => decorate(await driver.observe(host, signal), await machines.hasImages()),
    fenceOff: async (host, context) => {
      await machines.admit(host, context);
      await driver.fenceOff(host, context);
    },
    operation: async (host, key, signal) =>
      (await machines.operation(host, key)) ?? (await driver.operation(host, key, signal)),
    replacement: {
      start: (host, spec, context) => machines.replace(host, spec, context),
      restore: (host, context) => machines.restore(host, context),
      discard: (host, context) => machines.discard(host, context),
    } satisfies ReplacementDriver,
  };
}

/** The machines of a fleet's hosts. */
class LocalMachines {
  readonly #directory: string;
  readonly #agents: AgentConnections;
  readonly #clock: Clock;
  /** Operations that this process carries out, by host and key. */
  readonly #underWay = new Set<string>();

  constructor(directory: string, agents: AgentConnections, clock: Clock) {
    this.#directory = directory;
    this.#agents = agents;
    this.#clock = clock;
  }

  async hasImages(): Promise<boolean> {
    return Object.keys(await this.#images()).length > 0;
  }

  async read(host: string): Promise<MachineRecord> {
    return ((await readJson(this.#files(host).machine)) as MachineRecord | undefined) ?? NO_RECORD;
  }

  /** Refuses earlier owners from now on. @throws DriverError stale-epoch */
  async admit(host: string, { epoch, signal }: CallContext): Promise<void> {
    await this.#alone(host, signal, async () => {
      const record = await this.read(host);
      refuseStale(host, record, epoch);
      if (epoch > record.epoch) await this.#write(host, { ...record, epoch });
    });
  }

  /** How an operation stands; one that nobody carries out any more is carried on. */
  async operation(host: string, key: string): Promise<Operation | undefined> {
    const found = (await this.read(host)).operations.find((operation) => operation.key === key);
    if (found?.state === "running") this.#carryOn(host, key);
    return found && shown(found);
  }

  async replace(host: string, { image, timeoutMs }: ReplacementSpec, context: CallContext): Promise<Operation> {
    const images = await this.#images();
    if (Object.keys(images).length === 0) throw new DriverError("unsupported", host, "its fleet has no images");
    const folder = images[image];
    return await this.#begin(host, context, async (record) => {
      if (record.kept) throw conflict(host, `${record.kept.owner} keeps the machine that it replaced`);
      await this.#refuseCopies(host, context.signal);
      if (folder === undefined) return { ...record, ...ended(this.#clock, context.key, `there is no image ${image}`) };
      const { bootId } = await this.#agents.read<Host>(host, "host", {}, context.signal);
      return {
        ...record,
        kept: { owner: context.owner, bootId },
        operations: [{ ...this.#running(context.key), image: folder, giveUpAt: this.#clock.now() + timeoutMs }],
      };
    });
  }

  async restore(host: string, context: CallContext): Promise<Operation> {
    return await this.#begin(host, context, async (record) => {
      if (!record.kept) return { ...record, ...ended(this.#clock, context.key) };
      refuseOther(host, record.kept, context);
      if (await isProcessRunning(this.#files(host))) await this.#refuseCopies(host, context.signal);
      return { ...record, operations: [this.#running(context.key)] };
    });
  }

  async discard(host: string, context: CallContext): Promise<void> {
    await this.admit(host, context);
    await this.#alone(host, context.signal, async () => {
      const { kept, ...record } = await this.read(host);
      if (!kept) return;
      refuseOther(host, kept, context);
      await rm(this.#files(host).kept, { recursive: true, force: true });
      await this.#write(host, record);
    });
  }

  /** Records an operation once for its key and carries it out. @param decide the record with it, or why it is refused */
  async #begin(
    host: string,
    context: CallContext,
    decide: (record: MachineRecord) => Promise<MachineRecord>,
  ): Promise<Operation> {
    await this.admit(host, context);
    await this.#fenceAgent(host, context);
    const operation = await this.#alone(host, context.signal, async () => {
      const record = await this.read(host);
      refuseStale(host, record, context.epoch);
      const known = record.operations.find(({ key }) => key === context.key);
      if (known) return known;
      const decided = await decide(record);
      const [begun] = decided.operations;
      const operations = [...record.operations, ...decided.operations.slice(0, 1)].slice(-REMEMBERED);
      await this.#write(host, { ...decided, operations });
      return begun as MachineOperation;
    });
    if (operation.state === "running") this.#carryOn(host, context.key);
    return shown(operation);
  }

  /** The agent of the moment knows epochs that were never seen here, and hands them on to the next one. */
  async #fenceAgent(host: string, context: CallContext): Promise<void> {
    try {
      await this.#agents.mutate(host, "fence-off", {}, { ...context, key: `${context.key}/fence` });
    } catch (error) {
      // Halfway through an operation there is no agent; what it had seen is on disk.
      if (!isKind(error, "DriverError") || (error as DriverError).code !== "unreachable") throw error;
    }
  }

  #carryOn(host: string, key: string): void {
    const name = `${host}\n${key}`;
    if (this.#underWay.has(name)) return;
    this.#underWay.add(name);
    void this.#carryOut(host, key).finally(() => this.#underWay.delete(name));
  }

  /** Never fails: how it ended is in the record. */
  async #carryOut(host: string, key: string): Promise<void> {
    await this.#alone(host, NO_ABORT, async () => {
      const record = await this.read(host);
      const operation = record.operations.find((one) => one.key === key);
      if (operation?.state !== "running") return;
      let reason: string | undefined;
      try {
        if (operation.image === undefined) await this.#putBack(host);
        else await this.#putAnother(host, operation.image);
        if (this.#clock.now() > (operation.giveUpAt ?? Number.POSITIVE_INFINITY)) reason = "deadline";
        else await startLocalHost(this.#directory, host, this.#clock);
      } catch (error) {
        reason = messageOf(error);
      }
      const { kept, ...rest } = record;
      // One that was put back is kept no more, and neither is one that never left its place.
      const isKept = await exists(this.#files(host).kept);
      await this.#write(host, {
        ...rest,
        ...(kept && isKept ? { kept } : {}),
        operations: record.operations.map((one) => (one.key === key ? end(this.#clock, one, reason) : one)),
      });
    }).catch(() => undefined);
  }

  async #putAnother(host: string, image: string): Promise<void> {
    const files = this.#files(host);
    if (!(await exists(join(files.kept, "root")))) {
      // What takes long, and may fail, comes before the old machine stops.
      await rm(files.next, { recursive: true, force: true });
      await seedRoot(files.next, image, "images");
    }
    await stopFleetProcess(files, this.#clock);
    await mkdir(files.kept, { recursive: true, mode: 0o700 });
    for (const name of ["state", "root"] as const) {
      if (!(await exists(join(files.kept, name)))) await rename(files[name], join(files.kept, name));
    }
    // Where the new agent has run already, it knows more than the old one did.
    if (!(await exists(hostFolder(files.state).bootRecord))) await handOn(join(files.kept, "state"), files.state);
    if (!(await exists(files.root))) await rename(files.next, files.root);
  }

  async #putBack(host: string): Promise<void> {
    const files = this.#files(host);
    const [state, root] = [join(files.kept, "state"), join(files.kept, "root")];
    await stopFleetProcess(files, this.#clock);
    if (await exists(state)) {
      if (await exists(files.state)) await handOn(files.state, state);
      // It boots anew.
      await rm(hostFolder(state).bootRecord, { force: true });
      await rm(files.state, { recursive: true, force: true });
      await rename(state, files.state);
    }
    if (await exists(root)) {
      await rm(files.root, { recursive: true, force: true });
      await rename(root, files.root);
    }
    await rm(files.kept, { recursive: true, force: true });
  }

  async #refuseCopies(host: string, signal: AbortSignal): Promise<void> {
    const replicas = await this.#agents.read<readonly Replica[]>(host, "replicas", {}, signal);
    const running = replicas.find(({ state }) => state !== "stopped");
    if (running) throw conflict(host, `${running.id} still runs on it`);
  }

  async #images(): Promise<Readonly<Record<string, string>>> {
    return (await readFleetFile(fleetLayout(this.#directory)))?.spec.images ?? {};
  }

  #files(host: string): HostLayout {
    this.#agents.hostOf(host);
    return fleetLayout(this.#directory).host(host);
  }

  #running(key: string): MachineOperation {
    return { key, state: "running", output: "", startedAt: this.#clock.now() };
  }

  async #write(host: string, record: MachineRecord): Promise<void> {
    await writeJson(this.#files(host).machine, record);
  }

  #alone<T>(host: string, signal: AbortSignal, body: () => Promise<T>): Promise<T> {
    return runExclusively(`machine of ${host} in ${this.#directory}`, this.#clock, signal, body);
  }
}

/** Marks, and what was seen of epochs and calls, belong to the host and not to its machine. */
async function handOn(from: string, to: string): Promise<void> {
  const [source, target] = [hostFolder(from), hostFolder(to)];
  await mkdir(to, { recursive: true, mode: 0o700 });
  for (const name of ["cordonRecord", "callLedger"] as const) {
    await rm(target[name], { force: true });
    if (!(await exists(source[name]))) continue;
    await cp(source[name], `${target[name]}.new`);
    await rename(`${target[name]}.new`, target[name]);
  }
}

function refuseStale(host: string, record: MachineRecord, epoch: number): void {
  if (epoch >= record.epoch) return;
  throw new DriverError(
    "stale-epoch",
    host,
    `epoch ${String(epoch)} is refused: ${String(record.epoch)} was seen of its machine`,
    { remedy: "a newer owner carries on; nothing has to be done here" },
  );
}

function refuseOther(host: string, kept: ReplacedMachine, { owner }: CallContext): void {
  if (kept.owner !== owner) throw conflict(host, `${kept.owner} replaced it`);
}

function conflict(host: string, text: string): DriverError {
  return new DriverError("conflict", host, text);
}

function ended(clock: Clock, key: string, reason?: string): Pick<MachineRecord, "operations"> {
  return { operations: [end(clock, { key, state: "running", output: "", startedAt: clock.now() }, reason)] };
}

function end(clock: Clock, operation: MachineOperation, reason: string | undefined): MachineOperation {
  const endedAt = clock.now();
  return reason === undefined
    ? { ...operation, state: "done", endedAt }
    : { ...operation, state: "failed", endedAt, reason };
}

function shown({ image: _, giveUpAt: __, ...operation }: MachineOperation): Operation {
  return operation;
}

async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined;
}
