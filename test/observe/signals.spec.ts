import { strict as assert } from "node:assert";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "mocha";
import type { SignalSpec, SignalTimeline } from "../../sdk/model";
import { observeSignals } from "../../providers/observe/signals";
import { sampleSpec } from "../../providers/testing/builders";

const RANGE = { fromMs: Date.UTC(2026, 9, 1), toMs: Date.UTC(2026, 10, 15) };
const HOUR_MS = 3_600_000;

/** Releases on Tuesdays at 18:00 in Berlin, one moved to a Wednesday, one left out; a launch; what was cancelled. */
const CALENDAR = `BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//test//EN
BEGIN:VTIMEZONE
TZID:Europe/Berlin
BEGIN:STANDARD
DTSTART:19701025T030000
RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:19700329T020000
RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
END:DAYLIGHT
END:VTIMEZONE
BEGIN:VEVENT
UID:release
DTSTART;TZID=Europe/Berlin:20261006T180000
DTEND;TZID=Europe/Berlin:20261006T190000
RRULE:FREQ=WEEKLY;COUNT=5
EXDATE;TZID=Europe/Berlin:20261013T180000
SUMMARY:Release
END:VEVENT
BEGIN:VEVENT
UID:release
RECURRENCE-ID;TZID=Europe/Berlin:20261020T180000
DTSTART;TZID=Europe/Berlin:20261021T180000
DTEND;TZID=Europe/Berlin:20261021T190000
SUMMARY:Release
END:VEVENT
BEGIN:VEVENT
UID:launch
DTSTART:20261101T080000Z
DURATION:PT3H
END:VEVENT
BEGIN:VEVENT
UID:off
STATUS:CANCELLED
DTSTART:20261102T080000Z
DURATION:PT3H
END:VEVENT
END:VCALENDAR
`.replaceAll("\n", "\r\n");

async function timelinesOf(...signals: readonly SignalSpec[]): Promise<readonly SignalTimeline[]> {
  const spec = sampleSpec();
  return observeSignals({ ...spec, islands: spec.islands.map((island) => ({ ...island, signals })) }, RANGE);
}

const starts = (timeline: SignalTimeline | undefined): readonly string[] =>
  (timeline?.spans ?? []).map(({ fromMs }) => new Date(fromMs).toISOString().slice(0, 16));

describe("signals", () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "archipelago-signals-"));
  });
  after(() => rm(folder, { recursive: true }));

  it("are laid out from moments and patterns, over changes of the clock", async () => {
    const pattern = { kind: "pattern", timezone: "Europe/Berlin", durationMs: HOUR_MS } as const;
    const [once, nightly, monthly] = await timelinesOf(
      {
        name: "a",
        type: "event",
        times: { kind: "at", atMs: [Date.UTC(2026, 9, 5), 0], durationMs: HOUR_MS },
        factor: 2,
      },
      { name: "b", type: "cron", times: { ...pattern, cron: "30 18 24-26 10 *" }, workloads: ["front"] },
      { name: "c", type: "event", times: { ...pattern, rrule: "FREQ=MONTHLY;BYDAY=-1FR;BYHOUR=18" } },
    );
    assert.deepEqual(starts(once), ["2026-10-05T00:00"]);
    assert.deepEqual([once?.factor, once?.isOfAll, nightly?.isOfAll, nightly?.workloads], [2, true, false, ["front"]]);
    assert.deepEqual(starts(nightly), ["2026-10-24T16:30", "2026-10-25T17:30", "2026-10-26T17:30"]);
    assert.deepEqual(starts(monthly), ["2026-10-30T17:00"]);
  });

  it("are read from an iCalendar file: zones, recurrences, moved and left out ones, none that were cancelled", async () => {
    const file = join(folder, "releases.ics");
    await writeFile(file, CALENDAR);
    const [releases] = await timelinesOf({ name: "releases", type: "calendar", times: { kind: "file", file } });
    assert.deepEqual(starts(releases), [
      "2026-10-06T16:00",
      "2026-10-21T16:00",
      "2026-10-27T17:00",
      "2026-11-01T08:00",
      "2026-11-03T17:00",
    ]);
    assert.equal((releases?.spans[3]?.toMs ?? 0) - (releases?.spans[3]?.fromMs ?? 0), 3 * HOUR_MS);
  });

  it("know public holidays of a country and its regions", async () => {
    const times = { kind: "holidays", country: "DE" } as const;
    const [all, saxony] = await timelinesOf(
      { name: "de", type: "holidays", times },
      { name: "sn", type: "holidays", times: { ...times, region: "SN" } },
    );
    assert.deepEqual(starts(all), ["2026-10-02T22:00"]);
    assert.deepEqual(starts(saxony), ["2026-10-02T22:00", "2026-10-30T23:00"]);
  });

  it("name what is wrong with a file, a country and a region", async () => {
    const file = join(folder, "broken.ics");
    await writeFile(file, "BEGIN:VCALENDAR\nnonsense");
    const calendar = (path: string): SignalSpec => ({
      name: "a",
      type: "calendar",
      times: { kind: "file", file: path },
    });
    const holidays = (country: string, region?: string): SignalSpec => ({
      ...{ name: "h", type: "holidays", times: { kind: "holidays", country, ...(region ? { region } : {}) } },
    });
    await assert.rejects(timelinesOf(calendar(join(folder, "none.ics"))), /signals\[0\]\.file .* can be read/);
    await assert.rejects(timelinesOf(calendar(file)), /must be an iCalendar file/);
    await assert.rejects(timelinesOf(holidays("XX")), /signals\[0\]\.country \("XX"\) must be a country that is known/);
    await assert.rejects(
      timelinesOf(holidays("DE", "ZZ")),
      /region \("ZZ"\) must be a region of DE; known regions: .*BE/,
    );
  });
});
