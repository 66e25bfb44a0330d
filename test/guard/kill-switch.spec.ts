import { strict as assert } from "node:assert";
import * as fs from "node:fs/promises";
import * as os from "node:os";
import * as path from "node:path";
import { afterEach, describe, it } from "mocha";
import { readAudit } from "../../providers/guard/audit-log";
import { KillSwitchWatch, liftKillSwitch, readKillSwitch, setKillSwitch } from "../../providers/guard/kill-switch";
import type { Environment } from "../../providers/guard/kill-switch";
import {
  createMemoryRunStore,
  createVirtualClock,
  type MemoryRunStore,
  type VirtualClock,
} from "../../providers/testing";
import { KILL_SWITCH_NAME } from "../../sdk/model";

const START_MS = Date.UTC(2026, 10, 24, 2);

describe("guard: kill switch", () => {
  let folder: string | undefined;
  afterEach(async () => {
    if (folder !== undefined) await fs.rm(folder, { recursive: true, force: true });
  });

  function prepare(
    environment: Environment = {},
    file?: string,
  ): {
    readonly clock: VirtualClock;
    readonly store: MemoryRunStore;
    readonly watch: KillSwitchWatch;
  } {
    const clock = createVirtualClock(START_MS);
    const store = createMemoryRunStore(clock);
    return { clock, store, watch: new KillSwitchWatch({ store, clock, environment, file }) };
  }

  it("stops all runs of a store while its document lies there, and names who and why", async () => {
    const { clock, store, watch } = prepare();
    assert.equal(await watch.current(), undefined);
    await setKillSwitch(store, "ada", "the switch behaves oddly");
    await clock.run(() => clock.sleep(1100));
    const verdict = await watch.current();
    assert.equal(verdict?.action, "hold");
    assert.equal(verdict.reason, "kill switch: turned on by ada at 2026-11-24T02:00:00.000Z: the switch behaves oddly");
    assert.match(verdict.remedy, /archipelago kill off/);
    assert.equal((await liftKillSwitch(store, "bob", "it was the cable"))?.by, "ada");
    await clock.run(() => clock.sleep(1100));
    assert.equal(await watch.current(), undefined);
    const { entries } = await readAudit(store);
    assert.deepEqual(
      entries.map(({ who, what, why }) => [who, what, why]),
      [
        ["ada", "kill-on", "the switch behaves oddly"],
        ["bob", "kill-off", "it was the cable"],
      ],
    );
  });

  it("changes nothing when it is lifted without being on", async () => {
    const { store } = prepare();
    const before = store.dump();
    assert.equal(await liftKillSwitch(store, "bob", "why not"), undefined);
    assert.equal(store.dump(), before);
  });

  it("counts a document that nobody understands as on", async () => {
    for (const content of ["", "null", "{", '{"v":2}', '"off"']) {
      const { store, watch } = prepare();
      await store.putDocument(KILL_SWITCH_NAME, content);
      assert.match((await watch.current())?.reason ?? "", /turned on by somebody/, content);
      assert.ok(await readKillSwitch(store));
    }
  });

  it("keeps its last answer while the store gives none", async () => {
    const { clock, store, watch } = prepare();
    await setKillSwitch(store, "ada", "no");
    assert.ok(await watch.current());
    store.fail({ call: "getDocument", times: 3, code: "unavailable" });
    await clock.run(() => clock.sleep(2000));
    assert.ok(await watch.current());
  });

  it("is also a file, with its text as the reason", async () => {
    folder = await fs.mkdtemp(path.join(os.tmpdir(), "archipelago-kill-"));
    const file = path.join(folder, "stop");
    const declared = prepare({}, file);
    const named = prepare({ ARCHIPELAGO_KILL_FILE: file });
    assert.equal(await declared.watch.current(), undefined);
    assert.equal(await named.watch.current(), undefined);
    await fs.writeFile(file, "fire drill\n");
    for (const { clock, watch } of [declared, named]) {
      await clock.run(() => clock.sleep(1100));
      assert.equal((await watch.current())?.reason, `kill switch: the file ${file} exists: fire drill`);
    }
  });

  it("is also an environment variable, and words for no do not stop", async () => {
    for (const word of ["", "0", "false", "OFF", "no"]) {
      assert.equal(await prepare({ ARCHIPELAGO_KILL: word }).watch.current(), undefined, word);
    }
    for (const word of ["1", "incident 4711"]) {
      const verdict = await prepare({ ARCHIPELAGO_KILL: word }).watch.current();
      assert.ok(verdict?.reason.includes(`ARCHIPELAGO_KILL is "${word}"`));
    }
  });
});
