/** Arguments about where copies may run: hosts by zone, rack, name or label, how far copies move, devices. */
import type { DeviceRequest, HostRule, Mistake, Overcommit, SpreadRule } from "../model";
import { list, name, object, oneOf, optional, required, text, wholeNumber, type Rule } from "./rules";

/** Hosts that come into question: those that have all of what is given. */
export interface HostRuleArgs {
  /** Names of zones. @default all */
  zones?: string[];
  /** Names of racks. @default all */
  racks?: string[];
  /** Ids of hosts. @default all */
  hosts?: string[];
  /** By label of the inventory: the value, or one of the values, that a host must have. @default none is asked for */
  labels?: { [label: string]: string | string[] };
}

const labels: Rule<Readonly<Record<string, readonly string[]>>> = (value, field, mistakes) => {
  const isText = (wanted: unknown): boolean => typeof wanted === "string" && wanted.trim() !== "";
  const isGood = (wanted: unknown): boolean =>
    Array.isArray(wanted) ? wanted.length > 0 && wanted.every(isText) : isText(wanted);
  if (typeof value !== "object" || value === null || Array.isArray(value) || !Object.values(value).every(isGood)) {
    const rule = "must be a text, or a list of texts, by label";
    mistakes.push({ field, value, rule, remedy: 'write it like { security: "restricted" }' });
    return undefined;
  }
  return Object.fromEntries(
    Object.entries(value as Record<string, string | string[]>).map(([label, wanted]) => [label, [wanted].flat()]),
  );
};

const hostFields = object({
  zones: optional(list(text, 1), undefined),
  racks: optional(list(text, 1), undefined),
  hosts: optional(list(text, 1), undefined),
  labels: optional(labels, undefined),
});

/** A rule for hosts; one that asks for nothing is a mistake. */
export const hostRule: Rule<HostRule> = (value, field, mistakes) => {
  const checked = hostFields(value, field, mistakes);
  if (!checked) return undefined;
  const { zones, racks, hosts, labels: wanted } = checked;
  if ([zones, racks, hosts, wanted].every((part) => part === undefined)) {
    mistakes.push({ field, value, rule: "must ask for something", remedy: 'give { zones: ["a"] }, or leave it out' });
    return undefined;
  }
  return {
    ...(zones ? { zones } : {}),
    ...(racks ? { racks } : {}),
    ...(hosts ? { hosts } : {}),
    ...(wanted ? { labels: wanted } : {}),
  };
};

/** How far copies move. */
export const moveReach = oneOf(["anywhere", "zone", "rack", "nowhere"]);

/** Which part called workloads must be in. */
export const callReach = oneOf(["zone", "rack"]);

const MOST_PARTS = 1000;

/** In how many zones or racks there must be a copy. */
export const spread: Rule<SpreadRule> = object({
  over: required(oneOf(["zone", "rack"]), 'say over what: "zone" or "rack"'),
  atLeast: required(wholeNumber(2, MOST_PARTS), "say in how many there must be a copy"),
});

/** Workloads that must not run beside this one. */
export const apartFrom = list(name, 1);

/** Cards by kind: a whole number, or a part of one like "2/7". */
export const deviceRequest: Rule<DeviceRequest> = (value, field, mistakes) => {
  if (typeof value !== "object" || value === null || Array.isArray(value) || Object.keys(value).length === 0) {
    mistakes.push({
      field,
      value,
      rule: "must be cards by kind",
      remedy: 'write it like { gpu: 1 } or { gpu: "2/7" }',
    });
    return undefined;
  }
  const before = mistakes.length;
  const wanted = Object.entries(value as Record<string, unknown>).map(
    ([kind, cards]) => [kind, parseCards(cards, `${field}.${kind}`, mistakes)] as const,
  );
  return mistakes.length > before ? undefined : Object.fromEntries(wanted);
};

const MOST_OVERCOMMIT = 100;

const factor: Rule<number> = (value, field, mistakes) => {
  if (typeof value === "number" && value >= 1 && value <= MOST_OVERCOMMIT) return value;
  const rule = `must be a number from 1 to ${String(MOST_OVERCOMMIT)}`;
  mistakes.push({
    field,
    value,
    rule,
    remedy: "write it like 1.5: requests may sum up to one and a half times of what is there",
  });
  return undefined;
};

const factors = object({ cpu: optional(factor, undefined), memory: optional(factor, undefined) });

/** How far requests may be beyond what is there. */
export const overcommit: Rule<Overcommit> = (value, field, mistakes) => {
  const checked = factors(value, field, mistakes);
  if (!checked) return undefined;
  const { cpu, memory } = checked;
  if (cpu === undefined && memory === undefined) {
    mistakes.push({ field, value, rule: "must have cpu or memory", remedy: "write it like { cpu: 1.5 }" });
    return undefined;
  }
  return { ...(cpu === undefined ? {} : { cpu }), ...(memory === undefined ? {} : { memory }) };
};

const MOST_CARDS = 1024;

function parseCards(value: unknown, field: string, mistakes: Mistake[]): number {
  if (Number.isInteger(value) && (value as number) >= 1 && (value as number) <= MOST_CARDS) return value as number;
  const [, part, whole] = /^([1-9]\d*)\/([1-9]\d*)$/.exec(typeof value === "string" ? value : "") ?? [];
  const share = Number(part) / Number(whole);
  if (share > 0 && share < 1) return share;
  const rule = `must be a whole number of cards from 1 to ${String(MOST_CARDS)}, or a part of one`;
  mistakes.push({ field, value, rule, remedy: 'write it like 1, or "2/7"' });
  return 0;
}
