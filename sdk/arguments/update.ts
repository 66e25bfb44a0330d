/** Rules of a host update's arguments but its islands, windows and pool, and their resolved form. */
import type {
  HostUpdateSpec,
  IslandSpec,
  LimitsSpec,
  Mistake,
  PoolSpec,
  ReplacementTimes,
  StageSpec,
  UpdateSpec,
  WindowSpec,
} from "../model";
import { DEFAULT_MIGRATION } from "../model";
import { eventsField, normalizeEvents, validateEvents } from "./events";
import { normalizePrices, pricesField, validatePrices } from "./prices";
import { guardFields, normalizeGuard, validateGuard } from "./guard";
import {
  byteSize,
  duration,
  flag,
  list,
  numberBetween,
  object,
  oneOf,
  optional,
  percentage,
  required,
  wholeNumber,
  type Resolved,
  type Rule,
  type SpecOf,
} from "./rules";

const MINUTE_MS = 60_000;
const DEFAULT_LIMITS: LimitsSpec = {
  hostsAtOnce: 1,
  hostsPerZone: 1,
  canaryHosts: 1,
  soakMs: 30_000,
  drainMs: MINUTE_MS,
};

/**
 * Fields of an update.
 * @param late rule of the texts that may come later
 */
export function updateFields<T>(late: Rule<T>) {
  return {
    update: required(
      updateRule(late),
      "say what the update is: { probe, expect, command, undo }, { probe, expect, image }, or all of these",
    ),
    ...runFields(late),
  };
}

/** Rule of the update itself. */
export function updateRule<T>(late: Rule<T>) {
  return object({
    probe: required(late, 'give a command that prints the version, like "uname -r"'),
    expect: required(late, 'say what the probe shall print, like "6.12.58*"'),
    command: optional(late, undefined),
    image: optional(late, undefined),
    undo: optional(late, undefined),
    irreversible: optional(flag, false),
    reboot: optional(flag, false),
    timeout: optional(duration(1000), 15 * MINUTE_MS),
    expected: optional(duration(1), undefined),
    replacement: optional(
      object({ timeout: optional(duration(1000), undefined), expected: optional(duration(1), undefined) }),
      undefined,
    ),
    disturbs: optional(oneOf(["nothing", "copies", "host"]), undefined),
    package: optional(
      object({ size: optional(byteSize, undefined), load: optional(oneOf(["cpu", "disk", "network"]), undefined) }),
      undefined,
    ),
  });
}

/** Fields of any run, with an update or without. */
export function runFields<T>(late: Rule<T>) {
  return {
    limits: optional(
      object({
        hostsAtOnce: optional(wholeNumber(1, 1000), DEFAULT_LIMITS.hostsAtOnce),
        hostsPerZone: optional(wholeNumber(1, 1000), DEFAULT_LIMITS.hostsPerZone),
        hostsPerRack: optional(wholeNumber(1, 1000), undefined),
        hostsPerIsland: optional(wholeNumber(1, 1000), undefined),
        canaryHosts: optional(wholeNumber(1, 1000), DEFAULT_LIMITS.canaryHosts),
        soak: optional(duration(), DEFAULT_LIMITS.soakMs),
        drain: optional(duration(100), DEFAULT_LIMITS.drainMs),
      }),
      undefined,
    ),
    migration: optional(
      object({
        threshold: optional(numberBetween(0, 100), DEFAULT_MIGRATION.threshold),
        maximumCost: optional(numberBetween(0, 100), DEFAULT_MIGRATION.maximumCost),
      }),
      undefined,
    ),
    confidence: optional(percentage, 0.95),
    failback: optional(oneOf(["if-better", "origin", "never"]), "if-better" as const),
    timing: optional(oneOf(["soonest", "quiet"]), undefined),
    whenClosed: optional(oneOf(["arm", "skip", "fail"]), "arm" as const),
    whenBlocked: optional(oneOf(["show", "fail"]), "show" as const),
    whenStuck: optional(oneOf(["block", "defer"]), undefined),
    startedBy: optional(oneOf(["up", "runner"]), "up" as const),
    attachFor: optional(duration(1000), undefined),
    attempt: optional(wholeNumber(1, 1_000_000), 1),
    store: optional(late, undefined),
    seed: optional(wholeNumber(0, 2 ** 31 - 1), 1),
    events: eventsField(late),
    prices: pricesField(late),
    ...guardFields(late),
  };
}
/** The arguments once each field has been checked. */
export type CheckedUpdate<T> = Resolved<ReturnType<typeof updateFields<T>>>;
/** The same of any run. */
export type CheckedRun<T> = Resolved<ReturnType<typeof runFields<T>>>;

/** Checks that need several fields at once. */
export function validateUpdate<T>(checked: CheckedUpdate<T>, mistakes: Mistake[]): void {
  const { update } = checked;
  validateRun(checked, mistakes);
  validateWay(update, mistakes);
  const mayBeInPlace = update.command !== undefined || update.image === undefined;
  if (mayBeInPlace && update.undo === undefined && !update.irreversible) {
    mistakes.push({
      field: "update.undo",
      value: undefined,
      rule: "must be given, or the update be declared irreversible",
      remedy: "give the command that takes it back, or set irreversible: true",
    });
  }
  if (update.undo !== undefined && update.irreversible) {
    mistakes.push({
      field: "update.irreversible",
      value: true,
      rule: "contradicts update.undo",
      remedy: "leave one of them out",
    });
  }
  if (update.reboot && update.disturbs !== undefined && update.disturbs !== "host") {
    mistakes.push({
      field: "update.disturbs",
      value: update.disturbs,
      rule: "contradicts update.reboot",
      remedy: "leave one of them out: a restart disturbs the whole host",
    });
  }
  if (update.expected !== undefined && update.expected > update.timeout) {
    mistakes.push({
      field: "update.expected",
      value: update.expected,
      rule: `must be at most update.timeout (${String(update.timeout)} ms)`,
      remedy: "raise timeout",
    });
  }
}

/** An update is made in place by a command, with another machine, or on each host in one of both ways. */
function validateWay<T>(update: CheckedUpdate<T>["update"], mistakes: Mistake[]): void {
  const { command, image, replacement } = update;
  if (command === undefined && image === undefined) {
    mistakes.push({
      field: "update.command",
      value: command,
      rule: "or update.image must be given",
      remedy: "give the command that updates a host, the image of the machine that takes its place, or both",
    });
  }
  if (image === undefined) {
    if (replacement !== undefined) {
      mistakes.push({
        field: "update.replacement",
        value: "given",
        rule: "means nothing without update.image",
        remedy: "give the image of the machine that takes a host's place, or leave it out",
      });
    }
    return;
  }
  validateReplacement(update, mistakes);
  if (command !== undefined) return;
  const inPlace = ["undo", "irreversible", "reboot", "disturbs", "package"] as const;
  for (const name of inPlace) {
    if (update[name] === undefined || update[name] === false) continue;
    mistakes.push({
      field: `update.${name}`,
      value: update[name],
      rule: "means nothing with update.image alone: hosts are replaced, and the old machines kept until the new ones are proven",
      remedy: "leave it out, or give update.command too",
    });
  }
}

function validateReplacement<T>({ timeout, replacement }: CheckedUpdate<T>["update"], mistakes: Mistake[]): void {
  const { expected, timeout: deadline = timeout } = replacement ?? {};
  if (expected === undefined || expected <= deadline) return;
  mistakes.push({
    field: "update.replacement.expected",
    value: expected,
    rule: `must be at most the replacement's timeout (${String(deadline)} ms)`,
    remedy: "raise update.replacement.timeout",
  });
}

/** Checks of the fields of any run that need several at once. */
export function validateRun<T>(checked: CheckedRun<T>, mistakes: Mistake[]): void {
  const { limits } = checked;
  validateGuard(checked, mistakes);
  validatePrices(checked.prices, mistakes);
  validateEvents(checked.events?.listed ?? [], "events.listed", mistakes);
  if (limits && limits.canaryHosts > limits.hostsAtOnce) {
    mistakes.push({
      field: "limits.canaryHosts",
      value: limits.canaryHosts,
      rule: "must be at most limits.hostsAtOnce",
      remedy: "a canary is the smallest wave: lower it",
    });
  }
}

/**
 * The stages before an update.
 * @param update rule of what names one
 */
export function stagesRule<U>(update: Rule<U>) {
  return list(
    object({
      update: required(update, "name the update that goes first"),
      soak: optional(duration(0), 0),
    }),
    1,
  );
}

/** What an update is for, resolved. */
export interface UpdateParts<T> {
  readonly name: string;
  readonly islands: readonly SpecOf<IslandSpec, T>[];
  readonly windows: readonly WindowSpec[];
  readonly pool?: PoolSpec;
  readonly after?: readonly SpecOf<StageSpec, T>[];
}

/** Checked arguments to the spec that plans and runs are made of. */
export function normalizeUpdate<T>(parts: UpdateParts<T>, checked: CheckedUpdate<T>): SpecOf<HostUpdateSpec, T> {
  const { update } = checked;
  const updateSpec: SpecOf<UpdateSpec, T> = {
    probe: update.probe,
    expect: update.expect,
    ...(update.command === undefined ? {} : { command: update.command }),
    ...(update.image === undefined ? {} : { image: update.image }),
    ...(update.undo === undefined ? {} : { undo: update.undo }),
    irreversible: update.irreversible,
    reboot: update.reboot,
    timeoutMs: update.timeout,
    ...(update.expected === undefined ? {} : { expectedMs: update.expected }),
    ...(update.replacement === undefined ? {} : { replacement: normalizeReplacement(update.replacement) }),
    ...(update.disturbs === undefined ? {} : { disturbs: update.disturbs }),
    ...(update.package
      ? {
          package: {
            ...(update.package.size === undefined ? {} : { bytes: update.package.size }),
            ...(update.package.load === undefined ? {} : { load: update.package.load }),
          },
        }
      : {}),
  };
  return { ...normalizeRun(parts, checked), update: updateSpec };
}

function normalizeReplacement({
  timeout,
  expected,
}: NonNullable<CheckedUpdate<unknown>["update"]["replacement"]>): Partial<ReplacementTimes> {
  return {
    ...(timeout === undefined ? {} : { timeoutMs: timeout }),
    ...(expected === undefined ? {} : { expectedMs: expected }),
  };
}

/** Checked arguments of any run to its spec, all but what it does. */
export function normalizeRun<T>(
  parts: UpdateParts<T>,
  checked: CheckedRun<T>,
): Omit<SpecOf<HostUpdateSpec, T>, "update"> {
  const { limits } = checked;
  return {
    v: 1,
    ...parts,
    limits: limits
      ? {
          hostsAtOnce: limits.hostsAtOnce,
          hostsPerZone: limits.hostsPerZone,
          ...(limits.hostsPerRack === undefined ? {} : { hostsPerRack: limits.hostsPerRack }),
          ...(limits.hostsPerIsland === undefined ? {} : { hostsPerIsland: limits.hostsPerIsland }),
          canaryHosts: limits.canaryHosts,
          soakMs: limits.soak,
          drainMs: limits.drain,
        }
      : DEFAULT_LIMITS,
    confidence: checked.confidence,
    failback: checked.failback,
    ...(checked.timing === undefined ? {} : { timing: checked.timing }),
    whenClosed: checked.whenClosed,
    whenBlocked: checked.whenBlocked,
    ...(checked.whenStuck === undefined ? {} : { whenStuck: checked.whenStuck }),
    startedBy: checked.startedBy,
    ...(checked.attachFor === undefined ? {} : { attachForMs: checked.attachFor }),
    attempt: checked.attempt,
    ...(checked.store === undefined ? {} : { store: checked.store }),
    seed: checked.seed,
    ...(checked.migration ? { migration: checked.migration } : {}),
    ...(checked.prices ? { prices: normalizePrices<T>(checked.prices) } : {}),
    ...(checked.events ? { events: normalizeEvents<T>(checked.events) } : {}),
    ...normalizeGuard<T>(checked),
  };
}
