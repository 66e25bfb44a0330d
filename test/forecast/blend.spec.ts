import { strict as assert } from "node:assert";
import { describe, it } from "mocha";
import { Blend, type Member } from "../../providers/forecast/blend";
import { prepareSeries } from "../../providers/forecast/prepare";
import { createRandom } from "../../providers/forecast/random";
import { seriesOf } from "./series-builders";

const random = createRandom(1);
const PREPARED = prepareSeries(seriesOf(Array.from({ length: 400 }, () => 100 + 10 * random.normal())), 0);

/** Ten times a normal deviate's rough quantile around a centre. */
function memberAt(name: string, centre: number, width = 12): Member {
  return { name, key: name, at: (levels) => () => levels.map((level) => centre + 2 * width * (level - 0.5)) };
}

describe("blend", () => {
  it("gives weight to those who were right and none to those who were far off", () => {
    const blend = new Blend(PREPARED, [memberAt("right", 100), memberAt("near", 112), memberAt("far", 300)], 0);
    const speakers = blend.speakersAt(5);
    assert.equal(speakers[0]?.name, "right");
    assert.ok(speakers.every(({ name }) => name !== "far"));
    assert.ok(Math.abs(speakers.reduce((sum, { weight }) => sum + weight, 0) - 1) < 1e-12);
    assert.equal(blend.bestOf(3, 5), 0);
  });

  it("asks hopeless members on a part of the origins only", () => {
    const counts = { right: 0, far: 0 };
    const counted = (name: keyof typeof counts, centre: number): Member => ({
      name,
      key: name,
      at: (levels) => () => {
        counts[name]++;
        return levels.map((level) => centre + 24 * (level - 0.5));
      },
    });
    new Blend(PREPARED, [counted("right", 100), counted("far", 300)], 0).weightsAt(5);
    assert.ok(counts.far > 0 && counts.far <= counts.right / 3, JSON.stringify(counts));
  });

  it("lies within its members' medians and gives a level the same value whatever else is asked for", () => {
    const blend = new Blend(PREPARED, [memberAt("a", 99), memberAt("b", 101), memberAt("c", 102)], 0);
    const [median = 0] = blend.at([0.5])(7);
    assert.ok(median >= 99 && median <= 102);
    assert.equal(blend.at([0.1, 0.5, 0.99])(7)[1], median);
  });

  it("widens what was too narrow on the past", () => {
    const width = (member: Member): number => {
      const [low = 0, high = 0] = new Blend(PREPARED, [member], 0).at([0.1, 0.9])(3);
      return (high - low) / 1.6;
    };
    assert.ok(width(memberAt("narrow", 100, 4)) > 1.2 * 4);
    assert.ok(width(memberAt("wide", 100, 60)) < 0.9 * 60);
  });

  it("draws the lower side in a few steps ahead, never off 0, and no more at half a season", () => {
    const distances = (values: readonly number[], horizon: number): number[] => {
      const least = Math.min(...values);
      const centre = (least + Math.max(...values)) / 2;
      const prepared = prepareSeries(seriesOf(values), 24);
      const member: Member = {
        name: "even",
        key: "even",
        at: (levels) => () => levels.map((level) => Math.max(least, centre + 30 * (level - 0.5))),
      };
      const [low = 0, median = 0, high = 0] = new Blend(prepared, [member], 24).at([0.1, 0.5, 0.9])(horizon);
      return [median - low, high - median, low];
    };
    const noise = Array.from({ length: 400 }, (_, index) => 100 + 15 * Math.sin(index * index));
    const [below = 0, above = 0] = distances(noise, 1);
    assert.ok(below < above * 0.97, `${String(below)} below the median, ${String(above)} above it`);
    const [belowLater = 0, aboveLater = 0] = distances(noise, 12);
    assert.ok(Math.abs(belowLater - aboveLater) < 1e-9);
    const oftenIdle = Array.from({ length: 400 }, (_, index) => (index % 3 === 0 ? 20 : 0));
    assert.ok((distances(oftenIdle, 1)[2] ?? 1) <= 0);
  });
});
