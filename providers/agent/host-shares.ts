/**
 * Shares of this host's CPU that are in force: which copies may use how much together, and until when.
 *
 * Not for: how the kernel is told (cpu-groups.ts), and which shares are right (planner).
 *
 * Invariants
 * 1. Shares are told of only while they hold: on record, not lapsed, and put in force by the kernel at the last look.
 * 2. They outlive the agent: groups stay when it ends, and the next one takes them up as they are on record. Shares that lapse
 *    while there is no agent hold until the next one comes.
 */
import { DriverError, messageOf, SHARE_TOLERANCE, type SharesInForce } from "../../sdk/model";
import type { Clock } from "../clock";
import type { CpuGroups } from "./cpu-groups";
import { INSTANCE } from "./environment";
import { readRecord, removeRecord, writeRecord } from "./host-folder";
import { groupByEnvironment, isRunning } from "./process-table";
import type { ReplicaRecord } from "./replica-record";

export interface HostSharesOptions {
  readonly host: string;
  /** Of the record. */
  readonly path: string;
  /** What a share is a part of. */
  readonly cpuMillis: number;
  /** Or tells why nothing can be bounded here. */
  readonly openGroups: () => CpuGroups | string;
  readonly records: () => readonly ReplicaRecord[];
  readonly clock: Clock;
}

/** Copies may be started, and processes leave their group's children behind, between two calls: they are looked for. */
const LOOK_EVERY_MS = 2_000;

/** See the file's header. */
export class HostShares {
  readonly #options: HostSharesOptions;
  readonly #abort = new AbortController();
  #groups: CpuGroups | string = "the agent has not looked yet";
  #recorded: SharesInForce | undefined;
  #holds = false;

  constructor(options: HostSharesOptions) {
    this.#options = options;
  }

  /** Why shares cannot be put in force here; undefined where they can. */
  get obstacle(): string | undefined {
    return typeof this.#groups === "string" ? this.#groups : undefined;
  }

  /** Takes up what an earlier agent left, and looks after it until `close`. */
  async recover(): Promise<void> {
    this.#groups = this.#options.openGroups();
    this.#recorded = (await readRecord(this.#options.path)) as SharesInForce | undefined;
    await this.#look();
    void this.#run();
  }

  /** Those that hold now. */
  observe(): SharesInForce | undefined {
    return this.#holds && this.#isCurrent() ? this.#recorded : undefined;
  }

  /**
   * Puts shares in force in place of those before; null ends them.
   * @throws DriverError unsupported where nothing can be bounded; failed when they are more than the host, or the kernel
   *   refuses: then those before hold
   */
  async set(shares: SharesInForce | null): Promise<void> {
    const { host, path } = this.#options;
    const groups = this.#groups;
    if (typeof groups === "string") {
      throw new DriverError("unsupported", host, `its shares cannot be changed: ${groups}`, {
        remedy: "run the agent as root on a machine whose control groups it may write",
      });
    }
    const sum = shares?.shares.reduce((total, { cpu }) => total + cpu, 0) ?? 0;
    if (sum > 1 + SHARE_TOLERANCE) {
      throw new DriverError("failed", host, `its shares (${String(sum)}) must be at most the whole host`);
    }
    try {
      this.#apply(groups, shares ?? undefined);
    } catch (error) {
      await this.#look();
      const remedy = "see what the kernel says on the host";
      throw new DriverError("failed", host, `shares cannot be put in force (${messageOf(error)})`, {
        remedy,
        cause: error,
      });
    }
    if (shares) await writeRecord(path, shares);
    else await removeRecord(path);
    this.#recorded = shares ?? undefined;
    this.#holds = shares !== null;
  }

  /** Bounds a copy that was just started, before it has children. */
  include(): void {
    if (this.#recorded) void this.#look();
  }

  /** Ends the looking; what is in force stays so. */
  close(): void {
    this.#abort.abort();
  }

  async #run(): Promise<void> {
    const { clock } = this.#options;
    const { signal } = this.#abort;
    for (;;) {
      const leftMs = this.#recorded ? this.#recorded.expiresAt - clock.now() : LOOK_EVERY_MS;
      await clock.sleep(Math.min(LOOK_EVERY_MS, Math.max(1, leftMs)), signal);
      if (signal.aborted) return;
      if (this.#recorded) await this.#look();
    }
  }

  /** Makes the kernel's groups those on record. What it refuses does not hold, and is tried again at the next look. */
  async #look(): Promise<void> {
    const { path } = this.#options;
    const groups = this.#groups;
    if (typeof groups === "string") return;
    const isLapsed = this.#recorded !== undefined && !this.#isCurrent();
    const wanted = isLapsed ? undefined : this.#recorded;
    try {
      this.#apply(groups, wanted);
      this.#holds = wanted !== undefined;
      if (!isLapsed) return;
      this.#recorded = undefined;
      await removeRecord(path);
    } catch {
      this.#holds = false;
    }
  }

  #apply(groups: CpuGroups, shares: SharesInForce | undefined): void {
    const pids = shares ? this.#pidsByWorkload() : new Map<string, readonly number[]>();
    const bounded = (shares?.shares ?? []).map(({ island, cpu, workloads }) => ({
      name: island,
      cpuMillis: cpu * this.#options.cpuMillis,
      pids: workloads.flatMap((workload) => pids.get(workload) ?? []),
    }));
    const named = new Set(bounded.flatMap((group) => group.pids));
    groups.apply(
      bounded,
      Array.from(pids.values())
        .flat()
        .filter((pid) => !named.has(pid)),
    );
  }

  #pidsByWorkload(): ReadonlyMap<string, readonly number[]> {
    const found = new Map<string, number[]>();
    const live = this.#options.records().filter(({ process }) => isRunning(process));
    if (live.length === 0) return found;
    const members = groupByEnvironment(INSTANCE);
    for (const { spec, instance, process } of live) {
      const pids = new Set([...(process ? [process.pid] : []), ...(members.get(instance) ?? [])]);
      found.set(spec.workload, [...(found.get(spec.workload) ?? []), ...pids]);
    }
    return found;
  }

  #isCurrent(): boolean {
    return this.#recorded !== undefined && this.#recorded.expiresAt > this.#options.clock.now();
  }
}
