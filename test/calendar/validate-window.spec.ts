import assert from "node:assert/strict";
import { renderMistake, type WindowSpec } from "../../sdk/model";
import { validateWindow } from "../../providers/calendar";

function mistakesOf(change: Partial<WindowSpec>): readonly string[] {
  const window = { name: "saturdays", cron: "0 2 * * 6", durationMs: 1, timezone: "UTC", freezes: [], ...change };
  return validateWindow(window).map(renderMistake);
}

function assertMistake(change: Partial<WindowSpec>, pattern: RegExp): void {
  const mistakes = mistakesOf(change);
  assert.equal(mistakes.length, 1, mistakes.join("\n"));
  assert.match(mistakes[0] ?? "", pattern);
}

describe("validateWindow", () => {
  it("finds nothing wrong with right windows", () => {
    assert.deepEqual(mistakesOf({}), []);
    assert.deepEqual(mistakesOf({ cron: "*/10 9-17 * JAN-MAR MON-FRI", timezone: "US/Pacific" }), []);
    assert.deepEqual(
      mistakesOf({ cron: "0 0 29 2 *", freezes: ["2026-12-20/2027-01-03", "2026-05-01/2026-05-01"] }),
      [],
    );
  });

  it("says which part of a cron pattern does not parse", () => {
    assertMistake(
      { cron: "61 * * * *" },
      /^saturdays\.cron \("61 \* \* \* \*"\) must be a cron pattern .*minute: 61.*; write minute, hour/,
    );
    assertMistake({ cron: "" }, /saturdays\.cron/);
    assertMistake({ cron: "0 0 2 * * 6" }, /five fields/);
    assertMistake({ cron: "every saturday" }, /five fields/);
  });

  it("finds a cron pattern that never opens", () => {
    assertMistake({ cron: "0 2 30 2 *" }, /never does; correct its day and month/);
    assertMistake({ cron: "0 2 31 4,6,9,11 *" }, /never does/);
  });

  it("suggests the zone that was meant", () => {
    assertMistake({ timezone: "Europe/Berln" }, /must be an IANA time zone; did you mean "Europe\/Berlin"\?/);
    assertMistake({ timezone: "Berlin" }, /did you mean "Europe\/Berlin"/);
    assertMistake({ timezone: "new york" }, /did you mean "America\/New_York"/);
    assertMistake({ timezone: "+02:00" }, /write it like "Europe\/Berlin"/);
    assertMistake({ timezone: "" }, /must be an IANA time zone/);
  });

  it("explains each bad freeze", () => {
    assertMistake({ freezes: ["2026-12-24"] }, /freezes\[0\].*for one day write "2026-12-24\/2026-12-24"/);
    assertMistake(
      { freezes: ["2026-01-01/2026-01-02", "2026-02-30/2026-03-01"] },
      /freezes\[1\].*2026-02-30 is no day/,
    );
    assertMistake(
      { freezes: ["2027-01-03/2026-12-20"] },
      /must not end before it begins; write "2026-12-20\/2027-01-03"/,
    );
    assertMistake({ freezes: ["Christmas"] }, /YYYY-MM-DD/);
  });

  it("refuses a window without length", () => {
    assertMistake({ durationMs: 0 }, /saturdays\.duration/);
  });

  it("reports all mistakes at once", () => {
    assert.equal(mistakesOf({ cron: "x", timezone: "y", durationMs: 0, freezes: ["z"] }).length, 4);
  });
});
