/** What becomes of a run when the process under it is interrupted: real processes, one local fleet. */
import { strict as assert } from "node:assert";
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { openFileStore } from "../../providers/journal/file-store";
import type { RunStore } from "../../providers/journal/run-store";
import { runResource } from "../../providers/runner/leases";
import { readLatestRun, runFamily } from "../../providers/runner/run-family";
import type { HostUpdateSpec, RunState, StepRecord } from "../../sdk/model";
import { eventually } from "../agent/agent-fixture";
import { updateSpec } from "../bad-input/provider-fixture";
import { openSmallFleet, type SmallFleet } from "../fixtures/small-fleet";

const URN = "urn:pulumi:dev::hosts::pulumi-nodejs:dynamic/archipelago:MaintenanceRun::tool-run";
const PROCESS = join(__dirname, "provider-process.js");
const LIMIT_MS = 60_000;
/** No step begins later than this after the loss is known. */
const LOSS_MS = 5000;

interface Provider {
  readonly child: ChildProcess;
  readonly lines: string[];
}

describe("interrupts of pulumi up", function () {
  this.timeout(180_000);
  let folder: string;
  let fleet: SmallFleet;
  let store: RunStore;
  let spec: HostUpdateSpec;
  const family = runFamily("tool", URN);
  const children: ChildProcess[] = [];

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "archipelago-interrupts-"));
    fleet = await openSmallFleet(folder);
    store = await openFileStore(`file:${join(fleet.directory, "store")}`);
    const base = updateSpec(fleet, {}, {});
    spec = { ...base, update: { ...base.update, command: "sleep 1; echo 2 > VERSION; echo once >> COUNT" } };
  });
  after(async () => {
    for (const child of children) child.kill("SIGKILL");
    await fleet.close();
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  });

  function start(): Provider {
    const child = spawn(process.execPath, [PROCESS, JSON.stringify({ spec, urn: URN })], {
      cwd: folder,
      stdio: ["pipe", "pipe", "inherit"],
    });
    children.push(child);
    const lines: string[] = [];
    createInterface(child.stdout).on("line", (line) => lines.push(line));
    return { child, lines };
  }

  async function exited({ child }: Provider): Promise<void> {
    if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  }

  const latest = (): Promise<RunState | undefined> => readLatestRun(store, family);

  function updateOn(run: RunState | undefined, host: string): StepRecord | undefined {
    return run?.steps.find(({ step }) => step.kind === "update" && step.host === host);
  }

  /** Waits until the update of a host that was not updated before is under way; its name. */
  async function updating(known: readonly string[]): Promise<string> {
    return eventually(
      "an update is under way",
      async () => {
        const run = await latest();
        return ["host-00", "host-01", "host-02"].find(
          (host) => !known.includes(host) && updateOn(run, host)?.status === "started",
        );
      },
      LIMIT_MS,
    );
  }

  async function assertNothingBegunAfter(lostAt: number): Promise<void> {
    const run = await latest();
    const late = (await store.read(run?.id ?? "")).entries.filter(
      (entry) => entry.kind === "step-intent" && entry.at > lostAt + LOSS_MS,
    );
    assert.deepEqual(late, []);
  }

  it("finish the step under way and free the leases when the CLI was killed; the provider ends as well", async () => {
    const provider = start();
    const host = await updating([]);
    const lostAt = Date.now();
    // What a provider sees of a CLI that is killed: the end of its standard input.
    provider.child.stdin?.end();
    await eventually(
      "it has stopped",
      () => Promise.resolve(provider.lines.some((line) => line.startsWith("stopped"))),
      LIMIT_MS,
    );
    assert.match(provider.lines.join("\n"), /the pulumi process is gone/);
    await exited(provider);
    const run = await latest();
    assert.equal(run?.phase, "running");
    assert.equal(updateOn(run, host)?.status, "done", "the step under way was finished");
    assert.equal(await store.leases.inspect(runResource(run.id)), undefined);
    await assertNothingBegunAfter(lostAt);
  });

  it("end the process at once at a second Ctrl-C or a SIGTERM, and the next up takes over when the leases lapse", async () => {
    const run = await latest();
    const known = ["host-00", "host-01", "host-02"].filter((host) => updateOn(run, host) !== undefined);
    const provider = start();
    const host = await updating(known);
    provider.child.kill("SIGINT");
    await exited(provider);
    assert.equal(provider.child.exitCode, 130);
    assert.ok(await store.leases.inspect(runResource(run?.id ?? "")), "the leases lapse by themselves");

    const next = start();
    await exited(next);
    assert.ok(next.lines.includes("ended done"), next.lines.join("\n"));
    assert.ok(
      next.lines.some((line) => line.includes("is carried out by pulumi")),
      "it names whom it waits for",
    );
    assert.equal(updateOn(await latest(), host)?.status, "done");
    assert.deepEqual(await fleet.fileOnHosts("COUNT"), { "host-00": "once", "host-01": "once", "host-02": "once" });
  });
});
