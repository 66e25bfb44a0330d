/**
 * What the project relies on at both engines when something fails: half-done creations, refusals, mistakes of the
 * program, interrupts.
 */
import assert from "node:assert/strict";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { engineSuite, messagesOf, scenario, stepsOf } from "./scenario";

engineSuite("engine, failures", () => {
  scenario(
    "keeps a creation that was left half done, and takes it up by an update",
    { program: "single", config: { size: "1", fault: "create-init" } },
    async (stack) => {
      const failed = await stack.up();
      assert.equal(failed.exitCode, 1);
      assert.match(messagesOf(failed).join("\n"), /stopped half way/);
      const [, thing] = await stack.stackExport();
      assert.deepEqual(thing?.initErrors, ["stopped half way"]);

      await stack.setConfig("fault", "no-diff");
      assert.deepEqual(stepsOf(await stack.preview()), ["update one"], "whatever diff says");
      assert.deepEqual(stepsOf(await stack.up()), ["update one"]);
      assert.deepEqual(stepsOf(await stack.up()), ["same one"]);
    },
  );

  scenario(
    "keeps nothing of a creation that failed",
    { program: "single", config: { size: "1", fault: "create" } },
    async (stack) => {
      const failed = await stack.up();
      assert.equal(failed.exitCode, 1);
      assert.match(messagesOf(failed).join("\n"), /the thing cannot be made/);
      assert.equal(
        (await stack.stackExport()).some(({ name }) => name === "one"),
        false,
      );
      await stack.setConfig("fault", "undefined-output");
      assert.equal((await stack.up()).exitCode, 1, "a hole in the outputs fails a finished creation");
      assert.equal(
        (await stack.stackExport()).some(({ name }) => name === "one"),
        false,
      );
    },
  );

  scenario(
    "keeps the old inputs of an update that was left half done",
    { program: "single", config: { size: "1" } },
    async (stack) => {
      await stack.up();
      await stack.setConfig("size", "2");
      await stack.setConfig("fault", "update-init");
      assert.equal((await stack.up()).exitCode, 1);
      const [, thing] = await stack.stackExport();
      assert.equal(thing?.inputs["size"], 1);
      assert.equal(thing.outputs["size"], 2);
      await stack.refresh();
      assert.equal((await stack.stackExport())[1]?.initErrors, undefined, "a refresh wipes the mark");
      await stack.setConfig("fault", "update");
      assert.equal((await stack.up()).exitCode, 1);
      await stack.setConfig("fault", "none");
      assert.deepEqual(stepsOf(await stack.up()), ["update one"]);
    },
  );

  scenario(
    "shows what check refuses and what check and diff throw, and does nothing",
    { program: "single", config: { size: "1" } },
    async (stack) => {
      await stack.up();
      await stack.setConfig("fault", "check");
      const refused = await stack.up();
      assert.equal(refused.exitCode, 1);
      assert.match(messagesOf(refused).join("\n"), /property fault value \{check\} has a problem: must not be check/);
      for (const fault of ["check", "diff"]) {
        await stack.setConfig("fault", `${fault}-error`);
        const failed = await stack.up();
        assert.equal(failed.exitCode, 1);
        assert.match(messagesOf(failed).join("\n"), new RegExp(`${fault} itself failed`));
      }
    },
  );

  scenario(
    "shows a RunError's message without a stack",
    { program: "mistakes", config: { mistake: "run-error" } },
    async (stack) => {
      const result = await stack.preview();
      assert.equal(result.exitCode, 1);
      assert.deepEqual(messagesOf(result), [
        "error: Shelf shelf: 2 mistakes in the arguments\n  - size (-1) must be positive; raise it\n  - zone (missing) must be set",
      ]);
      assert.ok(!/\n\s+at /.test(result.stdout), "no stack");
    },
  );

  scenario(
    "fails with other errors of the program, but not with log.error",
    { program: "mistakes", config: { mistake: "error" } },
    async (stack) => {
      assert.equal((await stack.preview()).exitCode, 1);
      await stack.setConfig("mistake", "exit");
      assert.equal((await stack.preview()).exitCode, 1);
      await stack.setConfig("mistake", "duplicate");
      assert.equal((await stack.preview()).exitCode, 1);
      await stack.setConfig("mistake", "log-error");
      assert.equal((await stack.preview()).exitCode, 0);
    },
  );

  scenario(
    "tells the program of an interrupt, and lets the provider finish what it began",
    { program: "interrupted", config: { fault: "slow" }, golden: false },
    async (stack) => {
      const abort = new AbortController();
      const running = stack.up({ signal: abort.signal });
      const note = (name: string): string => join(stack.project.folder, name);
      while (!existsSync(note("began"))) await sleep(20);
      abort.abort();
      while (!existsSync(note("interrupted"))) await sleep(20);
      writeFileSync(note("go"), "");
      assert.equal((await running).exitCode, 1);
      const names = (await stack.stackExport()).map(({ name }) => name);
      assert.ok(names.includes("slow"), "what was begun is in the state");
      assert.ok(!names.includes("next"), "nothing new is begun");
      assert.equal((await stack.up()).exitCode, 0);
    },
  );
});
