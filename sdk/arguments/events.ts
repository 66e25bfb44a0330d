/** Rules of provider maintenance events, in arguments and in files, and their resolved form. */
import type { EventsSpec, MaintenanceEvent, Mistake } from "../model";
import { list, object, optional, required, text, type Rule, type SpecOf } from "./rules";

/** A moment with its offset from UTC, to ms since the epoch. */
const moment: Rule<number> = (value, field, mistakes) => {
  const isIso = typeof value === "string" && /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)$/.test(value);
  const ms = isIso ? Date.parse(value) : Number.NaN;
  if (!Number.isNaN(ms)) return ms;
  mistakes.push({
    field,
    value,
    rule: "must be a moment in ISO 8601 with its offset",
    remedy: 'write it like "2026-11-28T02:00:00Z"',
  });
  return undefined;
};

const eventRule = object({
  id: required(text, "give the provider's id of the event"),
  hosts: optional(list(text, 1), undefined),
  zones: optional(list(text, 1), undefined),
  start: required(moment, 'say when it begins, like "2026-11-28T02:00:00Z"'),
  end: required(moment, 'say when it ends, like "2026-11-28T04:00:00Z"'),
  reason: optional(text, "announced"),
});
const eventList = list(eventRule);

/**
 * Field of an update that takes events.
 * @param late rule of the texts that may come later
 */
export function eventsField<T>(late: Rule<T>) {
  return optional(object({ file: optional(late, undefined), listed: optional(eventList, []) }), undefined);
}

/** Reads a list of events; undefined when there is a mistake in one of its fields. */
export function resolveEvents(
  document: unknown,
  field: string,
  mistakes: Mistake[],
): readonly MaintenanceEvent[] | undefined {
  const checked = eventList(document, field, mistakes);
  if (checked) validateEvents(checked, field, mistakes);
  return checked?.map(normalizeEvent);
}

/** Checks that need several fields at once. */
export function validateEvents(
  events: NonNullable<ReturnType<typeof eventList>>,
  field: string,
  mistakes: Mistake[],
): void {
  events.forEach(({ id, hosts, zones, start, end }, index) => {
    const at = `${field}[${String(index)}]`;
    if (hosts === undefined && zones === undefined) {
      const remedy = "say whom it meets; for a time in which nothing may run at all declare a closed window";
      mistakes.push({ field: `${at}.hosts`, value: id, rule: "must be given, or zones", remedy });
    }
    if (end <= start) {
      mistakes.push({ field: `${at}.end`, value: id, rule: "must be after start", remedy: "correct one of them" });
    }
  });
}

/** Checked arguments to policy. */
export function normalizeEvents<T>(checked: {
  readonly file: T | undefined;
  readonly listed: NonNullable<ReturnType<typeof eventList>>;
}): SpecOf<EventsSpec, T> {
  return {
    ...(checked.file === undefined ? {} : { file: checked.file }),
    listed: checked.listed.map(normalizeEvent),
  };
}

function normalizeEvent(event: NonNullable<ReturnType<typeof eventRule>>): MaintenanceEvent {
  const { id, hosts = [], zones = [], reason, start, end } = event;
  return { id, hosts, zones, startMs: start, endMs: end, reason };
}
