import assert from "node:assert/strict";
import * as fc from "fast-check";
import {
  formatByteSize,
  formatCpu,
  formatDuration,
  formatDurationShort,
  formatPercentage,
  MistakeError,
  parseByteSize,
  parseCpu,
  parseDuration,
  parsePercentage,
} from "../../sdk/model";

describe("units", () => {
  const whole = fc.oneof(
    fc.maxSafeNat(),
    fc.integer({ min: 0, max: 10_000 }),
    fc
      .tuple(fc.integer({ min: 0, max: 1000 }), fc.constantFrom(1000, 60_000, 3_600_000, 86_400_000, 2 ** 20, 2 ** 40))
      .map(([count, unit]) => count * unit),
  );

  it("come back as they were, for every whole number of base units", () => {
    fc.assert(
      fc.property(whole, (value) => {
        assert.equal(parseDuration(formatDuration(value)), value);
        assert.equal(parseByteSize(formatByteSize(value)), value);
        assert.equal(parseCpu(formatCpu(value)), value);
      }),
    );
  });

  it("come back as they were, for every percentage of two decimals", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 10_000 }), (hundredths) => {
        const fraction = hundredths / 10_000;
        assert.ok(Math.abs(parsePercentage(formatPercentage(fraction)) - fraction) < 1e-12);
      }),
    );
  });

  it("are read in all their forms", () => {
    assert.equal(parseDuration("90 seconds"), 90_000);
    assert.equal(parseDuration("250ms"), 250);
    assert.equal(parseDuration("1.5 h"), 5_400_000);
    assert.equal(parseDuration(" 1 day "), 86_400_000);
    assert.equal(parseByteSize("512 MiB"), 512 * 2 ** 20);
    assert.equal(parseByteSize("1.5 GB"), 1_500_000_000);
    assert.equal(parseCpu("2 cores"), 2000);
    assert.equal(parseCpu("0.5 cores"), 500);
    assert.equal(parsePercentage("30%"), 0.3);
    assert.equal(parsePercentage("0 %"), 0);
    assert.equal(parsePercentage("100%"), 1);
  });

  it("are formatted in the largest unit that divides them", () => {
    assert.equal(formatDuration(300_000), "5 minutes");
    assert.equal(formatDuration(3_600_000), "1 hour");
    assert.equal(formatDuration(90_000), "90 seconds");
    assert.equal(formatDuration(0), "0 ms");
    assert.equal(formatByteSize(2 ** 31), "2 GiB");
    assert.equal(formatByteSize(1000), "1000 B");
    assert.equal(formatCpu(1000), "1 core");
    assert.equal(formatCpu(1500), "1500 millicores");
    assert.equal(formatPercentage(0.07), "7%");
  });

  it("are refused with field, value, rule and what to write instead", () => {
    const refused: readonly (readonly [() => number, RegExp])[] = [
      [
        () => parseDuration("5", "soakTime"),
        /^soakTime \("5"\) must be a number and a unit of time.*; known units: ms,/,
      ],
      [() => parseDuration("-1 minutes"), /^duration \("-1 minutes"\) must be/],
      [() => parseDuration("5 parsecs"), /must be a number and a unit of time/],
      [() => parseDuration("5 constructor"), /must be a number and a unit of time/],
      [() => parseDuration("1e3 ms"), /must be a number and a unit of time/],
      [() => parseByteSize("2 gib"), /must be a number and a unit of size/],
      [() => parseCpu("2"), /must be a number and a unit, like "2 cores"/],
      [() => parsePercentage("130%"), /must be a percentage between "0%" and "100%"; write it like "30%"/],
      [() => parsePercentage("0.3"), /must be a percentage/],
    ];
    for (const [parse, pattern] of refused) {
      assert.throws(parse, (error: unknown) => {
        assert.ok(error instanceof MistakeError);
        assert.match(error.message, pattern);
        return true;
      });
    }
  });

  it("never give a number that is not one, whatever is written", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.tuple(fc.nat(), fc.string()).map(([n, s]) => `${String(n)} ${s}`),
        ),
        (text) => {
          for (const parse of [parseDuration, parseByteSize, parseCpu, parsePercentage]) {
            try {
              assert.ok(parse(text) >= 0);
            } catch (error) {
              assert.ok(error instanceof MistakeError, String(error));
            }
          }
        },
      ),
    );
  });

  it("are shortened for people to two units", () => {
    assert.equal(formatDurationShort(850), "850 ms");
    assert.equal(formatDurationShort(1500), "1.5 s");
    assert.equal(formatDurationShort(42_000), "42 s");
    assert.equal(formatDurationShort(65_000), "1 min 5 s");
    assert.equal(formatDurationShort(3_725_000), "1 h 2 min");
    assert.equal(formatDurationShort(-60_000), "-1 min");
    assert.equal(formatDurationShort(Infinity), "unknown");
  });
});
