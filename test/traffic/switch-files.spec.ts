import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DEFAULT_LIMITS, parseSwitchConfig } from "../../providers/drivers/traffic/switch/config";
import { readSwitchState, StateFile } from "../../providers/drivers/traffic/switch/state-file";

describe("files of the switch", () => {
  let folder = "";
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "archipelago-switch-files-"));
  });
  after(() => rm(folder, { recursive: true, force: true }));

  it("a configuration's paths are relative to it and its limits have defaults", () => {
    const config = parseSwitchConfig(
      JSON.stringify({
        tls: { ca: "ca.pem", certificate: "/abs/switch.pem", key: "key.pem" },
        controlPort: 0,
        stateFile: "state.json",
        services: [{ name: "front", port: 8080 }],
        limits: { maxWaiting: 5 },
      }),
      "/fleet",
    );
    assert.equal(config.tls.ca, "/fleet/ca.pem");
    assert.equal(config.tls.certificate, "/abs/switch.pem");
    assert.deepEqual(config.services, [{ name: "front", port: 8080, exclusive: false }]);
    assert.deepEqual(config.limits, { ...DEFAULT_LIMITS, maxWaiting: 5 });
  });

  it("all mistakes of a configuration come at once", () => {
    const text = JSON.stringify({
      controlPort: -1,
      stateFile: "s",
      services: [
        { name: "a", port: 1 },
        { name: "a", port: 70_000 },
      ],
      limits: { maxWaitMs: 0 },
    });
    assert.throws(
      () => parseSwitchConfig(text, "/fleet"),
      (error: Error) => {
        for (const field of ["tls.ca", "controlPort", "services[1].name", "services[1].port", "limits.maxWaitMs"]) {
          assert.ok(error.message.includes(field), `${field} in ${error.message}`);
        }
        return true;
      },
    );
    assert.throws(() => parseSwitchConfig("{", "/fleet"), /must be JSON/);
  });

  it("a state comes back as it was saved, the latest of several", async () => {
    const path = join(folder, "state.json");
    assert.equal(await readSwitchState(path), undefined);
    const file = new StateFile(path);
    await Promise.all([1, 2, 3].map((controlPort) => file.save({ v: 1, controlPort, services: [] })));
    assert.deepEqual(await readSwitchState(path), { v: 1, controlPort: 3, services: [] });
  });

  it("a damaged or unknown state is refused and left as it is", async () => {
    const path = join(folder, "damaged.json");
    await writeFile(path, '{"v":1,');
    await assert.rejects(readSwitchState(path), { code: "corrupt" });
    await writeFile(path, '{"v":2,"services":[]}');
    await assert.rejects(readSwitchState(path), { code: "version" });
    assert.equal(await readFile(path, "utf8"), '{"v":2,"services":[]}');
  });

  it("a state that cannot be written is reported, and the next one is tried again", async () => {
    const missing = join(folder, "missing", "state.json");
    const file = new StateFile(missing);
    await assert.rejects(file.save({ v: 1, controlPort: 1, services: [] }), { kind: "StoreError" });
    await assert.rejects(file.save({ v: 1, controlPort: 2, services: [] }), { kind: "StoreError" });
  });
});
