import * as assert from "node:assert/strict";
import * as fs from "node:fs/promises";
import * as os from "node:os";
import * as path from "node:path";
import { fleetLayout } from "../../providers/drivers/local-fleet/layout";
import type { MigrationPlan } from "../../sdk/model";
import { sealHost } from "../drivers/agent-fleet-fixture";
import { openSmallFleet, smallFleetWindow, type SmallFleet } from "../fixtures/small-fleet";
import { archipelago } from "./command-line";

const SEALED = "host-01";

describe("an update with a command and an image on a fleet of real processes", function () {
  this.timeout(180_000);
  let folder: string;
  let fleet: SmallFleet;

  before(async () => {
    folder = await fs.mkdtemp(path.join(os.tmpdir(), "archipelago-ways-"));
    const images = { "image-2": path.join(folder, "image-2") };
    await fs.mkdir(images["image-2"]);
    await fs.writeFile(path.join(images["image-2"], "VERSION"), "2\n");
    await fs.writeFile(path.join(images["image-2"], "how"), "replaced\n");
    fleet = await openSmallFleet(folder, images);
    await sealHost(fleetLayout(fleet.directory), SEALED);
  });
  after(async () => {
    await fleet.close();
    await fs.rm(folder, { recursive: true });
  });

  const windowFile = async (): Promise<string> => {
    const file = path.join(folder, "tool.yaml");
    const inPlace = 'command: "echo 2 > VERSION; echo command > how", undo: "echo 1 > VERSION; rm how"';
    const times = "timeout: 1 minute, expected: 2 seconds, replacement: { expected: 5 seconds }";
    await fs.writeFile(file, smallFleetWindow("tool", `${inPlace}, image: image-2, ${times}`));
    return file;
  };

  it("is explained, with the way of each host, its reason, and what the other one would take", async () => {
    const file = await windowFile();
    const { stdout, code, stderr } = await archipelago(["plan", "--file", file, "--json"]);
    assert.equal(code, 0, stderr);
    const plan = JSON.parse(stdout) as Pick<MigrationPlan, "hostDecisions">;
    assert.deepEqual(
      plan.hostDecisions?.map(({ host, way }) => [host, way]),
      [
        ["host-00", "in-place"],
        [SEALED, "replacement"],
        ["host-02", "in-place"],
      ],
    );
    const explained = (await archipelago(["plan", "--file", file, "--explain"])).stdout;
    assert.match(
      explained,
      /host-01: replacement: a machine of image-2 .*it cannot be updated in place \(sealed root\)/,
    );
    assert.match(
      explained,
      /not replacement: both ways are possible.* 2\.0 s in place and 5\.0 s with another machine/,
    );
    assert.match((await archipelago(["hosts", "--file", file])).stdout, /not updated in place: sealed root/);
  });

  it("changes each host in its own way, with its copies back where they serve", async () => {
    const { code, stdout, stderr } = await archipelago(["start", "--file", await windowFile()]);
    assert.equal(code, 0, stderr + stdout);
    assert.deepEqual(await fleet.versions(), { "host-00": "2", "host-01": "2", "host-02": "2" });
    assert.deepEqual(await fleet.fileOnHosts("how"), {
      "host-00": "command",
      "host-01": "replaced",
      "host-02": "command",
    });
    await assert.rejects(fs.stat(fleetLayout(fleet.directory).host(SEALED).kept), /ENOENT/);
    const { copies } = await fleet.snapshot();
    assert.equal(copies.filter(({ workload }) => workload === "front").length, 2);
  });
});
