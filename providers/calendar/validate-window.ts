/** Mistakes in a maintenance window, all of them, as data. */
import { messageOf, type Mistake, type WindowSpec } from "../../sdk/model";
import { CronPattern } from "./cron-starts";
import { parseFreeze } from "./freeze";
import { isKnownZone, suggestZone } from "./zone";

/**
 * Looks for mistakes in a window; fields are named `<window>.cron` and so on. Empty when it is right: then it opens
 * at some time, unless its freezes forbid that.
 */
export function validateWindow(spec: WindowSpec): readonly Mistake[] {
  const field = (name: string): string => (spec.name === "" ? name : `${spec.name}.${name}`);
  return [
    ...validateCron(field("cron"), spec.cron),
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
