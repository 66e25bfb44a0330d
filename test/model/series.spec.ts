import assert from "node:assert/strict";
import * as fc from "fast-check";
import { didYouMean, isFinalPhase, seriesEndMs, seriesFromJson, seriesToJson, type Series } from "../../sdk/model";

describe("series", () => {
  const series = fc
    .array(fc.oneof(fc.double({ min: 0, max: 1e12, noNaN: true }), fc.constant(Number.NaN)))
    .map((values): Series => {
      return {
        id: "workload/web",
        unit: "cpuMillis",
        startMs: 60_000,
        stepMs: 1000,
        values: Float64Array.from(values),
      };
    });

  it("come back from JSON as they were, gaps included", () => {
    fc.assert(
      fc.property(series, (each) => {
        assert.deepEqual(seriesFromJson(JSON.parse(JSON.stringify(seriesToJson(each))) as never), each);
      }),
    );
  });

  it("end after their last interval", () => {
    fc.assert(
      fc.property(series, (each) => {
        assert.equal(seriesEndMs(each), 60_000 + each.values.length * 1000);
      }),
    );
  });
});

describe("didYouMean", () => {
  it("finds the name that was probably meant", () => {
    assert.equal(didYouMean("maxUnavailble", ["maxPause", "maxUnavailable"]), "maxUnavailable");
    assert.equal(didYouMean("comand", ["command", "comment"]), "command");
    assert.equal(didYouMean("TIMEZONE", ["timezone"]), "timezone");
  });

  it("suggests nothing when no name is near", () => {
    assert.equal(didYouMean("colour", ["timezone", "cron"]), undefined);
    assert.equal(didYouMean("x", []), undefined);
  });

  it("suggests a known name that is written right", () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.stringMatching(/^[a-z]{3,12}$/), { minLength: 1 }), (names) => {
        for (const name of names) assert.equal(didYouMean(name, names), name);
      }),
    );
  });
});

describe("phases", () => {
  it("are final when no runner leaves them by itself", () => {
    assert.deepEqual(
      (
        ["armed", "running", "paused", "recovering", "done", "failed", "cancelled", "skipped", "expired"] as const
      ).filter(isFinalPhase),
      ["done", "failed", "cancelled", "skipped", "expired"],
    );
  });
});
