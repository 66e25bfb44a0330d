import assert from "node:assert/strict";
import * as fs from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runContention, type ContentionResult } from "./contention";
import { NO_MOTO, setEnvironment, startMoto, TEST_CREDENTIALS, type Moto } from "./moto";

/** The short form of `npm run test:contention`. */
const SHORT = { runners: 12, processes: 3, seconds: 4, disturbEveryMs: 1300, leastOwners: 4 };

describe("lease under contention", function () {
  this.timeout(180_000);
  let folder: string;
  let moto: Moto | undefined;
  let restore: () => void;

  before(async () => {
    folder = await fs.mkdtemp(join(tmpdir(), "archipelago-lease-"));
    restore = setEnvironment(TEST_CREDENTIALS);
    if (NO_MOTO === "") moto = await startMoto();
  });

  after(async () => {
    restore();
    await moto?.close();
    await fs.rm(folder, { recursive: true });
  });

  function check(result: ContentionResult): void {
    assert.deepEqual(result.violations, []);
    assert.ok(result.owners >= SHORT.leastOwners, JSON.stringify(result));
    assert.ok(result.killed + result.stopped >= 1, JSON.stringify(result));
  }

  it("has one owner at a time in a shared folder, whoever is killed or stopped", async () => {
    check(await runContention({ ...SHORT, url: `file:${folder}/store?shared=true`, ttlMs: 400, pauseMs: 200 }));
  });

  (NO_MOTO === "" ? it : it.skip)(`has one owner at a time in S3, whoever is killed or stopped${NO_MOTO}`, async () => {
    assert.ok(moto);
    check(await runContention({ ...SHORT, url: moto.url("fleet"), ttlMs: 800, pauseMs: 500 }));
  });
});
