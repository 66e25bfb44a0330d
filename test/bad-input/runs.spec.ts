/**
 * What happens when a run is begun all the same, and to runs whose update or store goes wrong: nothing is changed, or
 * all is taken back, and the message says what to do.
 */
import assert from "node:assert/strict";
import * as fs from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startLocalHost } from "../../providers/drivers/local-fleet";
import { openFileStore } from "../../providers/journal/file-store";
import type { FileSystem } from "../../providers/journal/store-files";
import { LEASE_TTL_MS } from "../../providers/runner/leases";
import { carryOut, createRun, type RunDependencies } from "../../providers/runner/run";
import { plan } from "../../providers/plan/plan";
import { planningSlot } from "../../providers/plan/plan-input";
import { sampleForecast } from "../../providers/testing";
import { StoreError, type HostUpdateSpec } from "../../sdk/model";
import { assertKept, createRunFixture, describeEnd, quickFleet, quickSpec, RUN } from "../runner/run-fixture";
import { assertReadable, FAR_AWAY, openProviderFixture, type ProviderFixture } from "./provider-fixture";

/** Real processes on a machine that may be busy. */
const LIMIT_MS = 180_000;
const MINUTE_MS = 60_000;

describe("bad input: runs on real hosts", function () {
  this.timeout(LIMIT_MS);
  let fixture: ProviderFixture;

  before(async () => {
    fixture = await openProviderFixture();
  });
  after(() => fixture.close());

  const update = (changes: Partial<HostUpdateSpec["update"]>): HostUpdateSpec =>
    fixture.spec({ update: { ...fixture.spec().update, ...changes } });

  /** Versions, placements and marks: what must be as before where something was done and taken back. */
  async function hostsAndCopies(): Promise<unknown> {
    const { versions, copies, marks } = await fixture.fleet.snapshot();
    // A copy that was stopped and came back has another port.
    return { versions, marks, copies: copies.map(({ id, host, workload }) => ({ id, host, workload })) };
  }

  /** Folder of the run that was made last. */
  async function newestRun(): Promise<string> {
    const runs = join(fixture.fleet.directory, "store", "runs");
    const folders = (await fs.readdir(runs)).map((name) => join(runs, name));
    const made = await Promise.all(folders.map(async (path) => ({ path, at: (await fs.stat(path)).birthtimeMs })));
    return made.sort((a, b) => b.at - a.at)[0]?.path ?? assert.fail("there is no run");
  }

  it("a probe that matches everywhere is done at once, without a run and without a call that changes something", async () => {
    const { store: empty, ...untouched } = await fixture.fleet.snapshot();
    const { outputs } = await fixture.create(update({ expect: "*" }));
    assert.equal(outputs?.phase, "done");
    assert.equal(outputs.phaseReason, "every host matches already");
    const { store, ...after } = await fixture.fleet.snapshot();
    assert.deepEqual(after, untouched);
    // The store has one note, for updates that come after this one; there is no run in it.
    assert.notEqual(store, empty);
    const kept = await fs.readdir(join(fixture.fleet.directory, "store"), { recursive: true, withFileTypes: true });
    assert.deepEqual(
      kept.flatMap((entry) => (entry.isFile() ? [decodeURIComponent(entry.name).split("/")[0]] : [])),
      ["nothing-to-do"],
    );
  });

  it("a plan that is blocked arms the run with the reasons, or fails where that is wanted", async () => {
    const before = await hostsAndCopies();
    const mutations = await fixture.fleet.mutations();
    const spec: HostUpdateSpec = {
      ...update({ expectedMs: 10 * MINUTE_MS, timeoutMs: 15 * MINUTE_MS }),
      windows: [{ name: "window", cron: "0 2 * * *", durationMs: MINUTE_MS, timezone: "UTC", freezes: [] }],
    };
    const { outputs } = await fixture.create(spec);
    assert.equal(outputs?.phase, "armed");
    assert.match(
      outputs.phaseReason,
      /^blocked: window: .*\d+ min are missing \(fix: an opening that is \d+ min longer\)/,
    );
    const { error } = await fixture.create({ ...spec, whenBlocked: "fail" });
    assert.match(error ?? "", /^blocked: window: .* min are missing \(fix: /);
    assert.deepEqual(await hostsAndCopies(), before);
    assert.deepEqual(await fixture.fleet.mutations(), mutations);
  });

  it("a host whose agent was killed keeps the run from starting; its copies go on and nothing is lost", async () => {
    const before = await hostsAndCopies();
    const others = async (): Promise<unknown> => ({ ...(await fixture.fleet.mutations()), "host-01": 0 });
    const mutations = await others();
    const { pid } = JSON.parse(
      await fs.readFile(join(fixture.fleet.directory, "hosts", "host-01", "state", "agent.json"), "utf8"),
    ) as { readonly pid: number };
    process.kill(pid, "SIGKILL");
    try {
      const { outputs } = await fixture.create(fixture.spec());
      assert.equal(outputs?.phase, "armed");
      assert.match(outputs.phaseReason, /host-01: the host does not answer: .*ECONNREFUSED.*\(fix: bring host-01 back/);
    } finally {
      await startLocalHost(fixture.fleet.directory, "host-01");
    }
    assert.deepEqual(await hostsAndCopies(), before);
    assert.deepEqual(await others(), mutations);
  });

  it("a command that is not found is taken back on the canary, with what the shell said", async () => {
    const before = await hostsAndCopies();
    const { error } = await fixture.create(update({ command: "no-such-command --now" }));
    assert.match(
      error ?? "",
      /^host-0\d: step update failed: command not found\n {2}output:\n.*no-such-command: not found/,
    );
    assert.match(error ?? "", /undone: host-0\d is back on "1"/);
    assert.match(error ?? "", /remove the cause, then raise `attempt` and run `pulumi up` again/);
    assert.doesNotMatch(error ?? "", /NOT undone/);
    assert.deepEqual(await hostsAndCopies(), before);
  });

  it("a probe that does not match after the update either fails the run, says what it printed, and undoes it", async () => {
    const before = await hostsAndCopies();
    const { error } = await fixture.create(update({ expect: "3" }));
    assert.match(error ?? "", /^host-0\d: step validate failed: .*"3".*\n {2}output:\n {4}2\n/);
    assert.match(error ?? "", /undone: host-0\d is back on "1"/);
    assert.deepEqual(await hostsAndCopies(), before);
  });

  it("a damaged journal stops everything: the file is named, no host is called, not a byte is written", async () => {
    const failed = await fixture.create(update({ command: "no-such-command" }));
    assert.match(failed.error ?? "", /command not found/);
    const file = join(await newestRun(), "00000001.json");
    const whole = await fs.readFile(file, "utf8");
    await fs.writeFile(file, whole.slice(0, whole.length / 2));
    const untouched = await fixture.fleet.snapshot();
    const { error = "" } = await fixture.createAgain(update({ command: "no-such-command" }));
    assert.ok(error.includes(file), error);
    assert.match(error, /is damaged: it breaks off.*; nothing was changed; restore that file from a backup, or/s);
    assertReadable(error);
    assert.deepEqual(await fixture.fleet.snapshot(), untouched);
  });

  it("a window that opens far from now arms a good run, which the same inputs do not change again", async () => {
    const untouched = await hostsAndCopies();
    const spec = fixture.spec({
      windows: [{ name: "window", cron: FAR_AWAY, durationMs: 60 * MINUTE_MS, timezone: "UTC", freezes: [] }],
    });
    const { outputs } = await fixture.create(spec);
    assert.equal(outputs?.phase, "armed");
    const store = await fixture.fleet.storeHash();
    assert.equal((await fixture.createAgain(spec)).outputs?.runId, outputs.runId);
    assert.equal(await fixture.fleet.storeHash(), store, "armed once");
    assert.deepEqual(await hostsAndCopies(), untouched);
  });
});

describe("bad input: a disk that is full", function () {
  this.timeout(LIMIT_MS);
  let folder: string;

  beforeEach(async () => {
    folder = await fs.mkdtemp(join(tmpdir(), "archipelago-full-"));
  });
  afterEach(() => fs.rm(folder, { recursive: true }));

  /** A file system that has room for so many files more, until it gets some. It syncs nothing: no machine crashes. */
  function smallDisk(files: number): { readonly system: FileSystem; grow(): void } {
    let left = files;
    const open = async (...args: Parameters<typeof fs.open>): ReturnType<typeof fs.open> => {
      if (args[1] === "wx" && left-- <= 0)
        throw Object.assign(new Error("ENOSPC: no space left on device"), { code: "ENOSPC" });
      const file = await fs.open(...args);
      file.sync = () => Promise.resolve();
      return file;
    };
    return {
      system: { ...fs, open },
      grow: () => {
        left = Number.POSITIVE_INFINITY;
      },
    };
  }

  it("keeps a run from beginning before anything is done", async () => {
    const fixture = createRunFixture({ fleet: quickFleet(), spec: quickSpec() });
    const before = await describeEnd(fixture);
    const disk = smallDisk(0);
    const store = await openFileStore(`file:${folder}/store`, { clock: fixture.clock, fileSystem: disk.system });
    await assert.rejects(
      fixture.clock.run(() => armOn({ ...fixture.dependencies(), store }, fixture.spec)),
      isFull,
    );
    assert.deepEqual(await describeEnd(fixture), before);
    assertKept(fixture);
  });

  it("stops a run at its last entry; with space again it goes on to its end, and nothing is done twice", async () => {
    for (const files of [12, 30, 70]) {
      const fixture = createRunFixture({ fleet: quickFleet(), spec: quickSpec() });
      const disk = smallDisk(files);
      const url = `file:${folder}/store-${String(files)}`;
      const open = async (): Promise<RunDependencies> => ({
        ...fixture.dependencies(),
        store: await openFileStore(url, { clock: fixture.clock, fileSystem: disk.system }),
      });
      await fixture.clock.run(async () => armOn(await open(), fixture.spec));
      await assert.rejects(
        fixture.clock.run(async () => carryOut(RUN, await open())),
        isFull,
      );
      disk.grow();
      // Without space its leases could not be given back either: they lapse.
      await fixture.clock.advance(2 * LEASE_TTL_MS);
      const state = await fixture.clock.run(async () => carryOut(RUN, await open()));
      assert.equal(state.phase, "done", JSON.stringify(state.failure));
      assert.deepEqual(fixture.fleet.harm(), []);
      assert.equal(fixture.fleet.lostWrites("ledger"), 0);
    }
  });
});

async function armOn(deps: RunDependencies, spec: HostUpdateSpec): Promise<void> {
  const fleet = await deps.observe(deps.signal);
  const forecast = sampleForecast();
  const slotMs = planningSlot(deps.clock.now());
  const planned = plan({ fleet, forecast, spec, slotMs, nowMs: slotMs, durations: {} });
  const bundle = { v: 1, packageVersion: "test", spec, fleet, forecast, slotMs, durations: {} } as const;
  await createRun(deps, { runId: RUN, spec, plan: planned, bundle, phase: "armed" });
}

function isFull(error: unknown): boolean {
  assert.ok(error instanceof StoreError, String(error));
  assert.equal(error.code, "full");
  assertReadable(error.message);
  assert.match(
    error.message,
    /^run store .*: no space is left \(ENOSPC\); free space on that file system and run again/,
  );
  return true;
}
