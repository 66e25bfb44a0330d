import { strict as assert } from "node:assert";
import { describe, it } from "mocha";
import { describeWay, replacementTimes, wayOf, waysOf, type ReplaceableHost, type UpdateSpec } from "../../sdk/model";

const PROBED = { probe: "version", expect: "v2", irreversible: false, reboot: false, timeoutMs: 900_000 };
const COMMAND: UpdateSpec = { ...PROBED, command: "install v2", undo: "install v1" };
const IMAGE: UpdateSpec = { ...PROBED, image: "image-2" };
const BOTH: UpdateSpec = { ...COMMAND, image: "image-2" };

const PLAIN: ReplaceableHost = {};
const REPLACEABLE: ReplaceableHost = { offers: ["replacement"] };
const IMMUTABLE: ReplaceableHost = { immutable: "read-only image" };
const ONLY_REPLACEABLE: ReplaceableHost = { ...REPLACEABLE, ...IMMUTABLE };

describe("the way of a host", () => {
  const { undo: _, ...irreversible } = BOTH;
  const cases: readonly (readonly [string, UpdateSpec, ReplaceableHost, string | undefined, string])[] = [
    ["a command, where commands may run", COMMAND, REPLACEABLE, "in-place", "single"],
    ["a command, where none may", COMMAND, ONLY_REPLACEABLE, undefined, "immutable"],
    ["an image, where it can be had", IMAGE, REPLACEABLE, "replacement", "single"],
    ["an image, where it cannot", IMAGE, PLAIN, undefined, "not-replaceable"],
    ["both, where only commands may run", BOTH, PLAIN, "in-place", "not-replaceable"],
    ["both, where none may", BOTH, ONLY_REPLACEABLE, "replacement", "immutable"],
    ["both, where neither can be had", BOTH, IMMUTABLE, undefined, "neither"],
    ["both", BOTH, REPLACEABLE, "in-place", "no-second-machine"],
    [
      "both, the command without a way back",
      { ...irreversible, irreversible: true },
      REPLACEABLE,
      "replacement",
      "irreversible",
    ],
    [
      "a command without a way back that alone is possible",
      { ...irreversible, irreversible: true },
      PLAIN,
      "in-place",
      "not-replaceable",
    ],
    ["a live patch", { ...BOTH, disturbs: "nothing" }, REPLACEABLE, "in-place", "copies-stay"],
    ["a host that detaches its copies", BOTH, { offers: ["detached", "replacement"] }, "in-place", "copies-stay"],
    [
      "the same with a restart",
      { ...BOTH, reboot: true },
      { offers: ["detached", "replacement"] },
      "in-place",
      "no-second-machine",
    ],
    [
      "a replacement that is declared to be shorter",
      { ...BOTH, expectedMs: 600_000, replacement: { expectedMs: 120_000 } },
      REPLACEABLE,
      "replacement",
      "shorter",
    ],
    [
      "a shorter one beside copies that may stay",
      { ...BOTH, disturbs: "copies", expectedMs: 600_000, replacement: { expectedMs: 120_000 } },
      REPLACEABLE,
      "in-place",
      "copies-stay",
    ],
    [
      "a shorter one whose command has no time of its own",
      { ...BOTH, replacement: { expectedMs: 120_000 } },
      REPLACEABLE,
      "in-place",
      "no-second-machine",
    ],
  ];
  for (const [what, update, host, way, why] of cases) {
    it(`of ${what} is ${way ?? "none"}`, () => {
      const chosen = wayOf(update, host);
      assert.equal("way" in chosen ? chosen.way : undefined, way);
      assert.equal(chosen.why, why);
      assert.notEqual(describeWay(update, host, chosen), "");
    });
  }

  it("is told with what the driver said, and with the times that were declared", () => {
    assert.equal(
      describeWay(BOTH, IMMUTABLE, { why: "neither" }),
      "it cannot be updated in place (read-only image), and its driver cannot replace its machine",
    );
    const timed = { ...BOTH, expectedMs: 600_000, replacement: { expectedMs: 120_000 } };
    assert.equal(
      describeWay(timed, REPLACEABLE, wayOf(timed, REPLACEABLE)),
      "the command takes 10 min, a replacement 2 min (P95 as declared)",
    );
    assert.deepEqual(waysOf(BOTH), ["in-place", "replacement"]);
  });

  it("has the update's times for a replacement but for those that are its own", () => {
    const timed = { ...BOTH, expectedMs: 60_000 };
    assert.deepEqual(replacementTimes(timed), { timeoutMs: 900_000, expectedMs: 60_000 });
    assert.deepEqual(replacementTimes({ ...timed, replacement: { expectedMs: 120_000 } }), {
      timeoutMs: 900_000,
      expectedMs: 120_000,
    });
    assert.deepEqual(replacementTimes({ ...timed, replacement: { timeoutMs: 1_200_000 } }), { timeoutMs: 1_200_000 });
  });
});
