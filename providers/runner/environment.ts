/**
 * Everything a host update needs from outside, opened once: platform, run store, and the functions observe, forecast
 * and plan over them. The same for `pulumi preview`, `pulumi up`, the runner and the command line.
 *
 * Not for: deciding anything.
 */
import * as path from "node:path";
import {
  MistakeError,
  type AlarmSource,
  type AlarmSpec,
  type Blocker,
  type Bundle,
  type Fleet,
  type Forecast,
  type HostUpdateSpec,
  type MigrationPlan,
  type RunState,
} from "../../sdk/model";
import type { Clock } from "../clock";
import type { Platform } from "../drivers/contracts";
import { parseFileUrl } from "../journal/file-store";
import { openRunStore, requireSharedStore } from "../journal/open-store";
import type { RunStore } from "../journal/run-store";
import { setNiceOfAllThreads } from "../niceness";
import { createAlarmSource } from "../observe/alarms";
import { observeFleet } from "../observe/fleet";
import { observePrices } from "../observe/prices";
import { observeEvents } from "../observe/provider-events";
import { listDisclosures } from "../observe/history";
import { inputOf, planningSlot, type PlanInput } from "../plan/plan-input";
import { createPlanWorker, type PlanWorker } from "../plan/plan-in-worker";
import { readyAt } from "../plan/stages";
import { learnFromRuns } from "./earlier-runs";
import { createForecaster, type ForecastOptions } from "./forecaster";
import { describeRunner, listRunners } from "./heartbeat";
import { resolveSignal } from "./resolve-signal";
import { foreseeStages, type StageSources } from "./stages";

const BACKGROUND_NICE = 10;

/** An open platform and store, and the pure stages over them. */
export interface RunEnvironment {
  readonly spec: HostUpdateSpec;
  readonly platform: Platform;
  readonly store: RunStore;
  readonly clock: Clock;
  /** What is made up about this fleet, such as generated history. */
  disclosures(): Promise<readonly string[]>;
  /** Where reports of ended runs are written. */
  readonly reportFolder: string;
  /** @param baseline the fleet at a run's start: tells how many copies are wanted while some are on the move */
  observe(signal: AbortSignal, baseline?: Fleet): Promise<Fleet>;
  /**
   * @param slotMs start of the planning slot; nothing measured after it is used, so that a slot gives one forecast
   */
  forecast(fleet: Fleet, slotMs: number, signal: AbortSignal, options?: ForecastOptions): Promise<Forecast>;
  plan(input: PlanInput): Promise<MigrationPlan>;
  /** One source for the alarms of stop rules. */
  openAlarms?(alarms: readonly AlarmSpec[]): AlarmSource;
  close(): Promise<void>;
}

/** What whoever opens an environment knows better than the spec. */
export interface EnvironmentOptions {
  /** The store that the run was found in; it may have another name here than in the spec. */
  readonly store?: RunStore;
  /** Folder of the program that declared the update: relative paths begin there. @default the current one */
  readonly folder?: string;
  /** Plans in the caller's thread, which has nothing else to answer meanwhile. @default in one of its own */
  readonly planHere?: boolean;
}

/**
 * Opens what the spec names.
 * @throws MistakeError for an inventory that cannot be read, or a store that does not fit the platform
 */
export async function openRunEnvironment(
  declared: HostUpdateSpec,
  clock: Clock,
  { store: opened, folder, planHere = false }: EnvironmentOptions = {},
): Promise<RunEnvironment> {
  const spec = folder === undefined ? declared : resolvePaths(declared, folder);
  const { platform, disclosures } = await openPlatform(spec);
  try {
    const storeUrl = opened?.url ?? spec.store ?? platform.defaultStore;
    if (storeUrl === undefined) {
      throw MistakeError.of(
        "store",
        undefined,
        "must be given: the hosts' inventory names no run store",
        'set store, like "file:/srv/archipelago"',
      );
    }
    if (!opened) requireSharedStore(storeUrl, platform.singleMachine);
    const store = opened ?? (await openRunStore(storeUrl));
    const planner = planHere ? plannerHere : createPlanWorker();
    const forecaster = createForecaster(platform, spec, packageVersion());
    return {
      spec: declared,
      platform,
      store,
      clock,
      reportFolder: reportFolderOf(storeUrl),
      disclosures: async () => [...new Set([...disclosures, ...(await listDisclosures(platform, spec))])],
      observe: async (signal, baseline) => {
        planner.warm();
        const fleet = await observeFleet(platform, spec, signal, clock, baseline);
        return {
          ...fleet,
          ...(spec.events ? { events: await observeEvents(spec.events) } : {}),
          ...(spec.prices ? { prices: await observePrices(spec.prices) } : {}),
        };
      },
      forecast: (fleet, slotMs, signal, options) => forecaster.forecast(fleet, slotMs, signal, options),
      plan: (input) => planner.plan(input),
      openAlarms: (alarms) => createAlarmSource(alarms, { clock }),
      close: async () => {
        await planner.close();
        await forecaster.close();
        await platform.close();
      },
    };
  } catch (error) {
    await platform.close();
    throw error;
  }
}

const plannerHere: PlanWorker = {
  warm: () => undefined,
  plan: async (input) => (await import("../plan/plan.js")).plan(input),
  close: () => Promise.resolve(),
};

/** On the machine of the workloads itself, planning and watching must not take the CPU from them. */
export function yieldCpu({ platform }: RunEnvironment): void {
  if (platform.singleMachine) setNiceOfAllThreads(BACKGROUND_NICE);
}

/** What the caller of {@link planNow} knows of runs. */
export interface KnownRuns {
  /** Finds plans of stages that no run follows yet. @default there are none */
  readonly plannedStage?: StageSources["planned"];
  /** The update's latest run, where it was read already. @default it is read */
  readonly latest?: RunState | undefined;
}

/**
 * Observes, forecasts and plans as of now; nothing is changed.
 */
export async function planNow(
  environment: RunEnvironment,
  signal: AbortSignal,
  { plannedStage, latest }: KnownRuns = {},
): Promise<{ readonly plan: MigrationPlan; readonly bundle: Bundle }> {
  const { spec, clock, store } = environment;
  const slotMs = planningSlot(clock.now());
  const [fleet, stages] = await Promise.all([
    environment.observe(signal),
    spec.after && foreseeStages(spec.after, { store, ...(plannedStage ? { planned: plannedStage } : {}) }, slotMs),
  ]);
  const before = stages ? { stages } : {};
  const [demand, { durations, impact }] = await Promise.all([
    environment.forecast(fleet, slotMs, signal, { readyMs: readyAt(before) }),
    learnFromRuns(store, spec, fleet, latest),
  ]);
  const forecast = impact ? { ...demand, impact } : demand;
  const bundle: Bundle = {
    v: 1,
    packageVersion: packageVersion(),
    folder: process.cwd(),
    spec,
    fleet,
    forecast,
    slotMs,
    durations,
    ...before,
  };
  return { plan: await requireRunner(environment, await environment.plan(inputOf(bundle))), bundle };
}

/** A run that only a runner may start is blocked while there is none. */
async function requireRunner({ spec, store }: RunEnvironment, plan: MigrationPlan): Promise<MigrationPlan> {
  if (spec.startedBy !== "runner" || plan.decision === "nothing") return plan;
  const [last] = await listRunners(store);
  if (last?.isAlive === true) return plan;
  const blocker: Blocker = {
    code: "no-runner",
    subject: "runner",
    reason: last ? `it has ended or hangs: ${describeRunner(last)}` : `none has been seen in run store ${store.url}`,
    fix: `start \`archipelago runner --store ${store.url}\`, or set startedBy: "up"`,
  };
  return { ...plan, decision: "blocked", blockers: [...plan.blockers, blocker] };
}

/** The spec with the relative paths of its program. */
function resolvePaths(spec: HostUpdateSpec, folder: string): HostUpdateSpec {
  const { events, prices } = spec;
  return {
    ...spec,
    ...(events?.file === undefined ? {} : { events: { ...events, file: path.resolve(folder, events.file) } }),
    ...(prices?.file === undefined ? {} : { prices: { ...prices, file: path.resolve(folder, prices.file) } }),
    islands: spec.islands.map(({ source, metrics, signals, users, ...island }) => ({
      ...island,
      ...(users ? { users: { ...users, accessLog: path.resolve(folder, users.accessLog) } } : {}),
      ...(signals ? { signals: signals.map((signal) => resolveSignal(signal, folder)) } : {}),
      source: source.kind === "agents" ? { ...source, inventory: path.resolve(folder, source.inventory) } : source,
      metrics: metrics.kind === "recorded" ? { ...metrics, file: path.resolve(folder, metrics.file) } : metrics,
    })),
  };
}

/** Platforms load lazily: only the one that is used. Islands of one update share it. */
async function openPlatform(spec: HostUpdateSpec): Promise<{ platform: Platform; disclosures: readonly string[] }> {
  const inventories = new Set(
    spec.islands.map(({ source }) => (source.kind === "agents" ? source.inventory : source.fleet)),
  );
  const [inventory, other] = [...inventories];
  if (inventory === undefined) throw MistakeError.of("islands", [], "must name at least one island", "add one");
  if (other !== undefined) {
    throw MistakeError.of(
      "islands",
      [...inventories],
      "must share one inventory in one HostUpdate",
      "declare one HostUpdate for each fleet",
    );
  }
  const { openAgentPlatform } = await import("../drivers/agent-platform.js");
  const { loadInventory } = await import("../drivers/inventory.js");
  const platform = await openAgentPlatform(inventory);
  return { platform, disclosures: (await loadInventory(inventory)).disclosures ?? [] };
}

/** Reports lie beside a `file:` store; for others in the store, and below the program's folder. */
function reportFolderOf(storeUrl: string): string {
  if (!storeUrl.startsWith("file:")) return path.resolve(".archipelago", "reports");
  return path.join(parseFileUrl(storeUrl), "reports");
}

/** Version of this package. */
export function packageVersion(): string {
  // eslint-disable-next-line @typescript-eslint/no-require-imports -- package.json lies outside the compiled tree
  return (require("pulumi-archipelago/package.json") as { version: string }).version;
}
