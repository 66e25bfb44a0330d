import { strict as assert } from "node:assert";
import { chaosSuite } from "./chaos-scenario";

/** Everything that a hand-over does to the ledger and its traffic, in order, until the new copy is active. */
const HAND_OVER_CALLS: readonly string[] = [
  "workloads.start",
  "traffic.park",
  "workloads.quiesce",
  "workloads.snapshot",
  "workloads.restore",
  "traffic.cutOver",
  "workloads.activate",
];

chaosSuite("chaos: a hand-over whose runner is killed", {
  title: "hands the ledger over although the runner dies after each call of the hand-over",
  dieAfter: HAND_OVER_CALLS,
  judge: ({ deaths }) => {
    assert.deepEqual([...deaths].sort(), [...HAND_OVER_CALLS].sort());
  },
});
