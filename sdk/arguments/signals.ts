/** Rules of an island's signals, and their resolved form. */
import { SIGNAL_TYPES, type Mistake, type SignalSpec, type SignalTimes } from "../model";
import {
  duration,
  list,
  name,
  object,
  oneOf,
  optional,
  required,
  text,
  type Resolved,
  type Rule,
  type SpecOf,
} from "./rules";

const DAY_MS = 86_400_000;
const LARGEST_FACTOR = 100;

/** A moment with its offset, as milliseconds since the epoch. */
const moment: Rule<number> = (value, field, mistakes) => {
  const isWhole = typeof value === "string" && /T\d\d:\d\d(:\d\d)?(\.\d+)?(Z|[+-]\d\d:\d\d)$/.test(value);
  if (isWhole && !Number.isNaN(Date.parse(value))) return Date.parse(value);
  const rule = "must be a moment with its offset from UTC";
  mistakes.push({ field, value, rule, remedy: 'write it like "2026-11-27T08:00:00+01:00"' });
  return undefined;
};

/** "+40%" to 1.4, "-20%" to 0.8. */
const effect: Rule<number> = (value, field, mistakes) => {
  const match = typeof value === "string" ? /^\s*([+-])(\d{1,4}(?:\.\d+)?)\s*%\s*$/.exec(value) : null;
  const factor = match ? 1 + (match[1] === "-" ? -1 : 1) * (Number(match[2]) / 100) : Number.NaN;
  if (factor >= 0 && factor <= LARGEST_FACTOR) return factor;
  mistakes.push({
    field,
    value,
    rule: "must be a change of the demand from -100% up",
    remedy: 'write it like "+40%" or "-20%", or leave it out to have it learned',
  });
  return undefined;
};

/**
 * Fields of a signal.
 * @param late rule of the texts that may come later
 */
function signalFields<T>(late: Rule<T>) {
  return {
    name: required(name, "name the signal"),
    type: required(oneOf(SIGNAL_TYPES), `say what it is: ${SIGNAL_TYPES.join(", ")}`),
    at: optional(list(moment, 1), undefined),
    cron: optional(text, undefined),
    rrule: optional(text, undefined),
    timezone: optional(text, "UTC"),
    for: optional(duration(60_000), undefined),
    file: optional(late, undefined),
    country: optional(text, undefined),
    region: optional(text, undefined),
    effect: optional(effect, undefined),
    workloads: optional(list(name, 1), undefined),
  };
}
/** A signal whose fields have been checked one by one. */
export type CheckedSignal<T> = Resolved<ReturnType<typeof signalFields<T>>>;

/** Rule of an island's signals. */
export function signalsRule<T>(late: Rule<T>): Rule<readonly CheckedSignal<T>[]> {
  return list(object(signalFields(late)));
}

/** Checks that need several fields at once. @param workloads names of the island's workloads */
export function validateSignals<T>(
  signals: readonly CheckedSignal<T>[],
  workloads: readonly string[],
  listed: string,
  mistakes: Mistake[],
): void {
  signals.forEach((signal, index) => {
    const field = `${listed}[${String(index)}]`;
    const wrong = (at: string, value: unknown, rule: string, remedy: string): void => {
      mistakes.push({ field: `${field}.${at}`, value, rule, remedy });
    };
    const { at, cron, rrule, file, country } = signal;
    const choices = { at, cron, rrule, file, country };
    const given = Object.entries(choices).flatMap(([key, value]) => (value === undefined ? [] : [key]));
    if (given.length !== 1) {
      wrong(
        "at",
        given,
        "must be given, or one of cron, rrule, file and country instead",
        "say when it is on, in one way",
      );
    }
    const wanted = { calendar: "file", holidays: "country", cron: "cron" }[signal.type as string];
    if (wanted !== undefined && given.length === 1 && given[0] !== wanted) {
      wrong("type", signal.type, `needs ${wanted}, not ${given.join()}`, `give ${wanted}, or use type "event"`);
    }
    if (signal.for === undefined && (at ?? cron ?? rrule) !== undefined) {
      wrong("for", undefined, "must be given", 'say how long it lasts, like "2 hours"');
    }
    if (signals.findIndex((other) => other.name === signal.name) < index) {
      wrong("name", signal.name, "must be unique", "rename one of them");
    }
    signal.workloads?.forEach((workload, place) => {
      if (workloads.includes(workload)) return;
      const at = `workloads[${String(place)}]`;
      wrong(at, workload, "must be a workload of this island", `known workloads: ${workloads.join(", ")}`);
    });
  });
}

/** Checked arguments to policy. */
export function normalizeSignal<T>(signal: CheckedSignal<T>): SpecOf<SignalSpec, T> {
  return {
    name: signal.name,
    type: signal.type,
    times: normalizeTimes<T>(signal),
    ...(signal.effect === undefined ? {} : { factor: signal.effect }),
    ...(signal.workloads === undefined ? {} : { workloads: signal.workloads }),
  };
}

function normalizeTimes<T>({
  at,
  cron,
  rrule,
  timezone,
  for: durationMs = DAY_MS,
  ...signal
}: CheckedSignal<T>): SpecOf<SignalTimes, T> {
  if (signal.file !== undefined) return { kind: "file", file: signal.file };
  if (signal.country !== undefined) {
    const { country, region } = signal;
    return { kind: "holidays", country, ...(region === undefined ? {} : { region }) };
  }
  if (at !== undefined) return { kind: "at", atMs: at, durationMs };
  return {
    kind: "pattern",
    ...(cron === undefined ? {} : { cron }),
    ...(rrule === undefined ? {} : { rrule }),
    timezone,
    durationMs,
  };
}
