import { strict as assert } from "node:assert";
import { describe, it } from "mocha";
import { orderUndo } from "../../providers/execute/undo";
import type { PlanStep, StepRecord } from "../../sdk/model";

const BASE = { after: [], expected: { p50Ms: 1, p95Ms: 1 } };
const MOVE = { ...BASE, move: "m", workload: "web" };

function recordOf(step: PlanStep): StepRecord {
  return { step, key: step.id, prior: {}, status: "done", intentAt: 0 };
}

function onHost(kind: "cordon" | "uncordon" | "snapshot" | "update" | "reboot" | "validate", host: string): StepRecord {
  return recordOf({ ...BASE, id: `${host}/${kind}`, kind, host });
}

function stopOn(host: string): StepRecord {
  return recordOf({ ...MOVE, id: `${host}/stop`, kind: "stop-copy", replica: `web-${host}`, host });
}

function idsOf(records: readonly StepRecord[]): readonly string[] {
  return orderUndo(records).map(({ step }) => step.id);
}

describe("execute: the order of undoing", () => {
  it("is the reverse, but a host takes work again before its copies come back", () => {
    const reserve = recordOf({ ...BASE, id: "reserve", kind: "reserve", hosts: ["s"] });
    const records = [reserve, onHost("cordon", "a"), stopOn("a"), onHost("snapshot", "a"), onHost("update", "a")];
    assert.deepEqual(idsOf(records), ["a/update", "a/snapshot", "a/cordon", "a/stop", "reserve"]);
  });

  it("isolates a host again before its update is undone", () => {
    const soak = recordOf({ ...BASE, id: "soak", kind: "soak", hosts: ["a"], durationMs: 1 });
    const back = recordOf({ ...MOVE, id: "a/start", kind: "start-copy", replica: "web-new", host: "a" });
    const records = [
      onHost("cordon", "a"),
      stopOn("a"),
      onHost("update", "a"),
      onHost("validate", "a"),
      onHost("uncordon", "a"),
      back,
      soak,
    ];
    assert.deepEqual(idsOf(records), ["soak", "a/start", "a/uncordon", "a/validate", "a/update", "a/cordon", "a/stop"]);
  });

  it("lets a host whose update never began take work again first of all", () => {
    assert.deepEqual(idsOf([onHost("cordon", "a"), stopOn("a")]), ["a/cordon", "a/stop"]);
  });

  it("treats hosts of one wave each by itself", () => {
    const records = [
      onHost("cordon", "a"),
      onHost("cordon", "b"),
      stopOn("a"),
      stopOn("b"),
      onHost("update", "b"),
      onHost("update", "a"),
    ];
    const ids = idsOf(records);
    assert.ok(ids.indexOf("a/cordon") > ids.indexOf("a/update") && ids.indexOf("a/cordon") < ids.indexOf("a/stop"));
    assert.ok(ids.indexOf("b/cordon") > ids.indexOf("b/update") && ids.indexOf("b/cordon") < ids.indexOf("b/stop"));
    assert.deepEqual([...ids].sort(), records.map(({ step }) => step.id).sort());
  });
});
