/** A host update: what every host of some islands shall match, and how far a run may go to get there. */
import type * as pulumi from "@pulumi/pulumi";
import { normalizeUpdate, object, optional, stagesRule, updateFields, validateUpdate, type Rule } from "../arguments";
import type { HostUpdateSpec, Mistake, StageSpec } from "../model";
import { parseArguments } from "./argument-error";
import { CapacityPool } from "./capacity-pool";
import type { ApprovalArgs, NoticeArgs, SilenceArgs, StopRulesArgs } from "./guard-arguments";
import { lateText, type Later } from "./later";
import type { MaintenanceWindow } from "./maintenance-window";
import type { ResourceIsland } from "./resource-island";
import { partsOf, RunComponent, surroundings } from "./run-component";
import { validateSurroundings } from "./run-surface";

/** Arguments of {@link HostUpdate}. */
export interface HostUpdateArgs {
  /** Islands whose hosts are updated. */
  islands: ResourceIsland[];
  /** Calendars; the run works while any of them is open. */
  windows: MaintenanceWindow[];
  /** Reserve for the time of the run. @default no reserve */
  pool?: CapacityPool;
  update: UpdateArgs;
  limits?: LimitsArgs;
  /**
   * Stages before this one, such as another region: the run starts once the latest run of each is done, and has been for
   * `soak` ("1 hour"). Their runs must be in the same run store.
   * @default none
   */
  after?: { update: HostUpdate; soak?: string }[];
  /** When a copy is moved that need not be. @default { threshold: 12, maximumCost: 25 } */
  migration?: MigrationArgs;
  /**
   * P(demand stays within capacity at every time of the run) must be at least this.
   * @default "95%"
   */
  confidence?: string;
  /**
   * What happens to placements at the end. Copies on reserved hosts and shed ones always come back.
   * @default "if-better"
   */
  failback?: "if-better" | "origin" | "never";
  /**
   * When in an opening the run begins: as soon as it is open, or at the time at which the least data is moved while the
   * workloads that it belongs to are busy.
   * @default "soonest"
   */
  timing?: "soonest" | "quiet";
  /** What `pulumi up` does outside the windows. @default "arm" */
  whenClosed?: "arm" | "skip" | "fail";
  /** What a blocked plan does to `pulumi up`. @default "show" */
  whenBlocked?: "show" | "fail";
  /**
   * What becomes of a plan when the copies of some hosts find no room in an opening: it is blocked, with what would help; or
   * those hosts are left for another opening, and the others are updated. They are tried again before every wave.
   * @default "block"
   */
  whenStuck?: "block" | "defer";
  /**
   * Who starts the run in a window: `"up"`, any `pulumi up` while one is open, or a runner; or `"runner"`, a runner
   * alone, so that a hotfix `pulumi up` on a Saturday night does not. Without a runner such a plan is blocked.
   * @default "up"
   */
  startedBy?: "up" | "runner";
  /**
   * How long `pulumi up` stays with a run before it leaves it to a runner, such as "10 minutes". Where no runner is
   * seen it stays to the end.
   * @default to the end of the run
   */
  attachFor?: string;
  /** Raise it to try again after a run failed or was cancelled. @default 1 */
  attempt?: number;
  /** Run store, such as "file:/srv/archipelago". @default the one of the fleet's inventory */
  store?: pulumi.Input<string>;
  /** Seed of everything drawn by chance in planning. @default 1 */
  seed?: number;
  /**
   * Maintenance that the provider has announced: hosts that it meets take no copies and are not updated in openings
   * that meet it. `file` is a JSON list of the same form that is read before every plan. @default none is known
   */
  events?: { file?: pulumi.Input<string>; listed?: MaintenanceEventArgs[] };
  /**
   * Prices for the cost of a plan, per unit in `currency`; `file` is a JSON object of the same form that is read before
   * every plan. Rates that are left out are not priced. A pool's `price` goes before `reservedHostHour`.
   * @default example prices in USD: 0.04 a core hour and 0.005 a GiB hour of reserved hosts, 0.02 a GiB across zones
   */
  prices?: PricesArgs;
  /** When a run stops by itself. @default it stops at failed steps and blocked plans alone */
  stopRules?: StopRulesArgs;
  /** Who must approve the plan before a run starts: its digest is `planDigest`. @default nobody */
  approval?: ApprovalArgs;
  /** Who is told about a run. @default nobody */
  notices?: NoticeArgs[];
  /** Whose alerts about a host are silenced while it is worked on. @default no alerts are silenced */
  silences?: SilenceArgs[];
  /** A file that stops all disruption while it exists, besides `archipelago kill on`. */
  killSwitch?: { file: pulumi.Input<string> };
}

/** Prices of one unit each. */
export interface PricesArgs {
  file?: pulumi.Input<string>;
  /** Such as "EUR"; here or in the file. */
  currency?: string;
  /** Where they come from; shown beside the cost. */
  note?: string;
  /** A reserved host for an hour, whatever its size. @default by size: the two rates below */
  reservedHostHour?: number;
  cpuCoreHour?: number;
  memoryGibHour?: number;
  /** A second copy during a move, where copies are billed and not hosts. @default 0 */
  surgeCpuCoreHour?: number;
  surgeMemoryGibHour?: number;
  transferGibWithinZone?: number;
  transferGibAcrossZones?: number;
  /** A million calls of a function that stands in for copies, what they compute included. */
  functionMillionCalls?: number;
}

/** Maintenance announced by a provider for hosts or zones, one of both at least. */
export interface MaintenanceEventArgs {
  /** The provider's id of it. */
  id: string;
  hosts?: string[];
  zones?: string[];
  /** ISO 8601 with the offset: "2026-11-28T02:00:00Z". */
  start: string;
  end: string;
  /** Such as "reboot". @default "announced" */
  reason?: string;
}

/** The update itself. */
export interface UpdateArgs {
  /** Command that prints the version and changes nothing. */
  probe: pulumi.Input<string>;
  /** What the probe must print; `*` and `?` match any text and any character. */
  expect: pulumi.Input<string>;
  /**
   * Command that updates a host in place, run by /bin/sh. At least one of command and image; with both, the plan chooses for
   * each host the less disruptive way of those that its driver reports.
   */
  command?: pulumi.Input<string>;
  /**
   * Image of the machine that takes a host's place, as its platform names it: where its driver offers replacement. The old
   * machine is kept until the new one has been watched, and put back when something fails.
   */
  image?: pulumi.Input<string>;
  /** Command that takes the command back. Without it, `irreversible: true` is needed; with an image alone neither is. */
  undo?: pulumi.Input<string>;
  /** Says that you know there is no way back. @default false */
  irreversible?: boolean;
  /** Restart the host after the command. @default false */
  reboot?: boolean;
  /** Deadline of the command, and of undo, or of a replacement. @default "15 minutes" */
  timeout?: string;
  /** How long the command or a replacement takes, nearly always (P95). @default a quarter of the timeout */
  expected?: string;
  /** Deadline and P95 of a replacement, where they are not those of the command. @default `timeout` and `expected` */
  replacement?: { timeout?: string; expected?: string };
  /**
   * What of a host it disturbs: "nothing" that runs (a live patch), "copies" that have to be restarted to take it, or the
   * "host" as a whole. Copies stay where they are as far as that, room beside the update and their budgets allow.
   * @default "host"
   */
  disturbs?: "nothing" | "copies" | "host";
  /**
   * What it installs: how large it is, like "180 MiB", and what of the host it keeps busy most. It tells what the update
   * itself takes from a host until earlier runs do.
   */
  package?: { size?: string; load?: "cpu" | "disk" | "network" };
}

/** When a copy is moved that need not be, in points of its migration score, which plans show with its parts. */
export interface MigrationArgs {
  /** A copy moves only with a score above it. @default 12 */
  threshold?: number;
  /** And with costs (transfer, cold caches, a longer way to what it talks to) up to it. @default 25 */
  maximumCost?: number;
}

/** How far a run may go at a time. */
export interface LimitsArgs {
  /** Hosts updated at once. @default 1 */
  hostsAtOnce?: number;
  /** Hosts of one zone updated at once. @default 1 */
  hostsPerZone?: number;
  /** Hosts of one rack updated at once. @default as many as of its zone */
  hostsPerRack?: number;
  /** Hosts of one island updated at once. @default as many as at all */
  hostsPerIsland?: number;
  /** Hosts of the first wave. @default 1 */
  canaryHosts?: number;
  /** Wait after each wave in which checks must stay green. @default "30 seconds" */
  soak?: string;
  /** How long a drain waits for requests under way. @default "60 seconds" */
  drain?: string;
}

const pool: Rule<CapacityPool> = (value, field, mistakes) => {
  if (value instanceof CapacityPool) return value;
  mistakes.push({
    field,
    value: typeof value,
    rule: "must be a CapacityPool",
    remedy: "create one with new archipelago.CapacityPool(...)",
  });
  return undefined;
};

const hostUpdate: Rule<HostUpdate> = (value, field, mistakes) => {
  if (value instanceof HostUpdate) return value;
  mistakes.push({
    field,
    value: typeof value,
    rule: "must be a HostUpdate",
    remedy: "create one with new archipelago.HostUpdate(...)",
  });
  return undefined;
};

const argsRule = object({
  islands: surroundings.islands("name the islands to update"),
  windows: surroundings.windows,
  pool: optional(pool, undefined),
  after: optional(stagesRule(hostUpdate), undefined),
  ...updateFields(lateText),
});
type CheckedHostUpdate = NonNullable<ReturnType<typeof argsRule>>;

/**
 * Wants `update.probe` to match `update.expect` on every host of its islands. `pulumi preview` shows the plan;
 * `pulumi up` carries it out while a window is open, and arms it otherwise. Hosts that match already are skipped, so
 * that a second run does nothing.
 *
 * @example
 * const kernel = new archipelago.HostUpdate("kernel", {
 *   islands: [shop], windows: [saturdays], pool: reserve,
 *   update: {
 *     probe: "uname -r", expect: "6.12.58*",
 *     command: "apt-get install -y linux-image-6.12.58-amd64",
 *     undo: "apt-get remove -y linux-image-6.12.58-amd64",
 *     reboot: true,
 *   },
 * });
 * export const { phase, nextOpening, planDigest } = kernel;
 */
export class HostUpdate extends RunComponent {
  /** Output of the probe on each host, as last observed. */
  readonly hostVersions: pulumi.Output<Readonly<Record<string, string>>>;

  readonly #name: string;

  /** What a stage that comes after this one knows it by. */
  static stageOf(update: HostUpdate, soakMs: number): Later<StageSpec> {
    return { name: update.#name, urn: update.run.urnInput, soakMs };
  }

  /** @throws ArgumentError with every mistake in `args` */
  constructor(name: string, args: HostUpdateArgs, options?: pulumi.ComponentResourceOptions) {
    super("archipelago:index:HostUpdate", name, options, () => {
      const checked = parseArguments(`HostUpdate "${name}"`, args, argsRule, validateHostUpdate);
      return { spec: specOf(name, checked), after: (checked.after ?? []).map(({ update }) => update.run) };
    });
    this.#name = name;
    this.hostVersions = this.run.hostVersions;
  }
}

function validateHostUpdate(checked: CheckedHostUpdate, mistakes: Mistake[]): void {
  validateUpdate(checked, mistakes);
  validateSurroundings(checked, mistakes);
}

function specOf(name: string, checked: CheckedHostUpdate): Later<HostUpdateSpec> {
  const parts = {
    ...partsOf(name, checked),
    ...(checked.pool ? { pool: checked.pool.spec } : {}),
    ...(checked.after ? { after: checked.after.map(({ update, soak }) => HostUpdate.stageOf(update, soak)) } : {}),
  };
  return normalizeUpdate(parts, checked);
}
