import { strict as assert } from "node:assert";
import { describe, it } from "mocha";
import { canFollow, phaseEvent } from "../../providers/runner/phases";
import { isFinalPhase } from "../../sdk/model";
import type { Phase } from "../../sdk/model";

const PHASES: readonly Phase[] = [
  "armed",
  "running",
  "paused",
  "recovering",
  "done",
  "failed",
  "cancelled",
  "skipped",
  "expired",
];

describe("runner: phases", () => {
  it("leave a final phase only to recover", () => {
    for (const from of PHASES.filter(isFinalPhase)) {
      for (const to of PHASES) if (to !== "recovering") assert.equal(canFollow(from, to), false, `${from} -> ${to}`);
    }
  });

  it("reach every other phase from armed", () => {
    const reached = new Set<Phase>(["armed"]);
    for (const from of reached) for (const to of PHASES) if (canFollow(from, to)) reached.add(to);
    assert.deepEqual([...reached].sort(), [...PHASES].sort());
  });

  it("fail a run only through recovery, so that nothing is left halfway", () => {
    assert.deepEqual(
      PHASES.filter((from) => canFollow(from, "failed")),
      ["recovering"],
    );
  });

  it("refuse what is not legal, naming both", () => {
    assert.throws(() => phaseEvent("done", "running", "again"), /a run that is done cannot become running/);
    assert.deepEqual(phaseEvent("running", "running", "still"), { kind: "phase", phase: "running", reason: "still" });
  });
});
