import assert from "node:assert/strict";
import * as fc from "fast-check";
import { canonicalJson } from "../../sdk/model";

/** Reorders the members of all objects within a JSON value. */
function reverseMembers(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reverseMembers);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([key, member]) => [key, reverseMembers(member)]),
  );
}

describe("canonicalJson", () => {
  it("is JSON of the same value", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        assert.deepEqual(JSON.parse(canonicalJson(value)), JSON.parse(JSON.stringify(value)));
      }),
    );
  });

  it("does not depend on the order of members, and is the same after another round", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const text = canonicalJson(value);
        assert.equal(canonicalJson(reverseMembers(value)), text);
        assert.equal(canonicalJson(JSON.parse(text)), text);
      }),
    );
  });

  it("leaves out undefined members, as JSON does", () => {
    assert.equal(canonicalJson({ b: 1, a: undefined, c: [undefined, "x"] }), '{"b":1,"c":[null,"x"]}');
  });

  it("refuses what JSON cannot hold exactly", () => {
    for (const value of [Number.NaN, Infinity, 1n, () => 1, Symbol("x"), { deep: [Number.NaN] }]) {
      assert.throws(() => canonicalJson(value), TypeError);
    }
  });
});
