/** Mistakes in a maintenance window, all of them, as data. */
import { messageOf, type Mistake, type WindowSpec } from "../../sdk/model";
import { CronPattern } from "./cron-pattern";
import { parseFreeze } from "./freeze";
import { RrulePattern } from "./rrule-pattern";
import { parseRecurrence } from "./rrule-text";
import { isKnownZone, suggestZone } from "./zone";

/** All mistakes of some windows; calendars that only close make no window. */
export function validateWindows(specs: readonly WindowSpec[]): readonly Mistake[] {
  const mistakes = specs.flatMap(validateWindow);
  if (specs.length === 0 || specs.some(({ effect }) => effect !== "closed")) return mistakes;
  const rule = "must open at some time, but all windows only close";
  return [
    ...mistakes,
    { field: `${specs[0]?.name ?? ""}.effect`, value: "closed", rule, remedy: 'add a window whose effect is "open"' },
  ];
}

/**
 * Looks for mistakes in a window; fields are named `<window>.cron` and so on. Empty when it is right: then it opens
 * at some time, unless its freezes forbid that.
 */
export function validateWindow(spec: WindowSpec): readonly Mistake[] {
  const field = (name: string): string => (spec.name === "" ? name : `${spec.name}.${name}`);
  return [
    ...validatePattern(spec, field),
    ...validateZone(field("timezone"), spec.timezone),
    ...(spec.durationMs > 0
      ? []
      : [
          {
            field: field("duration"),
            value: `${String(spec.durationMs)} ms`,
            rule: "must be longer than nothing",
            remedy: 'write it like "3 hours"',
          },
        ]),
    ...spec.freezes.flatMap((text, index) => {
      const freeze = parseFreeze(text);
      if (freeze.kind === "ok") return [];
      return [{ field: field(`freezes[${String(index)}]`), value: text, rule: freeze.rule, remedy: freeze.remedy }];
    }),
  ];
}

function validatePattern(spec: WindowSpec, field: (name: string) => string): readonly Mistake[] {
  const { cron, rrule, timezone } = spec;
  if ((cron === undefined) === (rrule === undefined)) {
    const value = cron === undefined ? undefined : `${cron} and ${String(rrule)}`;
    const remedy = 'give cron, like "0 2 * * 6", or rrule, like "FREQ=MONTHLY;BYDAY=2SA;BYHOUR=2"';
    return [{ field: field("cron"), value, rule: "must be given, or rrule instead, not both", remedy }];
  }
  if (cron !== undefined) return validateCron(field("cron"), cron);
  // Times in UTC are read in the window's zone; one that is not known has a mistake of its own.
  return validateRrule(field("rrule"), rrule ?? "", isKnownZone(timezone) ? timezone : "UTC");
}

function validateRrule(field: string, value: string, timezone: string): readonly Mistake[] {
  const parsed = parseRecurrence(value, timezone);
  if (parsed.kind === "mistake") return [{ field, value, rule: parsed.rule, remedy: parsed.remedy }];
  let pattern: RrulePattern;
  try {
    pattern = new RrulePattern(value, timezone);
  } catch (error) {
    const rule = `must be a recurrence rule of RFC 5545 (${messageOf(error)})`;
    return [{ field, value, rule, remedy: "correct that part" }];
  }
  if (pattern.everMatches()) return [];
  const rule = "must match some date, but never does";
  return [{ field, value, rule, remedy: "correct its days and months, or its UNTIL and EXDATE" }];
}

function validateCron(field: string, value: string): readonly Mistake[] {
  let pattern: CronPattern;
  try {
    pattern = new CronPattern(value);
  } catch (error) {
    const reason = messageOf(error).replace(/^CronPattern: /, "");
    return [
      {
        field,
        value,
        rule: `must be a cron pattern of five fields (${reason})`,
        remedy: 'write minute, hour, day, month and weekday, like "0 2 * * 6" for Saturdays at 02:00',
      },
    ];
  }
  if (pattern.everMatches()) return [];
  return [
    {
      field,
      value,
      rule: "must match some date, but never does",
      remedy: "correct its day and month; 30 February and 31 April do not exist",
    },
  ];
}

function validateZone(field: string, value: string): readonly Mistake[] {
  if (isKnownZone(value)) return [];
  const meant = suggestZone(value);
  return [
    {
      field,
      value,
      rule: "must be an IANA time zone",
      remedy: meant === undefined ? 'write it like "Europe/Berlin" or "UTC"' : `did you mean "${meant}"?`,
    },
  ];
}
