import { strict as assert } from "node:assert";
import { assertEachKindMet, chaosSuite, inEachStep } from "./chaos-scenario";

const KILL_AGENT_AFTER: readonly string[] = ["workloads.quiesce"];

chaosSuite("chaos: an agent that is killed", {
  title: "goes on after a SIGKILL in the middle of each kind of step, and once more while requests are parked",
  incidents: inEachStep("agent-killed"),
  killAgentAfter: KILL_AGENT_AFTER,
  // A source whose agent is away becomes active again only when somebody has started that agent.
  extraPauseMs: 2_000,
  judge: (outcome) => {
    assertEachKindMet(outcome);
    assert.deepEqual(outcome.agentDeaths, KILL_AGENT_AFTER);
  },
});
