import * as assert from "node:assert/strict";
import * as fs from "node:fs/promises";
import * as os from "node:os";
import * as path from "node:path";
import { systemClock } from "../../providers/clock";
import { openFileStore } from "../../providers/journal/file-store";
import { readRun } from "../../providers/runner/session";
import { openSmallFleet, smallFleetWindow, type SmallFleet } from "../fixtures/small-fleet";
import { archipelago, startArchipelago } from "./command-line";

/** What `recover --json` says. */
interface Recovered {
  readonly phase: string;
  readonly isMended: boolean;
  readonly left: { readonly marks: readonly { readonly host: string }[]; readonly steps: readonly { id: string }[] };
}

describe("a window file on a fleet of real processes", function () {
  this.timeout(180_000);
  let folder: string;
  let fleet: SmallFleet;

  before(async () => {
    folder = await fs.mkdtemp(path.join(os.tmpdir(), "archipelago-cli-"));
    fleet = await openSmallFleet(folder);
    // One host is left to do: two of the three match already.
    await fleet.setVersion("host-00", "2");
    await fleet.setVersion("host-01", "2");
  });
  after(async () => {
    await fleet.close();
    await fs.rm(folder, { recursive: true });
  });

  const windowFile = async (name: string, change: (text: string) => string = (text) => text): Promise<string> => {
    const file = path.join(folder, `${name}.yaml`);
    const text = smallFleetWindow(
      name,
      'command: "sleep 2; echo 2 > VERSION", undo: "echo 1 > VERSION", timeout: 1 minute, expected: 2 seconds',
    );
    await fs.writeFile(file, change(text));
    return file;
  };

  /** Waits until the update's command runs on a host. */
  const untilUpdating = async (): Promise<void> => {
    const store = await openFileStore(`file:${path.join(folder, "fleet", "store")}`);
    for (;;) {
      const [newest] = await store.list();
      const run = newest === undefined ? undefined : await readRun(store, newest);
      const isUnderWay = run?.steps.some(({ step, status }) => step.kind === "update" && status === "started");
      if (run?.phase === "running" && isUnderWay) return;
      await systemClock.sleep(50);
    }
  };

  it("is planned and its hosts are shown, and nothing is changed", async () => {
    const file = await windowFile("tool");
    const before = await fleet.snapshot();
    const { code, stdout, stderr } = await archipelago(["plan", "--file", file, "--json"]);
    assert.equal(code, 0, stderr);
    const plan = JSON.parse(stdout) as { decision: string; waves: readonly { hosts: readonly string[] }[] };
    assert.deepEqual([plan.decision, plan.waves.flatMap(({ hosts }) => hosts)], ["run", ["host-02"]]);
    const { hosts } = JSON.parse((await archipelago(["hosts", "--file", file, "--json"])).stdout) as {
      hosts: readonly { id: string; state: string; version?: string; isAsWanted?: boolean }[];
    };
    assert.deepEqual(
      hosts.map(({ id, state, version, isAsWanted }) => [id, state, version, isAsWanted]),
      [
        ["host-00", "ready", "2", true],
        ["host-01", "ready", "2", true],
        ["host-02", "ready", "1", false],
        ["standby-00", "stopped", undefined, undefined],
      ],
    );
    assert.deepEqual(await fleet.snapshot(), before);
  });

  it("is stopped by Ctrl-C, shown as abandoned, and mended once it is said", async () => {
    const file = await windowFile("tool");
    const running = startArchipelago("start", "--file", file);
    await untilUpdating();
    running.signal("SIGINT");
    const { code, stderr } = await running.ended;
    assert.equal(code, 130, stderr);
    assert.match(stderr, /stopping at the next step border[^]*`archipelago start tool-\w+` carries on/);
    assert.match((await archipelago(["status", "--file", file])).stdout, /running .*ABANDONED/);

    const before = await fleet.snapshot();
    const shown = await archipelago(["recover", "--file", file]);
    assert.equal(shown.code, 0, shown.stderr);
    assert.match(shown.stdout, /cordon on host-02 by tool-\w+-1, lapses in[^]*Mend it with: archipelago recover/);
    assert.deepEqual(await fleet.snapshot(), before, "looking changes nothing");

    const mended = await archipelago(["recover", "--file", file, "--yes", "--why", "a test", "--json"]);
    assert.equal(mended.code, 0, mended.stderr);
    const { phase, isMended, left } = JSON.parse(mended.stdout) as Recovered;
    assert.deepEqual([phase, isMended, left.marks, left.steps], ["armed", true, [], []]);
    assert.equal((await fleet.versions())["host-02"], "1");
    assert.match((await archipelago(["status", "tool", "--file", file])).stdout, /recovered by \S+@\S+: a test/);
    assert.match(
      (await archipelago(["audit", "tool", "--file", file])).stdout,
      /recover .*recovered by \S+@\S+: a test/,
    );
  });

  it("is paused, goes on, and is reported", async () => {
    const file = await windowFile("tool");
    const running = startArchipelago("start", "--file", file, "--json");
    await untilUpdating();
    const paused = await archipelago(["pause", "--file", file, "--why", "lunch"]);
    assert.equal(paused.code, 0, paused.stderr);
    assert.match(paused.stdout, /paused: paused by \S+: lunch/);
    assert.match((await running.ended).stdout, /"phase": "paused"/);
    assert.match((await archipelago(["resume", "tool", "--file", file])).stdout, /may go on/);
    const ended = await archipelago(["start", "tool", "--file", file]);
    assert.equal(ended.code, 0, ended.stderr);
    assert.match(ended.stdout, /tool-\w+-1: done: every host is updated and validated\nreport: /);
    assert.equal((await fleet.versions())["host-02"], "2");
    assert.match((await archipelago(["report", "tool", "--file", file])).stdout, /hosts +1 updated, .*0 lost/);
    const again = await archipelago(["start", "--file", file]);
    assert.deepEqual([again.code, again.stdout], [0, "done: every host matches already\n"]);
  });

  it("is cancelled: the wave under way is undone", async () => {
    const file = await windowFile("other", (text) =>
      text.replace('expect: "2"', 'expect: "3"').replace("echo 2 >", "echo 3 >").replace("echo 1 >", "echo 2 >"),
    );
    const running = startArchipelago("start", "--file", file);
    await untilUpdating();
    const cancelled = await archipelago(["cancel", "--file", file, "--why", "wrong one"]);
    assert.equal(cancelled.code, 0, cancelled.stderr);
    assert.match(cancelled.stdout, /cancelled: cancelled by \S+: wrong one/);
    const ended = await running.ended;
    assert.equal(ended.code, 3, ended.stderr);
    assert.deepEqual(Object.values(await fleet.versions()), ["2", "2", "2"]);
  });

  it("is armed outside of its windows, and cancelled where no process works on it", async () => {
    // Closed all day today: it opens on a day of the year that is months away.
    const month = ((new Date().getUTCMonth() + 6) % 12) + 1;
    const file = await windowFile("later", (text) =>
      text.replace("cron: 0 0 * * *", `cron: 0 0 1 ${String(month)} *`).replace('expect: "2"', 'expect: "4"'),
    );
    const armed = await archipelago(["start", "--file", file]);
    assert.equal(armed.code, 0, armed.stderr);
    assert.match(armed.stdout, /^later-\w+-1: armed: window closed; opens /);
    const cancelled = await archipelago(["cancel", "later", "--file", file]);
    assert.match(cancelled.stdout, /cancelled by/);
    assert.equal(cancelled.code, 0, cancelled.stderr);
    assert.equal((await archipelago(["wait", "later", "--file", file])).code, 3);
  });
});
