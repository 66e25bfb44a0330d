import { strict as assert } from "node:assert";
import { execFile } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import * as fs from "node:fs/promises";
import * as os from "node:os";
import * as path from "node:path";
import { after, before, describe, it } from "mocha";
import { readAudit } from "../../providers/guard/audit-log";
import { createEntry } from "../../providers/journal/replay";
import { openRunStore } from "../../providers/journal/open-store";
import type { RunStore } from "../../providers/journal/run-store";
import type { JournalEvent } from "../../sdk/model";
import { createRunFixture, quickFleet, quickSpec } from "../runner/run-fixture";

const MAIN = path.resolve(__dirname, "../../providers/cli/main.js");

interface Ended {
  readonly code: number;
  readonly output: string;
  readonly errors: string;
}

function createKeys(): { readonly open: string; readonly secret: string } {
  const { publicKey, privateKey } = generateKeyPairSync("ed25519");
  return {
    open: publicKey.export({ type: "spki", format: "pem" }).toString(),
    secret: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
  };
}

describe("cli: kill and approve", () => {
  let folder: string;
  let store: RunStore;
  const ada = createKeys();
  const eve = createKeys();

  before(async () => {
    folder = await fs.mkdtemp(path.join(os.tmpdir(), "archipelago-guard-cli-"));
    await fs.mkdir(path.join(folder, "store"));
    store = await openRunStore(`file:${folder}/store`);
    await fs.writeFile(path.join(folder, "ada.pem"), ada.secret);
    await fs.writeFile(path.join(folder, "eve.pem"), eve.secret);
    // An armed run, as `pulumi up` stores it.
    const approval = { keys: { ada: ada.open } };
    const quick = quickFleet();
    const fleet = {
      ...quick,
      hosts: quick.hosts.map((host) =>
        host.id === "host-02" ? { ...host, offers: ["replacement"] as const, immutable: "sealed root" } : host,
      ),
    };
    const update = { ...quickSpec().update, image: "image-2" };
    const fixture = createRunFixture({ fleet, spec: quickSpec({ approval, update }) });
    const { bundle, plan, digest } = await fixture.clock.run(() => fixture.arm());
    const events: readonly JournalEvent[] = [
      { kind: "created", digest, attempt: 1, bundle, plan },
      { kind: "phase", phase: "armed", reason: "window closed" },
    ];
    await store.append(
      "kernel-1",
      0,
      events.map((event) => createEntry(event, fixture.clock.now(), 1)),
    );
  });
  after(() => fs.rm(folder, { recursive: true, force: true }));

  function archipelago(...args: readonly string[]): Promise<Ended> {
    return new Promise((resolve) => {
      execFile(
        process.execPath,
        [MAIN, ...args, "--store", `file:${folder}/store`],
        { cwd: folder, env: { ...process.env, ARCHIPELAGO_STORE: "" } },
        (error, output, errors) => {
          resolve({ code: typeof error?.code === "number" ? error.code : error ? 1 : 0, output, errors });
        },
      );
    });
  }

  it("turns the kill switch on and off, with a reason, and shows it", async () => {
    assert.match((await archipelago("kill", "status")).output, /is off$/m);
    const refused = await archipelago("kill", "on");
    assert.equal(refused.code, 2);
    assert.match(refused.errors, /--why is missing/);
    assert.match((await archipelago("kill", "onn", "--why", "x")).errors, /did you mean "on"\?/);
    assert.match((await archipelago("kill", "status")).output, /is off$/m);
    assert.match((await archipelago("kill", "on", "--why", "incident 4711")).output, /is ON: incident 4711/);
    const shown = JSON.parse((await archipelago("kill", "status", "--json")).output) as Record<string, unknown>;
    assert.equal(shown["isOn"], true);
    assert.equal(shown["why"], "incident 4711");
    assert.match((await archipelago("status")).output, /KILL SWITCH on .*incident 4711/);
    assert.match(
      (await archipelago("kill", "off", "--why", "over")).output,
      /is off; .* had turned it on: incident 4711/,
    );
    const { entries } = await readAudit(store);
    assert.deepEqual(
      entries.map(({ what, why }) => `${what} ${why}`),
      ["kill-on incident 4711", "kill-off over"],
    );
  });

  it("refuses an approval that would not count, and changes nothing", async () => {
    const run = ["approve", "kernel-1"];
    const cases = [
      [[...run], /--key is missing/],
      [[...run, "--key", "nobody.pem"], /--key \("nobody.pem"\) must be a readable file/],
      [[...run, "--key", "eve.pem"], /is not signed by any of the keys that may approve \(ada\)/],
      [[...run, "--key", "ada.pem", "--digest", "ab"], /--digest \("ab"\) is not the digest of kernel-1/],
      [[...run, "--key", "ada.pem", "--for", "soon"], /--for/],
    ] as const;
    await Promise.all(
      cases.map(async ([args, reason]) => {
        const ended = await archipelago(...args);
        assert.equal(ended.code, 2, ended.errors);
        assert.match(ended.errors, reason);
      }),
    );
    assert.deepEqual(await store.listDocuments("approvals/"), []);
  });

  it("approves a run in the store, or into a file, and says what was approved", async () => {
    const ended = await archipelago(
      "approve",
      "kernel-1",
      "--key",
      "ada.pem",
      "--why",
      "change 1234",
      "--for",
      "1 day",
    );
    assert.equal(ended.code, 0, ended.errors);
    assert.match(ended.output, /approved: plan [0-9a-f]{64} of kernel-1, until .*, in the run store/);
    assert.match(ended.output, /hosts +host-01, host-02/);
    assert.match(ended.output, /replaced +host-02$/m);
    assert.equal((await store.listDocuments("approvals/")).length, 1);
    const { entries } = await readAudit(store);
    assert.match(entries.at(-1)?.why ?? "", /^change 1234: plan [0-9a-f]{64} until/);
    const out = path.join(folder, "approval.json");
    assert.equal((await archipelago("approve", "kernel-1", "--key", "ada.pem", "--out", out)).code, 0);
    assert.match(await fs.readFile(out, "utf8"), /"kind": "ed25519"/);
  });
});
