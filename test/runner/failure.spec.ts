import { strict as assert } from "node:assert";
import { describe, it } from "mocha";
import { eventsOf } from "../../providers/testing";
import { assertKept, createRunFixture, describeEnd, quickFleet, quickSpec } from "./run-fixture";
import { renderFailure } from "../../sdk/model";

describe("runner: a failing host", () => {
  it("is undone on the canary: the run fails, names host, step, output and remedy, and leaves all as before", async () => {
    const fixture = createRunFixture({ fleet: quickFleet({ failingHosts: ["host-01"] }), spec: quickSpec() });
    const before = await describeEnd(fixture);
    const state = await fixture.run();
    assert.equal(state.phase, "failed");
    const { failure } = state;
    assert.ok(failure);
    assert.equal(failure.subject, "host-01");
    assert.equal(failure.step, "update");
    assert.match(failure.output ?? "", /checksum mismatch/);
    assert.match(failure.remedy, /attempt/);
    assert.deepEqual(failure.notUndone, []);
    assert.ok(
      failure.undone.some((text) => text.includes("host-01 is back on")),
      renderFailure(failure),
    );
    assertKept(fixture);
    assert.deepEqual(await describeEnd(fixture), before);
  });

  it("in a later wave is undone, and the hosts updated before stay updated", async () => {
    const fixture = createRunFixture({ fleet: quickFleet({ failingHosts: ["host-04"] }), spec: quickSpec() });
    const state = await fixture.run();
    assert.equal(state.phase, "failed");
    assert.equal(state.failure?.subject, "host-04");
    assert.deepEqual(state.failure.notUndone, []);
    assertKept(fixture);
    const versions = fixture.fleet.versions();
    assert.equal(versions["host-04"], "v1");
    assert.equal(versions["host-01"], "v2");
    const { hosts } = await fixture.clock.run(() => fixture.observe());
    assert.deepEqual(
      hosts.filter((host) => host.role === "standby").map((host) => host.state),
      ["stopped"],
    );
    assert.deepEqual(
      hosts.filter((host) => host.cordoned).map((host) => host.id),
      [],
    );
  });

  it("that does not validate is undone and restarted", async () => {
    const spec = quickSpec();
    const [island] = spec.islands;
    assert.ok(island);
    const fixture = createRunFixture({
      fleet: {
        ...quickFleet(),
        commands: {
          ...quickFleet().commands,
          "check shop": (host) =>
            host.id === "host-03" && host.version === "v2"
              ? { kind: "fail", afterMs: 0, exitCode: 1, output: "shop is not healthy\n" }
              : { kind: "print", output: "fine\n" },
        },
      },
      spec: {
        ...spec,
        islands: [{ ...island, validate: [{ kind: "command", command: "check shop", timeoutMs: 1000 }] }],
      },
    });
    const state = await fixture.run();
    assert.equal(state.phase, "failed");
    assert.equal(state.failure?.step, "validate");
    assert.equal(state.failure.subject, "host-03");
    assert.match(state.failure.output ?? "", /shop is not healthy/);
    assert.deepEqual(state.failure.notUndone, []);
    assert.equal(fixture.fleet.versions()["host-03"], "v1");
    const reboots = eventsOf(fixture.fleet.events, "effect").filter(
      (event) => event.call === "hosts.reboot" && event.subject === "host-03",
    );
    assert.equal(reboots.length, 2);
    assertKept(fixture);
  });
});
