import { strict as assert } from "node:assert";
import { describe, it } from "mocha";
import { executeWave } from "../../providers/execute/executor";
import { undoWave } from "../../providers/execute/undo";
import { createExecution, leaseWave, takeOver, withSession, type RunSession } from "../../providers/runner/session";
import type { Host, PlanStep, Wave } from "../../sdk/model";
import { createRunFixture, RUN, type RunFixture } from "../runner/run-fixture";

const BASE = { after: [], expected: { p50Ms: 1, p95Ms: 1 } };
const HOST = "host-01";
const AWAY_MS = 3_000;
const NEVER = new AbortController().signal;

/** Does something with a session of an armed run. */
async function withRun(body: (session: RunSession, fixture: RunFixture) => Promise<void>): Promise<void> {
  const fixture = createRunFixture();
  await fixture.clock.run(async () => {
    await fixture.arm();
    await withSession(RUN, fixture.dependencies(), async (session) => {
      await takeOver(session);
      await body(session, fixture);
    });
  });
}

async function planned(session: RunSession, step: PlanStep, index = 1): Promise<Wave> {
  const wave: Wave = {
    index,
    kind: "update",
    hosts: [HOST],
    startMs: 0,
    endMs: 0,
    endP95Ms: 0,
    moves: [],
    steps: [step],
    overCapacityShare: 0,
    capacityCpuMillis: 0,
    demandCpuMillis: 0,
  };
  await leaseWave(session, wave);
  await session.journal.write({ kind: "wave-planned", wave, note: "" });
  return wave;
}

async function execute(session: RunSession, step: PlanStep, index: number): Promise<void> {
  const wave = await planned(session, step, index);
  assert.deepEqual(await executeWave(createExecution(session), wave), { kind: "done" });
}

/** The host as it is once everybody who was away is back. */
async function observe({ fleet, clock }: RunFixture, host: string): Promise<Host> {
  await clock.sleep(AWAY_MS);
  return fleet.platform.hosts.observe(host, NEVER);
}

describe("execute: steps that are begun again, and hosts that are away", () => {
  it("has its effect again when a step is begun again after it was undone", () =>
    withRun(async (session, fixture) => {
      const wave = await planned(session, { ...BASE, id: "w1/cordon", kind: "cordon", host: HOST });
      await executeWave(createExecution(session), wave);
      await undoWave(createExecution(session), wave);
      assert.equal((await observe(fixture, HOST)).cordoned, undefined);
      assert.deepEqual(await executeWave(createExecution(session), wave), { kind: "done" });
      assert.equal((await observe(fixture, HOST)).cordoned?.owner, RUN);
      assert.equal(session.journal.step("w1/cordon")?.key, `${RUN}/w1/cordon/2`);
    }));

  it("does not take a host without an answer for one without a mark", () =>
    withRun(async (session, fixture) => {
      await execute(session, { ...BASE, id: "w1/cordon", kind: "cordon", host: HOST }, 1);
      fixture.fleet.killAgent(HOST, AWAY_MS);
      await execute(session, { ...BASE, id: "w2/uncordon", kind: "uncordon", host: HOST }, 2);
      assert.equal((await observe(fixture, HOST)).cordoned, undefined);
    }));

  it("does not take the answer of a host that was away for a restart", () =>
    withRun(async (session, fixture) => {
      const { bootId } = await observe(fixture, "host-06");
      fixture.fleet.killAgent("host-06", AWAY_MS);
      await execute(session, { ...BASE, id: "w1/reboot", kind: "reboot", host: "host-06" }, 1);
      // Against any other boot before, the host would count as restarted as soon as it answers.
      assert.deepEqual(session.journal.step("w1/reboot")?.prior, { bootId });
      assert.notEqual((await observe(fixture, "host-06")).bootId, bootId);
    }));

  it("gives a reserved host back although it does not answer at first", () =>
    withRun(async (session, fixture) => {
      const standby = (await fixture.fleet.platform.hosts.list(NEVER)).find(({ role }) => role === "standby")?.id ?? "";
      await execute(session, { ...BASE, id: "w1/reserve", kind: "reserve", hosts: [standby] }, 1);
      assert.equal((await observe(fixture, standby)).state, "ready");
      fixture.fleet.killAgent(standby, AWAY_MS);
      await execute(session, { ...BASE, id: "w2/release", kind: "release", hosts: [standby] }, 2);
      assert.equal((await observe(fixture, standby)).state, "stopped");
    }));
});
