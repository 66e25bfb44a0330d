import { strict as assert } from "node:assert";
import { describe, it } from "mocha";
import { availableReplicas, BudgetGate, requiredCopies } from "../../providers/execute/budget-gate";
import type { StepContext } from "../../providers/execute/step";
import type { VirtualClock } from "../../providers/testing";
import { createVirtualClock, sampleWorkloads } from "../../providers/testing";
import { InterruptedError } from "../../sdk/model";
import type { Backend, Replica, Service, Workload } from "../../sdk/model";

/** A service with copies, as the drivers would list it. */
class FakeService {
  readonly replicas: Replica[] = [];
  readonly backends: Backend[] = [];

  constructor(
    readonly workload: Workload,
    copies: number,
  ) {
    for (let index = 0; index < copies; index++) this.add(`copy-${String(index)}`);
  }

  add(id: string): void {
    this.replicas.push({ id, workload: this.workload.name, host: `host-${id}`, state: "healthy", address: id });
    this.backends.push({ replica: id, address: id, weight: 1, inFlight: 0, healthy: true });
  }

  drain(id: string): void {
    const index = this.backends.findIndex((backend) => backend.replica === id);
    const backend = this.backends[index];
    assert.ok(backend);
    this.backends[index] = { ...backend, weight: 0 };
  }

  services(): readonly Service[] {
    return [{ name: this.workload.service ?? "", exclusive: false, backends: [...this.backends] }];
  }

  /** The parts of a step's context that the gate uses. */
  context(clock: VirtualClock): StepContext {
    const parts = {
      clock,
      platform: {
        workloads: { list: () => Promise.resolve([...this.replicas]) },
        traffic: { observe: () => Promise.resolve(this.services()) },
      },
      read: <T>(call: (signal: AbortSignal) => Promise<T>) => call(new AbortController().signal),
      wait: (ms: number) => clock.sleep(ms),
      throwIfStopped: () => Promise.resolve(),
    };
    return parts as unknown as StepContext;
  }
}

function createFront(copies: number, maxUnavailable: number): FakeService {
  const front = sampleWorkloads().find((workload) => workload.name === "front");
  assert.ok(front);
  return new FakeService({ ...front, copies, maxUnavailable }, copies);
}

describe("execute: the budget gate", () => {
  it("counts copies that are healthy and have traffic, and no others", () => {
    const front = createFront(4, 1);
    front.drain("copy-1");
    front.replicas.splice(2, 1);
    assert.deepEqual(availableReplicas(front.workload, { replicas: front.replicas, services: front.services() }), [
      "copy-0",
      "copy-3",
    ]);
    assert.equal(requiredCopies(front.workload), 3);
  });

  it("lets two steps at once spend the last allowed copy only once", async () => {
    const clock = createVirtualClock(0);
    const front = createFront(4, 1);
    const gate = new BudgetGate();
    const drained: string[] = [];
    const drain = (id: string): Promise<void> =>
      gate.pass(front.context(clock), front.workload, [id], 5000, async () => {
        await clock.sleep(100);
        front.drain(id);
        drained.push(id);
      });
    const outcomes = await clock.run(() => Promise.allSettled([drain("copy-0"), drain("copy-1"), drain("copy-2")]));
    assert.deepEqual(drained, ["copy-0"]);
    assert.deepEqual(
      outcomes.map(({ status }) => status),
      ["fulfilled", "rejected", "rejected"],
    );
  });

  it("waits until a copy that died by itself is replaced", async () => {
    const clock = createVirtualClock(0);
    const front = createFront(4, 1);
    front.replicas.splice(3, 1);
    clock.after(10_000, () => {
      front.add("copy-9");
    });
    await clock.run(() =>
      new BudgetGate().pass(front.context(clock), front.workload, ["copy-0"], 60_000, () => Promise.resolve()),
    );
    assert.ok(clock.now() >= 10_000);
  });

  it("keeps the budget of the moment where it is stricter than that of the wave, and lets go when its time is over", async () => {
    const clock = createVirtualClock(0);
    const front = createFront(4, 1);
    const gate = new BudgetGate((workload) => (clock.now() < 10_000 ? { ...workload, maxUnavailable: 0 } : workload));
    await clock.run(() => gate.pass(front.context(clock), front.workload, ["copy-0"], 60_000, () => Promise.resolve()));
    assert.ok(clock.now() >= 10_000);
  });

  it("never lets go more than the budget of the wave, whatever the moment allows", async () => {
    const clock = createVirtualClock(0);
    const front = createFront(4, 1);
    const gate = new BudgetGate((workload) => ({ ...workload, maxUnavailable: 4 }));
    const both = ["copy-0", "copy-1"];
    await assert.rejects(
      clock.run(() => gate.pass(front.context(clock), front.workload, both, 3000, () => Promise.resolve())),
      /2 of 4 copies would serve, at least 3 must/,
    );
  });

  it("says which copies would be too few, and what to do", async () => {
    const clock = createVirtualClock(0);
    const front = createFront(2, 0);
    await assert.rejects(
      clock.run(() =>
        new BudgetGate().pass(front.context(clock), front.workload, ["copy-0"], 3000, () => Promise.resolve()),
      ),
      /front: the budget does not let copy-0 go: 1 of 2 copies would serve, at least 2 must; .*maxUnavailable/,
    );
    assert.ok(clock.now() <= 3000);
  });

  it("is open again after an effect that has failed", async () => {
    const clock = createVirtualClock(0);
    const front = createFront(4, 1);
    const gate = new BudgetGate();
    const context = front.context(clock);
    await assert.rejects(gate.pass(context, front.workload, ["copy-0"], 0, () => Promise.reject(new Error("no"))));
    await gate.pass(context, front.workload, ["copy-0"], 0, () => Promise.resolve());
  });

  it("is left by a step that waits when the run is told to stop, without its effect", async () => {
    const clock = createVirtualClock(0);
    const front = createFront(4, 0);
    let isStopped = false;
    const context: StepContext = {
      ...front.context(clock),
      throwIfStopped: () => (isStopped ? Promise.reject(new InterruptedError("kill switch")) : Promise.resolve()),
    };
    void clock.sleep(10_000).then(() => {
      isStopped = true;
    });
    const passed = clock.run(() =>
      new BudgetGate().pass(context, front.workload, ["copy-0"], clock.now() + 600_000, () =>
        Promise.reject(new Error("the effect was made")),
      ),
    );
    await assert.rejects(passed, { kind: "InterruptedError" });
    assert.equal(clock.now(), 10_000);
  });
});
