/**
 * Timers of systemd by the calendar, as cron patterns. Pure.
 *
 * Not for: timers that count from boot or from the last run, and calendars that cron cannot say (years, last days of a
 * month, a weekday together with a date): those are left out.
 *
 * Source: systemd.time(7), "Calendar Events"; systemd.timer(5).
 */
import type { ScheduledJob } from "./crontab";

const SHORT_FORMS: Readonly<Record<string, string>> = {
  hourly: "0 * * * *",
  daily: "0 0 * * *",
  weekly: "0 0 * * 1",
  monthly: "0 0 1 * *",
  quarterly: "0 0 1 1,4,7,10 *",
  semiannually: "0 0 1 1,7 *",
  yearly: "0 0 1 1 *",
  annually: "0 0 1 1 *",
};
const DAYS = /^(?:(?:sun|mon|tue|wed|thu|fri|sat)[a-z]*(?:\.\.|[-,])?)+$/i;
const DATE = /^(?:(\*|\d{4})-)?([\d*,./]+)-([\d*,./]+)$/;
const TIME = /^([\d*,./]+):([\d*,./]+)(?::[\d*,./]+)?$/;
const ZONE = /^(UTC|[A-Z][A-Za-z_]+\/[A-Za-z_/+-]+)$/;

/** Reads a timer's unit file. @param name of the unit, `backup.timer` */
export function parseTimer(text: string, name: string): readonly ScheduledJob[] {
  const unit = /^\s*Unit\s*=\s*(\S+)/m.exec(text)?.[1] ?? name;
  const program = unit.replace(/\.(timer|service)$/, "");
  return [...text.matchAll(/^\s*OnCalendar\s*=\s*(.+?)\s*$/gm)].flatMap(([, calendar = ""]) => {
    const pattern = cronOf(calendar);
    return pattern === undefined ? [] : [{ program, ...pattern }];
  });
}

/** Five fields for a calendar event; undefined where cron has no words for it. */
export function cronOf(calendar: string): { readonly cron: string; readonly timezone?: string } | undefined {
  const words = calendar.trim().split(/\s+/);
  const zone = ZONE.test(words.at(-1) ?? "") ? words.pop() : undefined;
  const timezone = zone === undefined ? {} : { timezone: zone };
  const short = words.length === 1 ? SHORT_FORMS[words[0]?.toLowerCase() ?? ""] : undefined;
  if (short !== undefined) return { cron: short, ...timezone };
  let [days, month, day, hour, minute] = ["*", "*", "*", "0", "0"];
  for (const word of words) {
    const [date, time] = [DATE.exec(word), TIME.exec(word)];
    if (DAYS.test(word))
      days = word
        .replace(/,$/, "")
        .split(",")
        .map((part) =>
          part
            .split(/\.\.|-/)
            .map((one) => one.slice(0, 3).toLowerCase())
            .join("-"),
        )
        .join(",");
    else if (date) {
      if ((date[1] ?? "*") !== "*") return undefined;
      [month, day] = [fieldOf(date[2]), fieldOf(date[3])];
    } else if (time) [hour, minute] = [fieldOf(time[1]), fieldOf(time[2])];
    else return undefined;
  }
  // Cron takes either of a date and a weekday, a timer wants both.
  if (days !== "*" && day !== "*") return undefined;
  return { cron: [minute, hour, day, month, days].join(" "), ...timezone };
}

/** `0/15` is every fifteenth from 0 on, `1..5` a range, leading zeros go. */
function fieldOf(text = "*"): string {
  return text
    .split(",")
    .map((part) => {
      const [range = "*", step] = part.split("/");
      const plain = range.replaceAll("..", "-").replaceAll(/\b0+(?=\d)/g, "");
      if (step === undefined) return plain;
      return `${/^\d+$/.test(plain) ? (plain === "0" ? "*" : `${plain}-59`) : plain}/${step}`;
    })
    .join(",");
}
