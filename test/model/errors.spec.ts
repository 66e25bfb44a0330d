import assert from "node:assert/strict";
import {
  ArchipelagoError,
  DriverError,
  isKind,
  LeaseHeldError,
  LeaseLostError,
  messageOf,
  MistakeError,
  renderFailure,
  renderMistake,
  RunFailedError,
  StoreError,
  type RunFailure,
} from "../../sdk/model";

const FAILURE: RunFailure = {
  subject: "host-03",
  step: "update",
  reason: "exit code 3",
  output: "line 1\nline 2\n",
  undone: ["host-03: update"],
  notUndone: ["pool: release"],
  remedy: "free space on host-03 and raise attempt",
};

describe("errors", () => {
  it("say subject, value, rule and remedy", () => {
    assert.equal(
      MistakeError.of("soakTime", "30 seconds", "must be at least 60 s", "raise it").message,
      'soakTime ("30 seconds") must be at least 60 s; raise it',
    );
    assert.equal(new ArchipelagoError("it broke", { remedy: "mend it" }).message, "it broke; mend it");
    assert.equal(new ArchipelagoError("it broke").message, "it broke");
  });

  it("report all mistakes at once, in their order", () => {
    const mistakes = ["a", "b"].map((field) => ({ field, value: 1, rule: "must be 2", remedy: "write 2" }));
    assert.equal(
      new MistakeError('HostUpdate "kernel"', mistakes).message,
      'HostUpdate "kernel": 2 mistakes in the arguments\n  - a (1) must be 2; write 2\n  - b (1) must be 2; write 2',
    );
    assert.match(new MistakeError("x", mistakes.slice(1)).message, /: 1 mistake in/);
  });

  it("show values as written, long ones cut and missing ones named", () => {
    const show = (value: unknown): string => renderMistake({ field: "f", value, rule: "r", remedy: "m" });
    assert.equal(show(undefined), "f (missing) r; m");
    assert.equal(show(["a"]), 'f (["a"]) r; m');
    assert.equal(show(null), "f (null) r; m");
    assert.match(show("x".repeat(200)), /^f \("x{76}\.\.\.\) r; m$/);
  });

  it("show a value that JSON cannot hold", () => {
    const loop: Record<string, unknown> = {};
    loop["self"] = loop;
    for (const value of [() => 1, Symbol("s"), 1n, loop]) {
      assert.match(renderMistake({ field: "f", value, rule: "r", remedy: "m" }), /^f \(.+\) r; m$/s);
    }
  });

  it("carry their class as data, so that they are recognised across copies of the package", () => {
    const errors = [
      new MistakeError("x", []),
      new DriverError("failed", "host-01", "no"),
      new LeaseLostError("host-01", "no"),
      new LeaseHeldError("host-01", "other", 0),
      new StoreError("full", "no"),
      new RunFailedError(FAILURE),
    ];
    for (const error of errors) {
      assert.equal(error.kind, error.constructor.name);
      assert.equal(error.name, error.constructor.name);
      assert.ok(isKind(error, error.kind) && isKind({ kind: error.kind }, error.kind));
      assert.ok(error instanceof ArchipelagoError);
    }
    assert.ok(!isKind(undefined, "StoreError") && !isKind("StoreError", "StoreError") && !isKind(null, "StoreError"));
  });

  it("keep their cause", () => {
    const cause = new Error("below");
    assert.equal(new StoreError("full", "no", { cause }).cause, cause);
    assert.equal(new LeaseLostError("r", "no", cause).cause, cause);
    assert.ok(!("cause" in new StoreError("full", "no")));
  });

  it("tell a run's failure with its output, what was undone and what was not", () => {
    assert.equal(
      renderFailure(FAILURE),
      [
        "host-03: step update failed: exit code 3",
        "  output:",
        "    line 1",
        "    line 2",
        "  undone: host-03: update",
        "  NOT undone: pool: release",
      ].join("\n"),
    );
    const { output: _, ...short } = FAILURE;
    assert.equal(renderFailure({ ...short, undone: [], notUndone: [] }), "host-03: step update failed: exit code 3");
  });

  it("read the message of anything thrown", () => {
    assert.equal(messageOf(new Error("a")), "a");
    assert.equal(messageOf("b"), "b");
    assert.equal(messageOf(undefined), "undefined");
  });
});
