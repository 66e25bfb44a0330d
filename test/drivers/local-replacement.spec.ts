import assert from "node:assert/strict";
import { cp, mkdir, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "mocha";
import { systemClock } from "../../providers/clock";
import type { Operation, ReplacementDriver } from "../../providers/drivers/contracts";
import { fleetLayout, readJson, writeJson, type HostLayout } from "../../providers/drivers/local-fleet/layout";
import { stopFleetProcess } from "../../providers/drivers/local-fleet/processes";
import { createContexts, eventually, NO_ABORT, rejectsWith } from "./contract";
import { fixtureHost, FLEET_TEST_MS, startTestLocalFleet, type TestLocalFleet } from "./agent-fleet-fixture";

const HOST = "host-01";
const SPEC = { image: "image-2", timeoutMs: 60_000 };

describe("drivers: replacement on a local fleet", function () {
  this.timeout(FLEET_TEST_MS);
  const next = createContexts("run-1");
  let fleet: TestLocalFleet;
  let images: string;
  let files: HostLayout;
  let replacement: ReplacementDriver;

  before(async () => {
    images = await mkdtemp(join(tmpdir(), "archipelago-images-"));
    for (const version of ["v1", "v2"]) {
      await mkdir(join(images, version));
      await writeFile(join(images, version, "version"), version);
    }
    const folders = { "image-2": join(images, "v2"), "image-lost": join(images, "lost") };
    await mkdir(folders["image-lost"]);
    fleet = await startTestLocalFleet([fixtureHost(HOST, "zone-a")], [], {
      hostImage: join(images, "v1"),
      images: folders,
    });
    await rm(folders["image-lost"], { recursive: true });
    files = fleetLayout(fleet.spec.directory).host(HOST);
    assert.ok(fleet.platform.hosts.replacement);
    replacement = fleet.platform.hosts.replacement;
  });
  after(async () => {
    await fleet.base.close();
    await rm(images, { recursive: true, force: true });
  });

  const ended = (key: string): Promise<Operation> =>
    eventually(systemClock, `${key} ends`, async () => {
      const operation = await fleet.platform.hosts.operation(HOST, key, NO_ABORT);
      return operation?.state === "running" ? undefined : operation;
    });
  const version = async (): Promise<string> =>
    (await fleet.platform.hosts.probe(HOST, "cat version", "*", NO_ABORT)).output;
  const putBack = async (): Promise<void> => {
    const context = next({ epoch: 13 });
    await replacement.restore(HOST, context);
    assert.equal((await ended(context.key)).state, "done");
    assert.equal(await version(), "v1");
    assert.equal((await fleet.platform.hosts.observe(HOST, NO_ABORT)).replaced, undefined);
  };

  it("hands marks and epochs on to the other machine, and back again", async () => {
    const { hosts } = fleet.platform;
    const mark = { owner: "run-1", expiresAt: systemClock.now() + 600_000 };
    await hosts.cordon(HOST, mark, next({ epoch: 12 }));
    await writeFile(join(files.root, "data"), "kept");
    await rejectsWith("stale-epoch", replacement.start(HOST, SPEC, next({ epoch: 11 })));
    const context = next({ epoch: 12 });
    await replacement.start(HOST, SPEC, context);
    assert.equal((await ended(context.key)).state, "done");
    assert.deepEqual((await hosts.observe(HOST, NO_ABORT)).cordoned, mark);
    await rejectsWith("stale-epoch", hosts.uncordon(HOST, next({ epoch: 11 })));
    await hosts.fenceOff(HOST, next({ epoch: 13 }));
    await rejectsWith("stale-epoch", replacement.restore(HOST, next({ epoch: 12 })));
    const back = next({ epoch: 13 });
    await replacement.restore(HOST, back);
    assert.equal((await ended(back.key)).state, "done");
    assert.equal(await readFile(join(files.root, "data"), "utf8"), "kept");
    await rejectsWith("stale-epoch", hosts.uncordon(HOST, next({ epoch: 12 })));
    assert.deepEqual((await hosts.observe(HOST, NO_ABORT)).cordoned, mark);
    await hosts.uncordon(HOST, next({ epoch: 13 }));
  });

  it("says so when there is no such image or its folder is gone, and leaves the machine in its place", async () => {
    const { bootId } = await fleet.platform.hosts.observe(HOST, NO_ABORT);
    const unknown = next({ epoch: 13 });
    assert.equal((await replacement.start(HOST, { ...SPEC, image: "image-3" }, unknown)).state, "failed");
    assert.match((await ended(unknown.key)).reason ?? "", /there is no image image-3/);
    assert.equal((await fleet.platform.hosts.observe(HOST, NO_ABORT)).replaced, undefined);
    const lost = next({ epoch: 13 });
    await replacement.start(HOST, { ...SPEC, image: "image-lost" }, lost);
    assert.match((await ended(lost.key)).reason ?? "", /must be a folder that can be copied/);
    const seen = await fleet.platform.hosts.observe(HOST, NO_ABORT);
    assert.deepEqual([seen.state, seen.replaced, seen.bootId], ["ready", undefined, bootId]);
    await putBack();
    assert.equal((await fleet.platform.hosts.observe(HOST, NO_ABORT)).bootId, bootId);
  });

  it("is carried on by whoever asks for it, from wherever its process died, and by the way back", async () => {
    const { bootId } = await fleet.platform.hosts.observe(HOST, NO_ABORT);
    const move = async (name: "state" | "root"): Promise<void> => {
      await mkdir(files.kept, { recursive: true });
      await rename(files[name], join(files.kept, name));
    };
    const halves: readonly (() => Promise<void>)[] = [
      () => Promise.resolve(),
      () => move("state"),
      async () => {
        await move("state");
        await move("root");
        await cp(join(images, "v2"), files.next, { recursive: true });
      },
    ];
    for (const [at, half] of halves.entries()) {
      for (const isUndone of [false, true]) {
        if (at === 0 && isUndone) continue;
        const { key } = next();
        const record = (await readJson(files.machine)) as { readonly operations: readonly object[] };
        await stopFleetProcess(files);
        const operation = { key, state: "running", output: "", startedAt: 0, image: join(images, "v2") };
        await writeJson(files.machine, { ...record, kept: { owner: "run-1", bootId }, operations: [operation] });
        await half();
        const seen = await fleet.platform.hosts.observe(HOST, NO_ABORT);
        assert.deepEqual([seen.state, seen.replaced?.owner], ["unreachable", "run-1"], "the platform tells of it");
        if (!isUndone) {
          assert.equal((await ended(key)).state, "done");
          assert.equal(await version(), "v2");
        }
        await putBack();
      }
    }
  });

  it("puts the rest back where the way back was broken off", async () => {
    const context = next({ epoch: 13 });
    await replacement.start(HOST, SPEC, context);
    assert.equal((await ended(context.key)).state, "done");
    const record = (await readJson(files.machine)) as { readonly operations: readonly object[] };
    await stopFleetProcess(files);
    const { key } = next();
    await writeJson(files.machine, { ...record, operations: [{ key, state: "running", output: "", startedAt: 0 }] });
    await rm(files.state, { recursive: true });
    await rename(join(files.kept, "state"), files.state);
    assert.equal((await ended(key)).state, "done");
    assert.equal(await version(), "v1");
  });
});
