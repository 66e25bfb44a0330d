/**
 * The stand-in engine itself: its decisions, its values, and that it refuses what it cannot do.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { UNKNOWN } from "./engine-session";
import { makeFixtureProject } from "./fixture-project";
import { messagesOf } from "./scenario";
import {
  annotateSecrets,
  changedKeys,
  containsUnknown,
  fromStruct,
  isSameValue,
  normalizeInputs,
  secret,
  toProvider,
  toReadable,
  toShown,
  toStruct,
} from "./stand-in/property-values";
import { openStandIn } from "./stand-in/session";
import { urnOf } from "./stand-in/state";
import { decideComponent, decideExisting, decideRefresh } from "./stand-in/steps";

const SAME = { changes: "none", replaces: [], deleteBeforeReplace: false } as const;
const REPLACES = { changes: "some", replaces: ["zone"], deleteBeforeReplace: true } as const;

/** JSON without the two things that mean something else here: NaN, and a key that is the signature's. */
const json = fc.dictionary(
  fc.string({ maxLength: 8 }).filter((key) => key !== "__proto__"),
  fc.jsonValue({ noUnicodeString: true, maxDepth: 2 }),
  { maxKeys: 4 },
);

describe("stand-in engine", () => {
  it("does what the provider's diff says, and compares the inputs where it says nothing", () => {
    const old = { inputs: { size: 1 }, initErrors: [] };
    assert.equal(decideExisting(old, { size: 2 }, SAME).kind, "same");
    assert.equal(decideExisting(old, { size: 1 }, { ...SAME, changes: "some" }).kind, "update");
    assert.equal(decideExisting(old, { size: 1 }, { ...SAME, changes: "unknown" }).kind, "same");
    assert.equal(decideExisting(old, { size: 2 }, { ...SAME, changes: "unknown" }).kind, "update");
    assert.equal(decideExisting({ ...old, initErrors: ["half"] }, { size: 1 }, SAME).kind, "update");
  });

  it("lets a program overrule in which order a provider replaces", () => {
    const old = { inputs: { zone: "a" }, initErrors: [] };
    const news = { zone: "b" };
    assert.deepEqual(decideExisting(old, news, REPLACES), { kind: "replace", keys: ["zone"], deleteFirst: true });
    assert.deepEqual(decideExisting(old, news, REPLACES, { deleteBeforeReplace: false }), {
      kind: "replace",
      keys: ["zone"],
      deleteFirst: false,
    });
  });

  it("decides on components by their inputs and on refreshes by what an up would do", () => {
    assert.equal(decideComponent(undefined, {}).kind, "create");
    assert.equal(decideRefresh({ size: 1 }, { size: 1 }, { ...SAME, changes: "unknown" }), "same");
    assert.equal(decideRefresh({ size: 1 }, { size: 1 }, { ...SAME, changes: "some" }), "update");
  });

  it("puts parents' types into a URN, but not the stack's", () => {
    const root = urnOf("dev", "shop", "", "pulumi:pulumi:Stack", "shop-dev");
    const shelf = urnOf("dev", "shop", root, "a:b:Shelf", "one");
    assert.equal(shelf, "urn:pulumi:dev::shop::a:b:Shelf::one");
    assert.equal(urnOf("dev", "shop", shelf, "c:d:Thing", "two"), "urn:pulumi:dev::shop::a:b:Shelf$c:d:Thing::two");
  });

  it("carries any JSON to protobuf and back", () => {
    fc.assert(
      fc.property(json, (properties) => {
        const carried = fromStruct(toStruct(properties));
        assert.ok(isSameValue(carried, properties));
        assert.deepEqual(changedKeys(carried, properties), []);
        assert.ok(isSameValue(normalizeInputs(properties), properties));
      }),
    );
  });

  it("gives secrets to providers as plain text, marks their namesakes, and shows none", () => {
    const inputs = { token: secret("hush"), deep: { token: secret("hush") }, list: [secret("hush")], plain: 1 };
    assert.deepEqual(toProvider(inputs), { token: "hush", deep: { token: "hush" }, list: ["hush"], plain: 1 });
    const outputs = annotateSecrets({ ...toProvider(inputs), echo: "hush" }, inputs);
    assert.deepEqual(toReadable(outputs), {
      token: { secret: "hush" },
      deep: { token: { secret: "hush" } },
      list: { secret: ["hush"] },
      plain: 1,
      echo: "hush",
    });
    assert.ok(!JSON.stringify(toShown(inputs)).includes("hush"));
    assert.ok(isSameValue(secret("hush"), "hush"));
  });

  it("finds an unknown value anywhere in a tree", () => {
    assert.ok(containsUnknown({ a: [{ b: UNKNOWN }] }));
    assert.ok(!containsUnknown({ a: [{ b: `${UNKNOWN} and more` }] }));
  });

  it("refuses by name what it does not have", async () => {
    const project = await makeFixtureProject("unsupported");
    const session = await openStandIn({ projectDir: project.dir, stack: "dev", env: project.env });
    try {
      for (const wanted of ["aliases", "import", "replaceOnChanges", "invoke", "no plugin"]) {
        await session.setConfig("wanted", wanted);
        const result = await session.preview();
        assert.equal(result.exitCode, 1, wanted);
        const message = messagesOf(result).find((text) => text.includes("stand-in engine"));
        assert.ok(message?.includes(wanted) && message.endsWith("use the pulumi CLI"), `${wanted}: ${message ?? "-"}`);
        assert.ok(!/\n\s+at /.test(result.stdout), `${wanted}: no stack`);
      }
    } finally {
      await session.close();
      await project.remove();
    }
  }).timeout(180_000);
});
