/**
 * Many runners in several processes contend for one lease, while processes are killed and stopped; a host's fence, that
 * of the agents, takes the calls of whoever believes in the lease. Then everything that happened is judged.
 *
 * Not for: what a run does with a lease (test/runner).
 */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import * as fs from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { createControlServer } from "../../providers/agent/control-server";
import { systemClock } from "../../providers/clock";
import { createFleetAuthority, issueCertificate } from "../../providers/drivers/certificates";
import { machineTime, type ContentionSetup } from "./contention-process";

export interface ContentionOptions {
  /** URL of the store. */
  readonly url: string;
  readonly runners: number;
  readonly processes: number;
  /** How long it takes at least. */
  readonly seconds: number;
  /** It goes on, for a minute at most, until so many runners had a turn: machines may be busy. @default 0 */
  readonly leastOwners?: number;
  readonly ttlMs: number;
  readonly pauseMs: number;
  /** Time from one killed or stopped process to the next. */
  readonly disturbEveryMs: number;
}

/** What happened, and what must not have. */
export interface ContentionResult {
  /** Times that a runner believed in its lease. */
  readonly holds: number;
  /** Calls that the host carried out. */
  readonly effects: number;
  /** Runners that had at least one turn. */
  readonly owners: number;
  readonly killed: number;
  readonly stopped: number;
  /** Calls of runners that were too slow, refused by the host. */
  readonly fenced: number;
  /** Longest time without an effect. */
  readonly longestGapMs: number;
  /** Two owners under one epoch or at one time, epochs that fell: must be empty. */
  readonly violations: readonly string[];
}

/** Somebody who believed in the lease, or whose call was carried out, by the machine's monotonic time. */
interface Hold {
  readonly owner: string;
  readonly epoch: number;
  readonly from: number;
  readonly until: number;
  /** The host refused it although it still believed. */
  readonly isRefused?: boolean;
}

const RESOURCE = "host/fleet/host-01";
/** How long a call to the host has its effect. */
const EFFECT_MS = 3;
const LOOK_MS = 50;
/** What a busy machine may take longer. */
const PATIENCE_MS = 60_000;

/** Runs the contention and judges it. */
export async function runContention(options: ContentionOptions): Promise<ContentionResult> {
  const folder = await fs.mkdtemp(join(tmpdir(), "archipelago-contention-"));
  const holds: Hold[] = [];
  const effects: Hold[] = [];
  const fence = await openFence(folder, effects);
  const startMs = machineTime();
  const isOver = (): boolean => {
    const overMs = machineTime() - startMs - options.seconds * 1000;
    return overMs > PATIENCE_MS || (overMs >= 0 && countOwners(effects) >= (options.leastOwners ?? 0));
  };
  const names = Array.from({ length: options.runners }, (_, index) => `runner-${String(index)}`);
  const start = (slot: number, life: number): ChildProcess => {
    const owners = names.filter((_, index) => index % options.processes === slot);
    const setup: ContentionSetup = {
      url: options.url,
      resource: RESOURCE,
      // A process that comes back is another owner: what it held before is not its own any more.
      owners: owners.map((name) => `${name}/${String(life)}`),
      ttlMs: options.ttlMs,
      pauseMs: options.pauseMs,
      fence: { url: fence.url, tls: fence.tls },
    };
    const child = spawn(process.execPath, [join(__dirname, "contention-process.js"), JSON.stringify(setup)], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    createInterface(child.stdout).on("line", (line) => holds.push(JSON.parse(line) as Hold));
    return child;
  };
  try {
    const children = Array.from({ length: options.processes }, (_, slot) => start(slot, 0));
    const disturbed = await disturb(children, start, options, isOver);
    for (const child of children) child.stdin?.end();
    const codes = await Promise.all(children.map(endOf));
    const failed = codes.filter((code) => code !== 0).length;
    const failures = failed === 0 ? [] : [`${String(failed)} processes failed; see their output`];
    return {
      ...judge(holds, effects, startMs, machineTime()),
      ...disturbed,
      fenced: fence.refused(),
      violations: [...failures, ...findViolations(holds, effects)],
    };
  } finally {
    await fence.close();
    await fs.rm(folder, { recursive: true });
  }
}

/** Kills a process and starts another in its place, or stops one for longer than its lease, in turns, to the end. */
async function disturb(
  children: ChildProcess[],
  start: (slot: number, life: number) => ChildProcess,
  { disturbEveryMs, ttlMs }: ContentionOptions,
  isOver: () => boolean,
): Promise<{ readonly killed: number; readonly stopped: number }> {
  let killed = 0;
  let stopped = 0;
  for (let turn = 0; ; turn += 1) {
    const nextMs = machineTime() + disturbEveryMs;
    while (machineTime() < nextMs) {
      if (isOver()) return { killed, stopped };
      await systemClock.sleep(LOOK_MS);
    }
    const slot = turn % children.length;
    const child = children[slot];
    if (!child) throw new Error("contention needs a process");
    if (turn % 2 === 0) {
      const exit = endOf(child);
      child.kill("SIGKILL");
      await exit;
      killed += 1;
      children[slot] = start(slot, killed);
    } else {
      child.kill("SIGSTOP");
      await systemClock.sleep(ttlMs * 1.2);
      child.kill("SIGCONT");
      stopped += 1;
    }
  }
}

async function endOf(child: ChildProcess): Promise<number | null> {
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  return child.exitCode;
}

function judge(
  holds: readonly Hold[],
  effects: readonly Hold[],
  startMs: number,
  endMs: number,
): Pick<ContentionResult, "holds" | "effects" | "owners" | "longestGapMs"> {
  const times = [startMs, ...effects.map(({ from }) => from), endMs].sort((a, b) => a - b);
  const gaps = times.slice(1).map((time, index) => time - (times[index] ?? time));
  return {
    holds: holds.length,
    effects: effects.length,
    owners: countOwners(effects),
    longestGapMs: Math.round(Math.max(0, ...gaps)),
  };
}

/** Runners that had a turn, in whatever life. */
function countOwners(effects: readonly Hold[]): number {
  return new Set(effects.map(({ owner }) => owner.split("/")[0])).size;
}

/** Two owners of one epoch, two at one time, and epochs that fall. */
function findViolations(holds: readonly Hold[], effects: readonly Hold[]): readonly string[] {
  const violations: string[] = [];
  for (const hold of holds) {
    if (hold.isRefused) violations.push(`${describe(hold)} was refused while it believed in its lease`);
  }
  const owners = new Map<number, string>();
  for (const { owner, epoch } of [...holds, ...effects]) {
    const other = owners.get(epoch) ?? owner;
    if (other !== owner) violations.push(`epoch ${String(epoch)} has two owners: ${other} and ${owner}`);
    owners.set(epoch, owner);
  }
  for (const [what, list] of [
    ["believed in", holds],
    ["worked under", effects],
  ] as const) {
    const sorted = list.toSorted((a, b) => a.from - b.from);
    for (const [index, hold] of sorted.entries()) {
      const before = sorted[index - 1];
      if (!before) continue;
      if (before.epoch > hold.epoch) violations.push(`${describe(hold)} ${what} it after ${describe(before)}`);
      if (before.owner !== hold.owner && before.until > hold.from) {
        violations.push(`${describe(before)} and ${describe(hold)} ${what} it at the same time`);
      }
    }
  }
  return violations;
}

function describe({ owner, epoch, from, until }: Hold): string {
  return `${owner} (epoch ${String(epoch)}, ${from.toFixed(1)} to ${until.toFixed(1)})`;
}

/** A host's control server, as agents have it, with one call that takes a moment. */
async function openFence(folder: string, effects: Hold[]) {
  const tlsFolder = join(folder, "tls");
  await createFleetAuthority(tlsFolder);
  const [tls, client] = await Promise.all([
    issueCertificate(tlsFolder, { name: "host-01", role: "agent", addresses: ["127.0.0.1"] }),
    issueCertificate(tlsFolder, { name: "controller", role: "client", addresses: [] }),
  ]);
  let begun = 0;
  const server = createControlServer({
    subject: "host-01",
    tls,
    host: "127.0.0.1",
    port: 0,
    stateFile: join(folder, "calls.log"),
    reads: {},
    mutations: {
      work: {
        resource: () => "host",
        apply: async (_, { owner, epoch }) => {
          begun += 1;
          const from = machineTime();
          await systemClock.sleep(EFFECT_MS);
          effects.push({ owner, epoch, from, until: machineTime() });
          return null;
        },
      },
    },
  });
  const url = await server.listen();
  return {
    url,
    tls: client,
    refused: () => server.counters().mutations - begun,
    close: () => server.close(),
  };
}
