/** Arguments of workloads, shared by islands (policy) and local fleets (what to start). */
import type { BurstTarget, Mistake, ProcessSpec, WorkloadDependency, WorkloadPolicy } from "../model";
import { didYouMean, findCycle, parsePercentage } from "../model";
import { apartFrom, callReach, deviceRequest, hostRule, moveReach, spread, type HostRuleArgs } from "./placement";
import {
  byteSize,
  cpu,
  duration,
  join,
  list,
  name,
  namedList,
  numberBetween,
  object,
  oneOf,
  optional,
  percentage,
  required,
  text,
  texts,
  wholeNumber,
  type Resolved,
  type Rule,
} from "./rules";

/** Policy of one workload. What runs where is discovered; what is declared here is what you want of it. */
export interface WorkloadArgs {
  /** Its name, as the platform knows it. */
  name: string;
  /**
   * Who goes first when there is not enough for all. `sheddable` work may be stopped while its host is updated.
   * @default "normal"
   */
  criticality?: "critical" | "normal" | "sheddable";
  /**
   * Desired number of copies, or `"exclusive"` for a single writer, which is handed over and never doubled.
   * @default as many as are found running
   */
  copies?: number | "exclusive";
  /** @default half of the copies may be unavailable, none of an exclusive one */
  budget?: {
    /** Copies that may be unavailable at any moment: a number, or a share like "25%" of declared `copies`, rounded down. */
    maxUnavailable: number | string;
  };
  /**
   * Longest pause of an exclusive workload in a hand-over.
   * @default "2 seconds"
   */
  maxPause?: string;
  /**
   * Room that plans keep for it beside its forecast, as a share of that, such as "20%": wherever its copies go, they find it
   * unused when they want more for a while.
   * @default none
   */
  boost?: string;
  /**
   * Copies of a job without traffic end by themselves within this time, 19 times of 20. An update waits for those that end
   * within 10 minutes instead of moving them; whoever starts such jobs finds the host cordoned meanwhile. They have no
   * budget, since they come and go by themselves.
   * @default they do not end by themselves
   */
  lifetime?: string;
  /**
   * What a move of one copy carries or fetches over the network, such as "4 GiB": its state, its data, its image. Where
   * links are known (`linkBytesPerSecond` in the inventory) moves share them; what is priced across zones counts it, and
   * `timing: "quiet"` moves it when its workload is quiet. @default nothing to speak of
   */
  transfer?: string;
  /** What one copy holds at the very least. @default what the platform reports */
  request?: { cpu?: string; memory?: string };
  /**
   * Devices that one copy holds, by their kind in the inventory: whole cards (`{ gpu: 1 }`) or a part of one
   * (`{ gpu: "2/7" }`). While a copy moves, both ends hold them. @default none
   */
  devices?: { [kind: string]: number | string };
  /** Hosts of its island that its copies may run on. @default all */
  within?: HostRuleArgs;
  /**
   * How far its copies may move: within their `zone` (a volume is there), their `rack`, or `nowhere`. What may move nowhere
   * is paused while its host is updated, as far as its budget allows. @default "anywhere"
   */
  moves?: "anywhere" | "zone" | "rack" | "nowhere";
  /**
   * In how many zones or racks there is a copy at every moment. Copies in so many of them move within theirs: in those
   * with the most hosts, or in others where a copy finds no host so. @default one is enough
   */
  spread?: { over: "zone" | "rack"; atLeast: number };
  /** Workloads of the same update that no host may run beside it. @default none */
  apartFrom?: string[];
  /** Program and arguments of a copy, without a shell. @default what the agent knows of the running copies */
  command?: string[];
  /** Fixed port of a copy, given to it as PORT. @default a free port for each copy */
  port?: number;
  /** Health check of a copy: a path, or a path with times. @default "/health" each second, 1 second time limit */
  health?: string | { path: string; interval?: string; timeout?: string };
  /** Environment of a copy, added to what the agent gives. Not for secrets: it lies in the state in clear text. */
  environment?: { [key: string]: string };
  /** Paths of the application's own server that the agent POSTs to. */
  hooks?: {
    /** Before a copy is drained or handed over; answering 409 means "not now". */
    beforeMove?: string;
    /** After the new copy serves. */
    afterMove?: string;
  };
  /**
   * Workloads of the same update that this one calls: by name, or with how often and how late. What it does not say is
   * learned from the calls that the switch counts, or from loads that move together.
   */
  dependsOn?: (string | DependencyArgs)[];
  /**
   * How important some of its functions are, by the beginning of their paths: `{ path: "/reports", criticality: "sheddable" }`.
   * @default judged from the calls that the switch counts
   */
  functions?: { path: string; criticality: "critical" | "normal" | "sheddable" }[];
  /**
   * A function that can serve its requests: for the time in which no host has room for a copy, or where a reserve would
   * cost more, it is deployed, gets the copy's part of the traffic, and is removed when the copy is back.
   * @default no function stands in
   */
  burst?: BurstArgs;
}

/** A function that stands in for copies. */
export interface BurstArgs {
  /** Its name, as the platform's driver of functions knows it. */
  function: string;
  /** Most requests per second that it takes. */
  requestsPerSecond: number;
  /** Time from its deployment until it answers as fast as it should, 19 times of 20. @default "10 seconds" */
  coldStart?: string;
  /** CPU time of one request, such as "12 ms"; calls follow from it. @default measured, where requests are counted beside CPU */
  cpuPerRequest?: string;
  /** Price of a million calls, in the currency of the prices. @default that of the prices */
  pricePerMillionCalls?: number;
}

/** A workload that is called. */
export interface DependencyArgs {
  workload: string;
  /** Calls for each request that the caller answers. @default measured */
  callsPerRequest?: number;
  /** Time after which a change of the caller is felt, such as "30 seconds". @default measured */
  lag?: string;
  /**
   * How near it must be: every copy of the caller has a copy of it in its own zone or rack, at every moment. The copies of
   * the called workload then move within theirs only, and the last one there is never paused. @default any distance
   */
  within?: "zone" | "rack";
}

const HIGHEST_CALLS_PER_REQUEST = 1_000_000;
const HIGHEST_REQUEST_RATE = 1e9;
const HIGHEST_PRICE = 1e9;
const DEFAULT_COLD_START_MS = 10_000;
const DEFAULT_MAX_PAUSE_MS = 2000;
const DEFAULT_HEALTH = { path: "/health", intervalMs: 1000, timeoutMs: 1000 } as const;

const copies: Rule<number | "exclusive"> = (value, field, mistakes) => {
  if (value === "exclusive" || (Number.isInteger(value) && (value as number) >= 1 && (value as number) <= 10_000)) {
    return value as number | "exclusive";
  }
  mistakes.push({ field, value, rule: 'must be a whole number from 1 to 10000, or "exclusive"', remedy: "change it" });
  return undefined;
};

const maxUnavailable: Rule<number | string> = (value, field, mistakes) => {
  if (Number.isInteger(value) && (value as number) >= 0) return value as number;
  if (typeof value === "string" && value.trim().endsWith("%")) {
    return percentage(value, field, mistakes) === undefined ? undefined : value;
  }
  mistakes.push({ field, value, rule: 'must be a whole number >= 0 or a share like "25%"', remedy: "change it" });
  return undefined;
};

const healthTimes = object({
  path: required(text, 'give the path, like "/health"'),
  interval: optional(duration(50), DEFAULT_HEALTH.intervalMs),
  timeout: optional(duration(10), DEFAULT_HEALTH.timeoutMs),
});

const health: Rule<ProcessSpec["health"]> = (value, field, mistakes) => {
  if (typeof value === "string") {
    if (value.startsWith("/")) return { ...DEFAULT_HEALTH, path: value };
    mistakes.push({ field, value, rule: 'must be a path that begins with "/"', remedy: 'write it like "/health"' });
    return undefined;
  }
  const times = healthTimes(value, field, mistakes);
  return times && { path: times.path, intervalMs: times.interval, timeoutMs: times.timeout };
};

const dependencyFields = object({
  workload: required(name, "name the workload that is called"),
  callsPerRequest: optional(numberBetween(0, HIGHEST_CALLS_PER_REQUEST), undefined),
  lag: optional(duration(), undefined),
  within: optional(callReach, undefined),
});

const dependency: Rule<WorkloadDependency> = (value, field, mistakes) => {
  if (typeof value === "string") {
    const called = name(value, field, mistakes);
    return called === undefined ? undefined : { workload: called };
  }
  const checked = dependencyFields(value, field, mistakes);
  return (
    checked && {
      workload: checked.workload,
      ...(checked.callsPerRequest === undefined ? {} : { callsPerRequest: checked.callsPerRequest }),
      ...(checked.lag === undefined ? {} : { lagMs: checked.lag }),
      ...(checked.within === undefined ? {} : { within: checked.within }),
    }
  );
};

const criticality = oneOf(["critical", "normal", "sheddable"]);

const burst = object({
  function: required(name, "name the function"),
  requestsPerSecond: required(numberBetween(0, HIGHEST_REQUEST_RATE), "say how many requests per second it takes"),
  coldStart: optional(duration(), DEFAULT_COLD_START_MS),
  cpuPerRequest: optional(duration(1), undefined),
  pricePerMillionCalls: optional(numberBetween(0, HIGHEST_PRICE), undefined),
});

const functionPath: Rule<string> = (value, field, mistakes) => {
  if (typeof value === "string" && /^\/[^/?#\s]*$/.test(value)) return value;
  const rule = 'must be "/" and one segment of a path';
  mistakes.push({ field, value, rule, remedy: 'write it like "/reports"; what lies below counts with it' });
  return undefined;
};

/** Fields that name other workloads. */
const others = {
  dependsOn: optional(list(dependency, 1), undefined),
  apartFrom: optional(apartFrom, undefined),
};
const othersRule = object(others);

const fields = {
  name: required(name, "name the workload"),
  criticality: optional(criticality, "normal" as const),
  copies: optional(copies, undefined),
  budget: optional(
    object({ maxUnavailable: required(maxUnavailable, "say how many copies may be unavailable") }),
    undefined,
  ),
  maxPause: optional(duration(100), DEFAULT_MAX_PAUSE_MS),
  boost: optional(percentage, undefined),
  lifetime: optional(duration(1000), undefined),
  transfer: optional(byteSize, undefined),
  request: optional(object({ cpu: optional(cpu, 0), memory: optional(byteSize, 0) }), undefined),
  devices: optional(deviceRequest, undefined),
  within: optional(hostRule, undefined),
  moves: optional(moveReach, "anywhere" as const),
  spread: optional(spread, undefined),
  ...others,
  command: optional(list(text, 1), undefined),
  port: optional(wholeNumber(0, 65_535), 0),
  health: optional(health, DEFAULT_HEALTH),
  environment: optional(texts, {}),
  hooks: optional(object({ beforeMove: optional(text, undefined), afterMove: optional(text, undefined) }), undefined),
  functions: optional(
    list(
      object({
        path: required(functionPath, 'give the beginning of its paths, like "/reports"'),
        criticality: required(criticality, "say how important it is"),
      }),
      1,
    ),
    undefined,
  ),
  burst: optional(burst, undefined),
};

/** Rule of one workload's arguments; its result is read by the `normalize` functions here. */
const workloadRule = object(fields, validateWorkload);
/** Rule of workloads, each with a name of its own. */
export const workloadsRule = namedList(workloadRule, 1);
/** A workload whose arguments have been checked one by one. */
export type CheckedWorkload = Resolved<typeof fields>;

/** What the fields of a workload say together. */
function validateWorkload(workload: CheckedWorkload, field: string, mistakes: Mistake[]): void {
  const wrong = (name: string, value: unknown, rule: string, remedy: string): void => {
    mistakes.push({ field: join(field, name), value, rule, remedy });
  };
  const { spread: places, lifetime } = workload;
  const budget = workload.budget?.maxUnavailable;
  const isExclusive = workload.copies === "exclusive";
  const declared = workload.copies === "exclusive" ? 1 : workload.copies;
  if (typeof budget === "string" && typeof workload.copies !== "number") {
    const rule = "is a share of copies that are not declared";
    wrong("budget.maxUnavailable", budget, rule, "declare copies, or give a number");
  }
  if (typeof budget === "number" && !isExclusive && declared !== undefined && budget > declared) {
    const rule = `is more than there are copies (${String(declared)})`;
    wrong("budget.maxUnavailable", budget, rule, "lower it, or declare more copies");
  }
  if (places !== undefined && declared !== undefined && declared < places.atLeast) {
    const rule = `is more than there are copies (${String(declared)})`;
    wrong("spread.atLeast", places.atLeast, rule, "declare more copies, or leave spread out");
  }
  if (isExclusive && lifetime !== undefined) {
    const remedy = "leave lifetime out: a single writer is handed over, not left to end";
    wrong("lifetime", lifetime, 'does not fit copies: "exclusive"', remedy);
  }
  if (workload.burst !== undefined && (isExclusive || lifetime !== undefined)) {
    const rule = `does not fit ${isExclusive ? 'copies: "exclusive"' : "a lifetime"}`;
    const remedy = "leave burst out: a function serves requests, and several of its calls run at once";
    wrong("burst", workload.burst.function, rule, remedy);
  }
  if (lifetime !== undefined && budget !== undefined) {
    const rule = "does not fit a lifetime: copies that end by themselves come and go";
    wrong("budget", budget, rule, "leave one of the two out");
  }
  if (isExclusive && budget !== undefined && budget !== 0) {
    wrong("budget", budget, 'does not fit copies: "exclusive"', "leave budget out and set maxPause");
  }
}

/** A workload with the field it was declared at. */
export interface DeclaredDependencies extends Pick<WorkloadPolicy, "name" | "dependsOn" | "apartFrom"> {
  readonly field: string;
}

/**
 * Whom a workload names as it is written, whatever else of it is wrong; undefined for one without a name.
 * @param field where it is declared
 */
export function readDependencies(written: unknown, field: string): DeclaredDependencies | undefined {
  if (typeof written !== "object" || written === null) return undefined;
  const { name: own, dependsOn, apartFrom: apart } = written as Readonly<Record<string, unknown>>;
  if (typeof own !== "string") return undefined;
  const named = othersRule({ dependsOn, apartFrom: apart }, "", []);
  return {
    field,
    name: own,
    ...(named?.dependsOn ? { dependsOn: named.dependsOn } : {}),
    ...(named?.apartFrom ? { apartFrom: named.apartFrom } : {}),
  };
}

/**
 * Checks that need the workloads of all islands of an update: who is called must be there, and not call back; who must not
 * be beside a workload must be there, and be another one.
 */
export function validateDependencies(workloads: readonly DeclaredDependencies[], mistakes: Mistake[]): void {
  const names = workloads.map((workload) => workload.name);
  const known = (field: string, value: string): void => {
    if (names.includes(value)) return;
    const near = didYouMean(value, names);
    mistakes.push({
      field,
      value,
      rule: "must be a workload of one of the update's islands",
      remedy: near ? `did you mean "${near}"?` : `known workloads: ${names.join(", ")}`,
    });
  };
  for (const { field, name: own, dependsOn = [], apartFrom: apart = [] } of workloads) {
    dependsOn.forEach(({ workload: called }, index) => {
      known(`${field}.dependsOn[${String(index)}]`, called);
    });
    apart.forEach((other, index) => {
      const at = `${field}.apartFrom[${String(index)}]`;
      if (other !== own) {
        known(at, other);
        return;
      }
      mistakes.push({ field: at, value: other, rule: "must be another workload", remedy: "leave it out" });
    });
  }
  const cycle = findCycle(
    workloads.flatMap(({ name: caller, dependsOn = [] }) =>
      dependsOn.map(({ workload }) => ({ caller, called: workload })),
    ),
  );
  if (!cycle) return;
  const [first] = cycle;
  mistakes.push({
    field: `${workloads.find((workload) => workload.name === first)?.field ?? ""}.dependsOn`,
    value: cycle.join(" -> "),
    rule: "must not go round: a change would never end",
    remedy: "leave out the call back, usually the rarer of the two",
  });
}

/** Checked arguments to policy. */
export function normalizeWorkload(workload: CheckedWorkload): WorkloadPolicy {
  const { budget, request, command } = workload;
  const exclusive = workload.copies === "exclusive";
  const copies = workload.copies === "exclusive" ? 1 : workload.copies;
  return {
    name: workload.name,
    criticality: workload.criticality,
    exclusive,
    maxPauseMs: workload.maxPause,
    ...(workload.boost === undefined ? {} : { boost: workload.boost }),
    ...(workload.lifetime === undefined ? {} : { lifetimeMs: workload.lifetime }),
    ...(workload.transfer === undefined ? {} : { transferBytes: workload.transfer }),
    ...(copies === undefined ? {} : { copies }),
    ...(exclusive
      ? { maxUnavailable: 0 }
      : budget
        ? { maxUnavailable: normalizeBudget(budget.maxUnavailable, copies ?? 0) }
        : {}),
    ...(request ? { request: { cpuMillis: request.cpu, memoryBytes: request.memory } } : {}),
    ...(workload.devices ? { devices: workload.devices } : {}),
    ...(workload.within ? { within: workload.within } : {}),
    ...(workload.moves === "anywhere" ? {} : { moves: workload.moves }),
    ...(workload.spread ? { spread: workload.spread } : {}),
    ...(workload.apartFrom ? { apartFrom: workload.apartFrom } : {}),
    ...(command ? { process: normalizeProcess(workload, command) } : {}),
    hooks: {
      ...(workload.hooks?.beforeMove ? { beforeMove: workload.hooks.beforeMove } : {}),
      ...(workload.hooks?.afterMove ? { afterMove: workload.hooks.afterMove } : {}),
    },
    ...(workload.dependsOn ? { dependsOn: workload.dependsOn } : {}),
    ...(workload.functions ? { functions: workload.functions } : {}),
    ...(workload.burst ? { burst: normalizeBurst(workload.burst) } : {}),
  };
}

function normalizeBurst(declared: NonNullable<CheckedWorkload["burst"]>): BurstTarget {
  const { function: called, requestsPerSecond, coldStart, cpuPerRequest, pricePerMillionCalls } = declared;
  return {
    function: called,
    requestsPerSecond,
    coldStartMs: coldStart,
    ...(cpuPerRequest === undefined ? {} : { cpuMsPerRequest: cpuPerRequest }),
    ...(pricePerMillionCalls === undefined ? {} : { pricePerMillionCalls }),
  };
}

/** How a copy is started. */
export function normalizeProcess(workload: CheckedWorkload, command: readonly string[]): ProcessSpec {
  return { command, port: workload.port, health: workload.health, environment: workload.environment };
}

/** Budgets are rounded down: 25 % of 6 copies is 1. */
function normalizeBudget(budget: number | string, copies: number): number {
  return typeof budget === "number" ? budget : Math.floor(copies * parsePercentage(budget));
}
