import assert from "node:assert/strict";
import { ConnectionGate } from "../../providers/drivers/connection-gate";

const NEVER = new AbortController().signal;

/** Lets what is ready go on. */
async function settle(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

describe("gate of connections", () => {
  it("lets as many in as it has places, the others in their order, and gives a place back once", async () => {
    const gate = new ConnectionGate(2);
    const entered: number[] = [];
    const leaves: (() => void)[] = [];
    for (let count = 0; count < 5; count++) {
      void gate.enter(NEVER).then((leave) => {
        entered.push(count);
        leaves.push(leave);
      });
    }
    await settle();
    assert.deepEqual(entered, [0, 1]);
    leaves[0]?.();
    leaves[0]?.();
    await settle();
    assert.deepEqual(entered, [0, 1, 2]);
    leaves[1]?.();
    leaves[2]?.();
    await settle();
    assert.deepEqual(entered, [0, 1, 2, 3, 4]);
  });

  it("forgets who stops waiting, and takes nobody in who has stopped before", async () => {
    const gate = new ConnectionGate(1);
    const leave = await gate.enter(NEVER);
    const aborting = new AbortController();
    const gone = gate.enter(aborting.signal);
    const next = gate.enter(NEVER);
    aborting.abort(new Error("stopped"));
    await assert.rejects(gone, /stopped/);
    await assert.rejects(gate.enter(aborting.signal), /stopped/);
    leave();
    (await next)();
    (await gate.enter(NEVER))();
  });
});
