import { strict as assert } from "node:assert";
import { describe, it } from "mocha";
import { eventsOf } from "../../providers/testing";
import { carryOutScenario } from "./carry-out";
import { playScenario } from "./play";
import type { Scenario } from "./scenario";
import { judge } from "./verdict";

/** Everything that a scenario below does not say. */
const PLAIN: Scenario = {
  seed: 1,
  hosts: 3,
  zones: 3,
  standby: 1,
  hostsAtOnce: 1,
  canaryHosts: 1,
  reboot: false,
  undo: "works",
  failback: "if-better",
  demand: 0.5,
  updateMs: 1000,
  bootMs: 1000,
  requestsPerSecond: 40,
  notNow: 0,
  troubles: {},
  incidents: [],
};

async function assertKeeps(scenario: Partial<Scenario>): Promise<void> {
  assert.deepEqual((await playScenario({ ...PLAIN, ...scenario })).faults, []);
}

describe("faults: scenarios that broke a promise once", () => {
  it("still names a host that could not be brought back when giving back fails as well", async () => {
    await assertKeeps({
      hosts: 5,
      undo: "fails",
      troubles: { "host-03": "lies" },
      incidents: [{ kind: "hosts-die", afterMs: 43_000, hosts: ["host-01", "host-04"], backAfterMs: 8000 }],
    });
  });

  it("names the copy that is left standing by where the host of the old one died in a hand-over", async () => {
    await assertKeeps({
      seed: 200665,
      hosts: 4,
      hostsAtOnce: 2,
      failback: "origin",
      demand: 0.6065272120758891,
      updateMs: 2199,
      bootMs: 3267,
      requestsPerSecond: 56,
      incidents: [
        { kind: "crash", afterMs: 21_050, backAfterMs: 16_336 },
        { kind: "hosts-die", afterMs: 37_846, hosts: ["host-02"] },
      ],
    });
  });

  it("names the old copy that stays quiesced where the host of the new one died after the cut-over", async () => {
    await assertKeeps({
      reboot: true,
      incidents: [
        { kind: "hosts-die", afterMs: 29_000, hosts: ["host-01"] },
        { kind: "crash-sending", call: "traffic.unpark", nth: 1, arrivesAfterMs: 3000, backAfterMs: 17_000 },
      ],
    });
  });

  it("takes a release that was repeated under its key after a half-done one for the same effect", async () => {
    const effect = { kind: "partial" } as const;
    await assertKeeps({ incidents: [{ kind: "call", fault: { call: "capacity.release", nth: 1, times: 1, effect } }] });
  });

  it("leaves no backend of the copy that goes when bringing a single writer back is cut short and resumed", async () => {
    await assertKeeps({
      seed: 3742,
      zones: 1,
      hostsAtOnce: 2,
      demand: 0.5061838508583606,
      updateMs: 3877,
      bootMs: 683,
      requestsPerSecond: 51,
      notNow: 3,
      troubles: { "host-02": "hangs" },
      incidents: [
        {
          kind: "call",
          fault: {
            call: "hosts.uncordon",
            nth: 1,
            times: 2,
            effect: { kind: "agent-dies", backAfterMs: 6081, isDone: true },
          },
        },
        { kind: "crash-sending", call: "workloads.activate", nth: 2, arrivesAfterMs: 10_743, backAfterMs: 4973 },
      ],
    });
  });

  it("breaks no request off when the undo stops a copy whose traffic could not be taken away", async () => {
    await assertKeeps({
      seed: 93,
      hosts: 5,
      zones: 2,
      reboot: true,
      demand: 0.7831056765280664,
      updateMs: 2763,
      bootMs: 3865,
      requestsPerSecond: 60,
      incidents: [
        { kind: "call", fault: { call: "traffic.setBackend", nth: 6, times: 2, effect: { kind: "refuse" } } },
      ],
    });
  });

  it("finds no cordon without its reserve where the reserve is undone in the millisecond of the failed cordon", async () => {
    await assertKeeps({
      seed: 143,
      zones: 1,
      standby: 2,
      reboot: true,
      undo: "none",
      failback: "origin",
      demand: 0.5179654297418893,
      updateMs: 2447,
      bootMs: 2830,
      requestsPerSecond: 35,
      incidents: [{ kind: "hosts-die", afterMs: 510, hosts: ["host-03"] }],
    });
  });

  it("lets a drained copy serve again at once where the host of the only other one died right after the look", async () => {
    const scenario: Scenario = {
      ...PLAIN,
      seed: 5397,
      hosts: 4,
      zones: 2,
      reboot: true,
      updateMs: 1589,
      bootMs: 2124,
      incidents: [{ kind: "hosts-die", afterMs: 20_048, hosts: ["host-03"] }],
    };
    const outcome = await carryOutScenario(scenario);
    assert.deepEqual(judge(outcome), []);
    const failed = eventsOf(outcome.fixture.fleet.events, "requests-failed").filter(
      ({ service }) => service === "pricing",
    );
    const count = failed.reduce((sum, event) => sum + event.count, 0);
    assert.ok(count > 0 && count < 10, `${String(count)} requests failed`);
  });
});
