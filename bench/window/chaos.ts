/**
 * Kills at random while a host is updated: every so often SIGKILL of an agent or of the runner, by a seed. A killed agent
 * is started again by a supervisor after 0.5 to 1 s, as systemd would; the runner by the next `up` (run.ts).
 *
 * Not for: workloads and the switch, which nobody kills here.
 *
 * Invariants
 * 1. A process is killed only if it carries the mark of this benchmark (runner) or is the agent on record of the fleet.
 * 2. `stop` resolves when every killed agent serves again.
 */
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { findByEnvironment, isRunning, type ProcessIdentity } from "../../providers/agent/process-table";
import { startLocalHost } from "../../providers/drivers/local-fleet";
import { fleetLayout, readFleetFile, readJson } from "../../providers/drivers/local-fleet/layout";
import { createRandom } from "../../providers/testing";

/** In the environment of everything that an `up` starts; its value is the benchmark's own. */
export const RUNNER_MARK = "ARCHIPELAGO_BENCH_RUNNER";

/** How long a supervisor takes. */
const SUPERVISOR_MS = { least: 500, most: 1_000 } as const;

/** Kills by what was killed. */
export interface ChaosCount {
  readonly seed: number;
  readonly everySeconds: number;
  readonly runner: number;
  readonly agents: number;
}

export interface ChaosOptions {
  readonly seed: number;
  readonly everyMs: number;
  /** The fleet's folder. */
  readonly directory: string;
  /** Value of {@link RUNNER_MARK}. */
  readonly mark: string;
  readonly tell: (line: string) => void;
}

/** See the file's header. */
export class Chaos {
  /** Runners that were killed. */
  runners = 0;
  private agents = 0;
  private readonly random: ReturnType<typeof createRandom>;
  private readonly ending = new AbortController();
  private readonly supervised: Promise<void>[] = [];
  private loop: Promise<void> | undefined;

  constructor(private readonly options: ChaosOptions) {
    this.random = createRandom(options.seed);
  }

  start(): void {
    this.loop ??= this.run();
  }

  async stop(): Promise<ChaosCount> {
    this.ending.abort();
    await this.loop;
    await Promise.all(this.supervised);
    const { seed, everyMs } = this.options;
    return { seed, everySeconds: everyMs / 1000, runner: this.runners, agents: this.agents };
  }

  private async run(): Promise<void> {
    const { signal } = this.ending;
    for (;;) {
      const isEnding = await sleep(this.options.everyMs, false, { signal }).catch(() => true);
      if (isEnding) return;
      // Both are drawn each time, so that the sequence does not depend on who was alive.
      const isRunner = this.random.next() < 0.5;
      const draw = this.random.next();
      if (!isRunner || !this.killRunner()) await this.killAgent(draw);
    }
  }

  private killRunner(): boolean {
    const runner = findByEnvironment(RUNNER_MARK, this.options.mark).find(({ pid }) => isProvider(pid));
    if (runner === undefined) return false;
    process.kill(runner.pid, "SIGKILL");
    this.runners += 1;
    this.options.tell(`chaos: killed the runner (process ${String(runner.pid)})`);
    return true;
  }

  private async killAgent(draw: number): Promise<void> {
    const layout = fleetLayout(this.options.directory);
    const hosts = (await readFleetFile(layout))?.spec.hosts.filter(({ role }) => role === "member") ?? [];
    const host = hosts[Math.floor(draw * hosts.length)]?.id;
    if (host === undefined) return;
    const agent = (await readJson(layout.host(host).process)) as ProcessIdentity | undefined;
    if (agent === undefined || !isRunning(agent)) {
      this.options.tell(`chaos: the agent of ${host} is down already`);
      return;
    }
    process.kill(agent.pid, "SIGKILL");
    this.agents += 1;
    this.options.tell(`chaos: killed the agent of ${host}`);
    this.supervised.push(this.supervise(host));
  }

  private async supervise(host: string): Promise<void> {
    await sleep(SUPERVISOR_MS.least + this.random.next() * (SUPERVISOR_MS.most - SUPERVISOR_MS.least));
    await startLocalHost(this.options.directory, host);
  }
}

/** The provider's process is the runner of an `up`; engine and program carry the mark, too. */
function isProvider(pid: number): boolean {
  try {
    return readFileSync(`/proc/${String(pid)}/cmdline`, "utf8").includes("dynamic-provider");
  } catch {
    return false; // Gone meanwhile.
  }
}
