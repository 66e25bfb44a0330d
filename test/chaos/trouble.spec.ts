import { strict as assert } from "node:assert";
import type { StepKind } from "../../sdk/model";
import type { IncidentKind } from "./chaos-run";
import { chaosSuite } from "./chaos-scenario";

const INCIDENTS: ReadonlyMap<StepKind, IncidentKind> = new Map([
  ["start-copy", "half-open"],
  ["drain", "agent-stopped"],
  ["update", "runner-stopped"],
]);

/** The short form of `npm run test:chaos`. */
chaosSuite("chaos: processes that stop and networks that go silent", {
  title: "goes on, whoever of them wakes up afterwards",
  incidents: INCIDENTS,
  extraPauseMs: 5_000,
  judge: ({ kills }) => {
    const met = kills.filter(({ isInMiddle }) => isInMiddle).map(({ step }) => step.kind);
    assert.deepEqual(met.sort(), [...INCIDENTS.keys()].sort(), "each kind was met in its middle once");
  },
});
