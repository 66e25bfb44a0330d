import assert from "node:assert/strict";
import * as fc from "fast-check";
import type { Opening, WindowLimits, WindowSpec } from "../../sdk/model";
import { nextOpenings, openingsOf, validateWindows } from "../../providers/calendar";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const FROM_MS = Date.parse("2026-06-01T00:00Z");

function buildWindow(name: string, change: Partial<WindowSpec>): WindowSpec {
  return { name, durationMs: HOUR_MS, timezone: "UTC", freezes: [], ...change };
}

function render({ window, startMs, endMs, limits }: Opening): string {
  const short = (ms: number): string => new Date(ms).toISOString().slice(5, 16);
  return `${short(startMs)}/${short(endMs)} ${window}${limits ? ` ${JSON.stringify(limits)}` : ""}`;
}

function assertOpenings(windows: readonly WindowSpec[], expected: readonly string[], fromMs = FROM_MS): void {
  assert.deepEqual(openingsOf(windows, fromMs, expected.length).map(render), expected);
}

describe("several windows", () => {
  const nightly = buildWindow("nightly", { cron: "0 2 * * *", durationMs: 4 * HOUR_MS });

  it("are closed where one of them closes, at the same precedence", () => {
    const backup = buildWindow("backup", { cron: "0 3 * * *", effect: "closed" });
    const expected = ["06-01T02:00/06-01T03:00 nightly", "06-01T04:00/06-01T06:00 nightly"];
    assertOpenings([nightly, backup], expected);
    assertOpenings([backup, nightly], expected);
  });

  it("are open where one of a higher precedence opens what another one closes, and closed the other way round", () => {
    const quarter = buildWindow("quarter-end", { cron: "0 0 1-3 6 *", durationMs: 24 * HOUR_MS, effect: "closed" });
    const hotfix = buildWindow("hotfix", { cron: "0 4 2 * *", precedence: 10 });
    assertOpenings([nightly, quarter, hotfix], ["06-02T04:00/06-02T05:00 hotfix", "06-04T02:00/06-04T06:00 nightly"]);
    const forbidden = { ...quarter, precedence: 20 };
    assertOpenings([nightly, forbidden, hotfix], ["06-04T02:00/06-04T06:00 nightly"]);
  });

  it("have the strictest of their limits where they overlap, and an opening for each set of limits", () => {
    const some = { ...nightly, limits: { hostsAtOnce: 4, maxUnavailable: { web: 1 } } };
    const careful = buildWindow("careful", {
      cron: "0 3 * * 1",
      limits: { hostsAtOnce: 1, hostsPerRack: 1, maxUnavailable: { web: 2 } },
    });
    assertOpenings(
      [some, careful],
      [
        '06-01T02:00/06-01T03:00 nightly {"hostsAtOnce":4,"maxUnavailable":{"web":1}}',
        '06-01T03:00/06-01T04:00 careful + nightly {"hostsAtOnce":1,"hostsPerRack":1,"maxUnavailable":{"web":1}}',
        '06-01T04:00/06-01T06:00 nightly {"hostsAtOnce":4,"maxUnavailable":{"web":1}}',
      ],
    );
  });

  it("of a higher precedence replace the limits of others while they are open", () => {
    const wide = buildWindow("wide", {
      cron: "0 2 * * 1",
      durationMs: 4 * HOUR_MS,
      precedence: 1,
      limits: { hostsAtOnce: 8 },
    });
    const tight = { ...nightly, limits: { hostsAtOnce: 1 } };
    assertOpenings(
      [tight, wide],
      ['06-01T02:00/06-01T06:00 wide {"hostsAtOnce":8}', '06-02T02:00/06-02T06:00 nightly {"hostsAtOnce":1}'],
    );
  });

  it("are refused when all of them only close", () => {
    const mistakes = validateWindows([{ ...nightly, effect: "closed" }]);
    assert.match(mistakes[0]?.rule ?? "", /all windows only close/);
  });

  it("open a moment just when the ones that decide all open it, whatever their order", () => {
    const limits = fc.constantFrom<WindowLimits | undefined>(undefined, { hostsAtOnce: 1 }, { hostsAtOnce: 3 });
    const anyWindow = fc
      .record({
        hour: fc.integer({ min: 0, max: 23 }),
        hours: fc.integer({ min: 1, max: 20 }),
        effect: fc.constantFrom<"open" | "closed">("open", "open", "closed"),
        precedence: fc.integer({ min: 0, max: 2 }),
        limits,
      })
      .map(({ hour, hours, effect, precedence, limits: some }) => ({ hour, hours, effect, precedence, limits: some }));
    fc.assert(
      fc.property(fc.array(anyWindow, { minLength: 1, maxLength: 4 }), (parts) => {
        const windows = parts.map(({ hour, hours, limits: some, ...rest }, index) =>
          buildWindow(`w${String(index)}`, {
            cron: `0 ${String(hour)} * * *`,
            durationMs: hours * HOUR_MS,
            ...rest,
            ...(some ? { limits: some } : {}),
          }),
        );
        if (parts.every(({ effect }) => effect === "closed")) return;
        const openings = openingsOf(windows, FROM_MS, 8, 3 * 24 * HOUR_MS);
        assert.deepEqual(openingsOf([...windows].reverse(), FROM_MS, 8, 3 * 24 * HOUR_MS), openings);
        const endMs = Math.min(openings.at(-1)?.startMs ?? Infinity, FROM_MS + 2 * 24 * HOUR_MS);
        // The one under way at FROM_MS is not among those that start later; look from its end on.
        const firstMs = openings[0]?.startMs ?? endMs;
        for (let ms = firstMs; ms < endMs; ms += HOUR_MS / 2) {
          const hourOf = (ms / HOUR_MS) % 24;
          const active = parts.filter(({ hour, hours }) => (hourOf - hour + 24) % 24 < hours);
          const highest = Math.max(...active.map(({ precedence }) => precedence));
          const deciding = active.filter(({ precedence }) => precedence === highest);
          const isOpen = deciding.length > 0 && deciding.every(({ effect }) => effect === "open");
          const opening = openings.find(({ startMs, endMs: until }) => startMs <= ms && ms < until);
          assert.equal(opening !== undefined, isOpen, new Date(ms).toISOString());
          const wanted = deciding.flatMap(({ limits: some }) => (some?.hostsAtOnce ? [some.hostsAtOnce] : []));
          if (isOpen) assert.equal(opening?.limits?.hostsAtOnce, wanted.length ? Math.min(...wanted) : undefined);
        }
      }),
      { numRuns: 60 },
    );
  });
});

describe("recurrence rules", () => {
  const rule = (rrule: string, change: Partial<WindowSpec> = {}): WindowSpec =>
    buildWindow("w", { rrule, timezone: "Europe/Berlin", ...change });

  it("open by weekday of the month, without a DTSTART", () => {
    assertOpenings(
      [rule("FREQ=MONTHLY;BYDAY=2SA;BYHOUR=2")],
      ["06-13T00:00/06-13T01:00 w", "07-11T00:00/07-11T01:00 w"],
    );
  });

  it("open every other week from their DTSTART, without EXDATEs and with RDATEs", () => {
    const lines =
      "DTSTART:20260606T020000\nRRULE:FREQ=WEEKLY;INTERVAL=2;BYDAY=SA\nEXDATE:20260620T020000\nRDATE:20260622T030000";
    assertOpenings(
      [rule(lines)],
      ["06-06T00:00/06-06T01:00 w", "06-22T01:00/06-22T02:00 w", "07-04T00:00/07-04T01:00 w"],
    );
  });

  it("end with UNTIL, also where it is in UTC, and with COUNT", () => {
    const until = (text: string): number =>
      openingsOf([rule(`DTSTART:20260601T010000\nRRULE:FREQ=DAILY;${text}`)], FROM_MS - 24 * HOUR_MS, 9).length;
    assert.equal(until("UNTIL=20260603T010000"), 3);
    assert.equal(until("UNTIL=20260602T230000Z"), 3);
    assert.equal(until("UNTIL=20260602T225959Z"), 2);
    assert.equal(until("UNTIL=20260603"), 3);
    assert.equal(until("COUNT=4"), 4);
  });

  it("follow local time over changes of the clock like cron patterns do", () => {
    for (const [hour, minute] of [
      [2, 30],
      [1, 15],
      [3, 0],
    ] as const) {
      const cron = rule("", { cron: `${String(minute)} ${String(hour)} * * *` });
      const same = rule(`FREQ=DAILY;BYHOUR=${String(hour)};BYMINUTE=${String(minute)}`);
      for (const from of ["2026-03-27T00:00Z", "2026-10-23T00:00Z"]) {
        const { rrule: _, ...byCron } = cron;
        assert.deepEqual(nextOpenings([same], Date.parse(from), 4), nextOpenings([byCron], Date.parse(from), 4));
      }
    }
    const hourly = rule("FREQ=HOURLY;BYMINUTE=30", { durationMs: 10 * MINUTE_MS });
    assertOpenings(
      [hourly],
      ["10-25T00:30/10-25T00:40 w", "10-25T01:30/10-25T01:40 w", "10-25T02:30/10-25T02:40 w"],
      Date.parse("2026-10-25T00:00Z"),
    );
  });

  it("that always open are found without looking through their past", () => {
    const always = rule("DTSTART:20000101T000000\nRRULE:FREQ=MINUTELY", { timezone: "UTC" });
    assertOpenings([always], ["06-08T00:00/06-15T00:00 w"], FROM_MS + 1);
  });

  it("are refused with what is wrong", () => {
    const mistakeOf = (text: string): string => {
      const [mistake] = validateWindows([rule(text)]);
      return `${String(mistake?.rule)}; ${String(mistake?.remedy)}`;
    };
    assert.match(mistakeOf("FREQ=DAILY"), /DTSTART or BYHOUR to say at which time; add a line like DTSTART:/);
    assert.match(mistakeOf("FREQ=MONTHLY;BYHOUR=2"), /one of BYDAY, BYMONTHDAY to say on which day/);
    assert.match(mistakeOf("FREQ=WEEKLY;INTERVAL=2;BYDAY=SA;BYHOUR=2"), /DTSTART for INTERVAL to count from/);
    assert.match(mistakeOf("FREQ=DAYLY;BYHOUR=2"), /must have a FREQ of/);
    assert.match(mistakeOf("FREQ=DAILY;BYHOURS=2"), /unknown part "BYHOURS=2"; did you mean "BYHOUR"/);
    assert.match(mistakeOf("FREQ=DAILY;BYHOUR=25"), /BYHOUR that is out of bounds, "25"; write a number from 0 to 23/);
    assert.match(mistakeOf("FREQ=WEEKLY;BYDAY=SAT;BYHOUR=2"), /BYDAY that is out of bounds, "SAT"; write MO, TU/);
    assert.match(mistakeOf("FREQ=MONTHLY;BYMONTH=2;BYMONTHDAY=30;BYHOUR=2"), /never does/);
    assert.match(mistakeOf("DTSTART:20260230T020000\nRRULE:FREQ=DAILY"), /no day of the calendar/);
    assert.match(
      mistakeOf("DTSTART;TZID=Europe/Paris:20260201T020000\nRRULE:FREQ=DAILY"),
      /set timezone to "Europe\/Paris"/,
    );
    assert.match(mistakeOf("every second saturday"), /must be lines of DTSTART, RRULE/);
    assert.match(mistakeOf("DTSTART:20260201T020000"), /must have an RRULE/);
  });
});
