import { strict as assert } from "node:assert";
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, beforeEach, describe, it } from "mocha";
import { createControlServer, type ControlServer } from "../../providers/agent/control-server";
import { issueCertificate } from "../../providers/drivers/certificates";
import type { HandOverToken, StateReference } from "../../providers/drivers/contracts";
import type { OwnerAnswer } from "../../providers/drivers/traffic/switch/service-record";
import { systemClock } from "../../providers/clock";
import type { Json } from "../../sdk/model";
import { createTestFleet, eventually, PROCESS_TEST_MS, removeTestFleet, request, TestAgent } from "./agent-fixture";

describe("agent: hand-over", function () {
  this.timeout(PROCESS_TEST_MS);
  let fleet: string;
  let source: TestAgent;
  let target: TestAgent;
  let trafficSwitch: ControlServer;
  /** What the switch answers; undefined: it has an error. */
  let answer: OwnerAnswer | undefined;
  let questions = 0;
  /** Answers are on their way until then. */
  let held: Promise<unknown> = Promise.resolve();
  let round = 0;

  before(async () => {
    fleet = await createTestFleet();
    const tls = await issueCertificate(join(fleet, "tls"), {
      name: "switch",
      role: "switch",
      addresses: ["127.0.0.1"],
    });
    trafficSwitch = createControlServer({
      subject: "switch",
      tls,
      host: "127.0.0.1",
      port: 0,
      stateFile: join(fleet, "switch.log"),
      reads: {
        owner: {
          roles: ["agent"],
          answer: () => {
            questions += 1;
            if (!answer) return Promise.reject(new Error("out of order"));
            const given = { ...answer } as Json;
            return held.then(() => given);
          },
        },
      },
      mutations: {},
    });
    const url = await trafficSwitch.listen();
    source = await TestAgent.start(fleet, "host-01", url);
    target = await TestAgent.start(fleet, "host-02", url);
  });
  after(async () => {
    await trafficSwitch.close();
    await removeTestFleet(fleet);
  });
  beforeEach(() => {
    round += 1;
    questions = 0;
    answer = { owner: from(), state: "steady" };
  });

  const from = (): string => `ledger-${String(round)}-a`;
  const to = (): string => `ledger-${String(round)}-b`;
  const tokenFor = (forMs: number): HandOverToken => ({
    token: `token-${String(round)}`,
    service: "ledger",
    deadline: Date.now() + forMs,
  });

  /** An active copy with one write, quiesced and snapshotted; a standby copy that holds the state. */
  async function prepare(forMs: number): Promise<{ token: HandOverToken; state: StateReference }> {
    const copy = await source.startCopy(from());
    assert.equal(await request(copy, "POST", "/write", "hello"), 201);
    await target.startCopy(to(), { standby: true });
    const token = tokenFor(forMs);
    answer = { owner: from(), token: token.token, state: "parked" };
    await source.mutate("quiesce", { replica: from(), token });
    assert.equal(await request(copy, "POST", "/write", "too late"), 503);
    const state = await source.mutate<StateReference>("snapshot", { replica: from() });
    const origin = { name: "host-01", url: source.client.url };
    const restored = await target.mutate("restore", { replica: to(), source: origin, state, token });
    assert.deepEqual(restored, { sha256: state.sha256 });
    return { token, state };
  }

  async function end(): Promise<void> {
    await source.mutate("stop", { replica: from(), graceMs: 500 });
    await target.mutate("stop", { replica: to(), graceMs: 500 });
  }

  it("streams the state from agent to agent, and the hash is that of its bytes", async () => {
    const { state } = await prepare(30_000);
    assert.equal(state.sha256, createHash("sha256").update("hello").digest("hex"));
    assert.equal(state.bytes, 5);
    assert.equal(await readFile(join(target.directory, "data", to(), "state.txt"), "utf8"), "hello");
    assert.equal((await source.replica(from()))?.state, "quiesced");
    assert.equal((await target.replica(to()))?.state, "standby");
    await target.mutate("activate", { replica: to() });
    assert.equal((await target.replica(to()))?.state, "healthy");
    await end();
  });

  it("activates the source again when the switch gave the hand-over up, and discards the target", async () => {
    const { token } = await prepare(1500);
    answer = { owner: from(), token: token.token, state: "reverted" };
    const copy = await source.reaches(from(), "healthy");
    assert.ok(Date.now() >= token.deadline, "not before the deadline");
    assert.equal(await request(copy, "POST", "/write", " again"), 201);
    await eventually("the standby copy is gone", async () => (await target.replica(to())) === undefined);
    await assert.rejects(readFile(join(target.directory, "data", to(), "state.txt")), /ENOENT/);
    await end();
  });

  it("keeps waiting while the switch still accepts the cut-over, whatever the agent's clock says", async () => {
    const { token } = await prepare(300);
    await eventually("both agents asked", () => Promise.resolve(questions >= 4));
    assert.equal((await source.replica(from()))?.state, "quiesced");
    assert.equal((await target.replica(to()))?.state, "standby");
    answer = { owner: from(), token: token.token, state: "reverted" };
    await source.reaches(from(), "healthy");
    await end();
  });

  it("activates the target by itself after a cut-over, and stops the source, its state kept", async () => {
    const { token } = await prepare(1000);
    answer = { owner: to(), token: token.token, state: "cut-over" };
    await target.reaches(to(), "healthy");
    await eventually("the old copy is gone", async () => (await source.replica(from())) === undefined);
    assert.equal(await readFile(join(source.directory, "data", from(), "state.txt"), "utf8"), "hello");
    await end();
  });

  it("stays quiesced while the switch cannot be asked: a longer pause is better than two writers", async () => {
    const { token } = await prepare(300);
    answer = undefined;
    await eventually("the agents asked in vain", () => Promise.resolve(questions >= 5));
    assert.equal((await source.replica(from()))?.state, "quiesced");
    answer = { owner: from(), token: token.token, state: "reverted" };
    await source.reaches(from(), "healthy");
    await end();
  });

  it("does so over a SIGKILL of both agents", async () => {
    const { token } = await prepare(2500);
    answer = { owner: to(), token: token.token, state: "cut-over" };
    await Promise.all([source.kill(), target.kill()]);
    await systemClock.sleep(Math.max(0, token.deadline - Date.now()));
    await Promise.all([source.launch(), target.launch()]);
    await target.reaches(to(), "healthy");
    await eventually("the old copy is gone", async () => (await source.replica(from())) === undefined);
    await end();
  });

  it("does nothing at the deadline of a hand-over that its runner has ended", async () => {
    const { token } = await prepare(1200);
    await source.mutate("activate", { replica: from() });
    await target.mutate("stop", { replica: to(), graceMs: 500 });
    questions = 0;
    await systemClock.sleep(token.deadline - Date.now() + 500);
    assert.equal(questions, 0);
    assert.equal((await source.replica(from()))?.state, "healthy");
    await end();
  });

  it("leaves a copy alone that was started under the same id while the switch was asked", async () => {
    const { token } = await prepare(1500);
    answer = { owner: from(), token: token.token, state: "reverted" };
    const release = Promise.withResolvers<undefined>();
    held = release.promise;
    await eventually("both agents asked", () => Promise.resolve(questions >= 2));
    await source.mutate("activate", { replica: from() });
    await target.mutate("stop", { replica: to(), graceMs: 500 });
    await target.startCopy(to(), { standby: true });
    release.resolve(undefined);
    held = Promise.resolve();
    // Whatever follows from the answers has been done once other changes of the same copies are.
    await target.mutate("activate", { replica: to() });
    assert.equal((await target.replica(to()))?.state, "healthy");
    assert.equal((await source.replica(from()))?.state, "healthy");
    await end();
  });

  it("refuses what would take a wrong state, and tokens that are over", async () => {
    await source.startCopy(from());
    await target.startCopy(to(), { standby: true });
    await assert.rejects(
      source.mutate("snapshot", { replica: from() }),
      /is active; only the state of a quiesced copy/,
    );
    await assert.rejects(source.mutate("quiesce", { replica: from(), token: tokenFor(-1) }), /hand-over .* is over/);
    await assert.rejects(target.mutate("quiesce", { replica: to(), token: tokenFor(5000) }), /is a standby copy/);
    const state: StateReference = { id: "none", sha256: "0".repeat(64), bytes: 0 };
    const origin = { name: "host-01", url: source.client.url };
    const restore = (replica: string) =>
      source.mutate("restore", { replica, source: origin, state, token: tokenFor(5000) });
    await assert.rejects(restore(from()), /restored into a standby copy only/);
    assert.equal((await source.replica(from()))?.state, "healthy");
    await end();
  });

  it("notices a state that was damaged on its way", async () => {
    await source.startCopy(from());
    await target.startCopy(to(), { standby: true });
    const token = tokenFor(30_000);
    await source.mutate("quiesce", { replica: from(), token });
    const state = await source.mutate<StateReference>("snapshot", { replica: from() });
    const origin = { name: "host-01", url: source.client.url };
    const damaged = { ...state, sha256: "0".repeat(64) };
    await assert.rejects(
      target.mutate("restore", { replica: to(), source: origin, state: damaged, token }),
      /not 0{64}; the snapshot was damaged/,
    );
    assert.equal((await target.replica(to()))?.state, "standby");
    await end();
  });
});
