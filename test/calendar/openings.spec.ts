import assert from "node:assert/strict";
import * as fc from "fast-check";
import { MistakeError, type Opening, type WindowSpec } from "../../sdk/model";
import { currentOpening, nextOpenings, openingsOf } from "../../providers/calendar";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

function buildWindow(change: Partial<WindowSpec> = {}): WindowSpec {
  return {
    name: "nightly",
    cron: "0 2 * * *",
    durationMs: 3 * HOUR_MS,
    timezone: "Europe/Berlin",
    freezes: [],
    ...change,
  };
}

/** Openings as text, `start/end`, for short comparisons. */
function render(openings: readonly Opening[]): readonly string[] {
  const short = (ms: number): string => new Date(ms).toISOString().slice(0, 16);
  return openings.map((opening) => `${short(opening.startMs)}/${short(opening.endMs)}`);
}

function assertOpenings(window: Partial<WindowSpec>, from: string, expected: readonly string[]): void {
  assert.deepEqual(render(openingsOf([buildWindow(window)], Date.parse(from), expected.length)), expected);
}

describe("openings", () => {
  it("follow the local time of their zone over the year", () => {
    assertOpenings({ cron: "0 2 * * 6" }, "2026-07-01T00:00Z", ["2026-07-04T00:00/2026-07-04T03:00"]);
    assertOpenings({ cron: "0 2 * * 6" }, "2026-12-01T00:00Z", ["2026-12-05T01:00/2026-12-05T04:00"]);
    assertOpenings({ timezone: "Asia/Kathmandu" }, "2026-12-01T00:00Z", ["2026-12-01T20:15/2026-12-01T23:15"]);
  });

  describe("where the clock is changed", () => {
    // Europe/Berlin: 2026-03-29 02:00 -> 03:00 (01:00 UTC), 2026-10-25 03:00 -> 02:00 (01:00 UTC).
    it("open when the clock was moved, where their local time does not exist, and last as long as ever", () => {
      assertOpenings({ cron: "30 2 * * *" }, "2026-03-28T00:00Z", [
        "2026-03-28T01:30/2026-03-28T04:30",
        "2026-03-29T01:00/2026-03-29T04:00",
        "2026-03-30T00:30/2026-03-30T03:30",
      ]);
    });

    it("open once for several local times that do not exist", () => {
      assertOpenings({ cron: "*/15 2 * * *", durationMs: 10 * MINUTE_MS }, "2026-03-29T00:00Z", [
        "2026-03-29T01:00/2026-03-29T01:10",
        "2026-03-30T00:00/2026-03-30T00:10",
      ]);
    });

    it("open the first time only, where their local time exists twice", () => {
      assertOpenings({ cron: "30 2 * * *", durationMs: 10 * MINUTE_MS }, "2026-10-24T12:00Z", [
        "2026-10-25T00:30/2026-10-25T00:40",
        "2026-10-26T01:30/2026-10-26T01:40",
      ]);
    });

    it("open once also when the search begins between the two", () => {
      assertOpenings({ cron: "30 2 * * *", durationMs: 10 * MINUTE_MS }, "2026-10-25T01:10Z", [
        "2026-10-26T01:30/2026-10-26T01:40",
      ]);
    });

    it("follow elapsed time where they open every hour", () => {
      assertOpenings({ cron: "30 * * * *", durationMs: 10 * MINUTE_MS }, "2026-10-25T00:00Z", [
        "2026-10-25T00:30/2026-10-25T00:40",
        "2026-10-25T01:30/2026-10-25T01:40",
        "2026-10-25T02:30/2026-10-25T02:40",
      ]);
      assertOpenings({ cron: "30 * * * *", durationMs: 10 * MINUTE_MS }, "2026-03-29T00:00Z", [
        "2026-03-29T00:30/2026-03-29T00:40",
        "2026-03-29T01:00/2026-03-29T01:10",
        "2026-03-29T01:30/2026-03-29T01:40",
      ]);
    });

    it("open at the beginning of a day that has no midnight", () => {
      // America/Santiago: 2026-09-06 00:00 -> 01:00 (04:00 UTC).
      assertOpenings({ cron: "0 0 * * *", timezone: "America/Santiago" }, "2026-09-05T12:00Z", [
        "2026-09-06T04:00/2026-09-06T07:00",
      ]);
    });
  });

  it("are merged where they overlap or touch", () => {
    const often = { cron: "*/10 9-16 * * 1-5", durationMs: HOUR_MS, timezone: "UTC" };
    assertOpenings(often, "2026-06-01T00:00Z", [
      "2026-06-01T09:00/2026-06-01T17:50",
      "2026-06-02T09:00/2026-06-02T17:50",
    ]);
    assertOpenings({ cron: "0 1,2,3 * * *", durationMs: HOUR_MS, timezone: "UTC" }, "2026-06-01T00:00Z", [
      "2026-06-01T01:00/2026-06-01T04:00",
    ]);
  });

  it("of several windows are merged under the names of all", () => {
    const windows = [
      buildWindow({ name: "saturdays", cron: "0 3 * * 6", timezone: "UTC" }),
      buildWindow({ name: "nightly", timezone: "UTC" }),
    ];
    const openings = openingsOf(windows, Date.parse("2026-06-05T00:00Z"), 3);
    assert.deepEqual(render(openings), [
      "2026-06-05T02:00/2026-06-05T05:00",
      "2026-06-06T02:00/2026-06-06T06:00",
      "2026-06-07T02:00/2026-06-07T05:00",
    ]);
    assert.deepEqual(
      openings.map((opening) => opening.window),
      ["nightly", "nightly + saturdays", "nightly"],
    );
  });

  it("that never end are cut on Mondays, and stay the same wherever the search begins", () => {
    const always = buildWindow({ cron: "*/10 * * * *", durationMs: HOUR_MS });
    const monday = Date.parse("2026-06-08T00:00Z");
    assert.deepEqual(
      currentOpening([always], monday + 5 * DAY_MS),
      { window: "nightly", startMs: monday, endMs: monday + 14 * DAY_MS },
      "the week that follows without a gap counts as well",
    );
    assert.equal(currentOpening([always], monday)?.startMs, monday);
    assert.equal(currentOpening([always], monday - 1)?.startMs, monday - 7 * DAY_MS);
    assert.equal(nextOpenings([always], monday, 1)[0]?.startMs, monday + 14 * DAY_MS, "behind the current one");
  });

  it("longer than a week are cut too", () => {
    const months = { cron: "0 0 1 * *", durationMs: 16 * DAY_MS, timezone: "UTC" };
    assertOpenings(months, "2026-06-01T00:00Z", [
      "2026-06-01T00:00/2026-06-08T00:00",
      "2026-06-08T00:00/2026-06-15T00:00",
      "2026-06-15T00:00/2026-06-17T00:00",
      "2026-07-01T00:00/2026-07-06T00:00",
    ]);
  });

  it("do not lie in a freeze; its first and last day belong to it, in the window's zone", () => {
    const frozen = { freezes: ["2026-12-20/2027-01-03"] };
    assertOpenings(frozen, "2026-12-19T00:00Z", [
      "2026-12-19T01:00/2026-12-19T04:00",
      "2027-01-04T01:00/2027-01-04T04:00",
    ]);
  });

  it("are cut by a freeze that begins or ends in them", () => {
    const late = { cron: "0 22 * * *", durationMs: 4 * HOUR_MS, freezes: ["2026-06-03/2026-06-03"] };
    assertOpenings(late, "2026-06-02T12:00Z", [
      "2026-06-02T20:00/2026-06-02T22:00",
      "2026-06-03T22:00/2026-06-04T00:00",
      "2026-06-04T20:00/2026-06-05T00:00",
    ]);
  });

  it("of another window are left alone by a freeze", () => {
    const windows = [buildWindow({ name: "a", freezes: ["2026-06-01/2026-06-30"] }), buildWindow({ name: "b" })];
    assert.equal(openingsOf(windows, Date.parse("2026-06-10T12:00Z"), 1)[0]?.window, "b");
  });

  it("of rare dates are found, and none where all are frozen or there is no window", () => {
    assertOpenings({ cron: "0 0 29 2 *", timezone: "UTC" }, "2026-06-01T00:00Z", ["2028-02-29T00:00/2028-02-29T03:00"]);
    assert.deepEqual(openingsOf([buildWindow({ freezes: ["2020-01-01/2099-12-31"] })], Date.UTC(2026, 0), 5), []);
    assert.deepEqual(openingsOf([], Date.UTC(2026, 0), 5), []);
    assert.equal(currentOpening([], 0), undefined);
  });

  it("end with the horizon", () => {
    assert.equal(openingsOf([buildWindow({ timezone: "UTC" })], Date.UTC(2026, 5, 1), 100, 3 * DAY_MS).length, 3);
  });

  it("are current from their start until right before their end", () => {
    const window = [buildWindow({ timezone: "UTC" })];
    const startMs = Date.parse("2026-06-01T02:00Z");
    const opening = { window: "nightly", startMs, endMs: startMs + 3 * HOUR_MS };
    assert.equal(currentOpening(window, startMs - 1), undefined);
    assert.deepEqual(currentOpening(window, startMs), opening);
    assert.deepEqual(currentOpening(window, opening.endMs - 1), opening);
    assert.equal(currentOpening(window, opening.endMs), undefined);
    assert.equal(nextOpenings(window, startMs, 1)[0]?.startMs, startMs + DAY_MS);
  });

  it("are refused for windows with mistakes, all of them at once", () => {
    const windows = [buildWindow({ cron: "never" }), buildWindow({ name: "b", timezone: "Mars/Olympus" })];
    assert.throws(
      () => openingsOf(windows, 0, 1),
      (error: unknown) => error instanceof MistakeError && error.mistakes.length === 2,
    );
  });

  describe("of any windows", () => {
    const minute = fc.integer({ min: 0, max: 59 });
    const hour = fc.integer({ min: 0, max: 23 });
    const cron = fc.oneof(
      fc.tuple(minute, hour).map(([m, h]) => `${String(m)} ${String(h)} * * *`),
      fc
        .tuple(minute, hour, fc.integer({ min: 0, max: 6 }))
        .map(([m, h, d]) => `${String(m)} ${String(h)} * * ${String(d)}`),
      minute.map((m) => `${String(m)} * * * *`),
      fc.constantFrom("*/20 * * * *", "*/15 1-4 * * *", "0 0 1,15 * *"),
    );
    // Around both changes of the clock in the year.
    const nowMs = fc
      .tuple(
        fc.constantFrom("2026-03-27T00:00Z", "2026-10-23T00:00Z", "2026-06-01T00:00Z"),
        fc.integer({ min: 0, max: 4 * 1440 }),
      )
      .map(([from, minutes]) => Date.parse(from) + minutes * MINUTE_MS);
    const freeze = fc
      .tuple(fc.constantFrom("2026-03-2", "2026-10-2"), fc.integer({ min: 0, max: 9 }), fc.integer({ min: 0, max: 9 }))
      .map(([decade, a, b]) => `${decade}${String(Math.min(a, b))}/${decade}${String(Math.max(a, b))}`);
    const window = fc
      .record({
        cron,
        durationMs: fc.integer({ min: 1, max: 2000 }).map((minutes) => minutes * MINUTE_MS),
        timezone: fc.constantFrom("Europe/Berlin", "America/New_York", "UTC", "Australia/Lord_Howe", "Asia/Kolkata"),
        freezes: fc.array(freeze, { maxLength: 2 }),
      })
      .map((change) => buildWindow(change));
    const windows = fc.array(window, { minLength: 1, maxLength: 3 });

    it("are sorted, disjoint, not empty and begin in the future", () => {
      fc.assert(
        fc.property(windows, nowMs, (specs, now) => {
          let before = now;
          for (const opening of nextOpenings(specs, now, 5)) {
            assert.ok(opening.startMs > now && opening.startMs >= before);
            assert.ok(opening.endMs > opening.startMs && opening.endMs - opening.startMs <= 7 * DAY_MS);
            before = opening.endMs;
          }
        }),
      );
    });

    it("never lie in a freeze", () => {
      fc.assert(
        fc.property(window, nowMs, (spec, now) => {
          const date = new Intl.DateTimeFormat("sv-SE", { timeZone: spec.timezone, dateStyle: "short" });
          for (const opening of openingsOf([spec], now, 4)) {
            const moments = [opening.startMs, (opening.startMs + opening.endMs) / 2, opening.endMs - 1];
            for (const day of moments.map((ms) => date.format(ms))) {
              for (const [first = "", last = ""] of spec.freezes.map((each) => each.split("/"))) {
                assert.ok(day < first || day > last, `${day} is in ${first}/${last}`);
              }
            }
          }
        }),
      );
    });

    it("are the same wherever the search begins", () => {
      fc.assert(
        fc.property(windows, nowMs, fc.integer({ min: 1, max: 3 * 1440 }), (specs, now, minutes) => {
          const later = now + minutes * MINUTE_MS;
          const horizonMs = 10 * DAY_MS;
          const all = openingsOf(specs, now, 1000, horizonMs + minutes * MINUTE_MS);
          assert.deepEqual(
            all.filter((opening) => opening.startMs >= later),
            openingsOf(specs, later, 1000, horizonMs),
          );
          const current = currentOpening(specs, later);
          const before = all.find((opening) => opening.startMs <= later && later < opening.endMs);
          const next = all.find((opening) => opening.startMs === before?.endMs);
          if (before) assert.deepEqual(current, { ...before, endMs: next?.endMs ?? before.endMs });
        }),
        { numRuns: 60 },
      );
    });

    it("begin at a matching local time, after a change of the clock or where a freeze ends", () => {
      fc.assert(
        fc.property(minute, hour, nowMs, (m, h, now) => {
          const timezone = "Europe/Berlin";
          const spec = buildWindow({ cron: `${String(m)} ${String(h)} * * *`, durationMs: MINUTE_MS, timezone });
          const local = new Intl.DateTimeFormat("sv-SE", { timeZone: timezone, timeStyle: "short" });
          for (const opening of openingsOf([spec], now, 6)) {
            const expected = `${String(h).padStart(2, "0")}:${String(m).padStart(2, "0")}`;
            const isAfterGap = opening.startMs === Date.parse("2026-03-29T01:00Z") && h === 2;
            assert.equal(local.format(opening.startMs), isAfterGap ? "03:00" : expected);
          }
        }),
      );
    });
  });
});
