/**
 * What the project relies on when the real `pulumi` CLI or the stand-in drives the SDK's program and the dynamic
 * provider: the life of resources. One suite for both engines; see README.md for adding a scenario.
 */
import assert from "node:assert/strict";
import { UNKNOWN } from "./engine-session";
import { engineSuite, scenario, stepsOf } from "./scenario";

engineSuite("engine", () => {
  scenario(
    "shows, makes, leaves, changes and destroys a thing",
    { program: "single", config: { size: "1", greeting: "hi" } },
    async (stack) => {
      const preview = await stack.preview();
      assert.deepEqual(stepsOf(preview), ["create one"]);
      assert.equal(preview.outputs["plan"], "plan of size 1", "what check adds is known in a preview");
      assert.equal(preview.outputs["serial"], UNKNOWN, "what only create knows is not");
      assert.deepEqual(await stack.stackExport(), [], "a preview keeps nothing");

      assert.deepEqual(stepsOf(await stack.up()), ["create one"]);
      assert.deepEqual(await stack.outputs(), { size: 1, plan: "plan of size 1", serial: "serial-of-thing-1" });
      assert.deepEqual(stepsOf(await stack.up()), ["same one"]);

      await stack.setConfig("size", "2");
      assert.deepEqual(stepsOf(await stack.preview()), ["update one"]);
      assert.deepEqual(stepsOf(await stack.up()), ["update one"]);
      assert.deepEqual(stepsOf(await stack.destroy()), ["delete one"]);
      assert.deepEqual(await stack.stackExport(), []);
    },
  );

  scenario(
    "replaces a thing, making the new one first or deleting the old one first",
    { program: "single", config: { size: "1", zone: "a" } },
    async (stack) => {
      await stack.up();
      await stack.setConfig("zone", "b");
      assert.deepEqual(stepsOf(await stack.preview()), [
        "create-replacement one",
        "replace one",
        "delete-replaced one",
      ]);
      await stack.up();
      await stack.setConfig("zone", "c");
      await stack.setConfig("note", "delete first");
      await stack.up();
      assert.equal((await stack.outputs())["serial"], "serial-of-thing-3");
    },
  );

  scenario(
    "sees by a refresh what changed or went away behind its back",
    { program: "single", config: { size: "1" } },
    async (stack) => {
      await stack.up();
      assert.deepEqual(stepsOf(await stack.refresh()), ["same one"]);
      await stack.project.changeWorld("thing-1", { size: 5 });
      assert.deepEqual(stepsOf(await stack.refresh()), ["update one"]);
      assert.deepEqual(stepsOf(await stack.up()), ["update one"], "drift is put right");
      await stack.project.changeWorld("thing-1", undefined);
      assert.deepEqual(stepsOf(await stack.refresh()), ["delete one"]);
      assert.deepEqual(stepsOf(await stack.up()), ["create one"]);
    },
  );

  scenario(
    "keeps secrets secret under the same name",
    { program: "single", config: { size: "1", secretOutputs: "serial" } },
    async (stack) => {
      await stack.setConfig("token", "hush", { secret: true });
      const result = await stack.up();
      assert.ok(!result.stdout.includes("hush"));
      const [, thing] = await stack.stackExport();
      assert.deepEqual(thing?.inputs["token"], { secret: "hush" });
      assert.deepEqual(thing.outputs["token"], { secret: "hush" });
      assert.deepEqual(thing.outputs["serial"], { secret: "serial-of-thing-1" }, "additionalSecretOutputs");
      await stack.setConfig("token", "hush hush", { secret: true });
      assert.deepEqual(stepsOf(await stack.up()), ["update one"]);
    },
  );

  scenario(
    "runs a component whose second thing waits for the first",
    { program: "shelf", config: { size: "1" } },
    async (stack) => {
      const preview = await stack.preview();
      assert.equal(preview.inputsOf("shelf-second")?.["after"], UNKNOWN, "an interpolation with an unknown is unknown");
      assert.equal(preview.inputsOf("shelf-second")?.["plan"], UNKNOWN);
      assert.match(String(preview.inputsOf("shelf-first")?.["urnHint"]), /fixture:index:Shelf\$.*::shelf-first$/);
      assert.match(preview.stdout, /what would be done:\n\s+1\. plan of size 1/);

      const up = await stack.up();
      const own = up.diagnostics.filter(({ urn }) => urn?.endsWith("::shelf-first"));
      assert.deepEqual(
        own.map(({ message, ephemeral }) => ({ message, ephemeral })),
        [
          { message: "half of it is there", ephemeral: true },
          { message: "it took\n  two lines to say this", ephemeral: false },
        ],
      );
      assert.match(up.stdout, /shelf-first creating.*half of it is there/);
      const again = await stack.up();
      assert.ok(
        again.steps.every(({ op }) => op === "same"),
        "the hidden input is never a difference",
      );
      await stack.setConfig("things", "1");
      assert.ok(stepsOf(await stack.up()).includes("delete shelf-second"));
      await stack.destroy();
    },
  );

  scenario(
    "respects protect, retainOnDelete and ignoreChanges",
    { program: "single", config: { size: "1", protect: "true", ignoreChanges: "size" } },
    async (stack) => {
      await stack.up();
      await stack.setConfig("size", "2");
      assert.deepEqual(stepsOf(await stack.up()), ["same one"]);
      assert.equal((await stack.destroy()).exitCode, 1);
      await stack.setConfig("protect", "false");
      await stack.setConfig("retain", "true");
      await stack.up();
      await stack.setConfig("absent", "true");
      assert.deepEqual(stepsOf(await stack.up()), ["delete one"]);
    },
  );
});
