import * as assert from "node:assert/strict";
import { UNKNOWN, findUnknown } from "../../providers/pulumi/unknown-inputs";
import { unplannedFor } from "../../providers/pulumi/unplanned";
import { sampleSpec } from "../../providers/testing";
import { toState } from "../../providers/pulumi/state";
import { nextRunId, runFamily } from "../../providers/runner/run-family";

describe("unknown inputs", () => {
  it("are found anywhere in the tree, each with its path", () => {
    const value = {
      islands: [{ source: { inventory: UNKNOWN }, name: "shop" }],
      update: { command: "true" },
      store: UNKNOWN,
    };
    assert.deepEqual(findUnknown(value), ["islands[0].source.inventory", "store"]);
  });

  it("are none in what is known", () => {
    assert.deepEqual(findUnknown({ a: [1, null, "x"], b: {} }), []);
  });
});

describe("a preview of an update whose hosts do not exist yet", () => {
  it("tells the ways that it has, as far as they are known", () => {
    const told = (changed: object): string => {
      const { command: _, undo: __, ...update } = sampleSpec().update;
      return unplannedFor(sampleSpec({ update: { ...update, ...changed } }), ["islands[0].source"]).update;
    };
    const until = ", until `version` prints v2";
    assert.equal(told({ command: "install v2" }), `install v2${until}`);
    assert.equal(told({ image: UNKNOWN }), `replacement by (not known yet)${until}`);
    assert.equal(
      told({ command: "install v2", image: "image-2" }),
      `install v2 or replacement by image-2, for each host as it allows${until}`,
    );
  });
});

describe("outputs", () => {
  it("hold nothing that the engine's state cannot", () => {
    assert.deepEqual(toState({ a: undefined, b: [undefined], c: 1 }), { b: [null], c: 1 });
  });
});

describe("a family of runs", () => {
  it("has a name of its own for each resource, and numbers its runs", () => {
    const family = runFamily("kernel", "urn:one");
    assert.match(family, /^kernel-[0-9a-f]{8}$/);
    assert.notEqual(family, runFamily("kernel", "urn:two"));
    assert.equal(nextRunId(family, undefined), `${family}-1`);
    assert.equal(nextRunId(family, `${family}-9`), `${family}-10`);
  });
});
