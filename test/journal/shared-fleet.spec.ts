import { strict as assert } from "node:assert";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "mocha";
import { systemClock } from "../../providers/clock";
import { startLocalHost } from "../../providers/drivers/local-fleet";
import { fleetLayout } from "../../providers/drivers/local-fleet/layout";
import { stopFleetProcess } from "../../providers/drivers/local-fleet/processes";
import { generateHistory, renderRecordedCsv } from "../../providers/observe/history-generator";
import type { RunStore } from "../../providers/journal/run-store";
import { openRunEnvironment } from "../../providers/runner/environment";
import { performHostUpdate, type UpdateOutcome } from "../../providers/runner/host-update";
import { isKind, type HostUpdateSpec, type RunReport } from "../../sdk/model";
import { fixtureHost, fixtureWorkload, startTestLocalFleet, type TestLocalFleet } from "../drivers/agent-fleet-fixture";
import { NO_MOTO, setEnvironment, startMoto, TEST_CREDENTIALS, type Moto } from "./moto";

const HOSTS = ["host-01", "host-02", "host-03"];
const POLICY = {
  name: "web",
  criticality: "critical",
  copies: 2,
  exclusive: false,
  maxPauseMs: 0,
  maxUnavailable: 1,
  hooks: {},
} as const;

/** Agents as real processes, runs of two stacks, one store in S3. */
(NO_MOTO === "" ? describe : describe.skip)(`a fleet with its runs in S3${NO_MOTO}`, function () {
  this.timeout(180_000);
  let moto: Moto;
  let fleet: TestLocalFleet;
  let folder: string;
  let restore: () => void;

  before(async () => {
    restore = setEnvironment(TEST_CREDENTIALS);
    folder = await mkdtemp(join(tmpdir(), "archipelago-shared-"));
    const workloads = [{ name: "web", peakCpuMillis: 50, memoryBytes: 2 ** 25 }];
    const history = renderRecordedCsv(
      generateHistory({ workloads, endMs: Date.now(), seed: 1 }),
      "generated for a test",
    );
    await writeFile(join(folder, "history.csv"), history);
    moto = await startMoto();
    fleet = await startTestLocalFleet(
      HOSTS.map((id, index) => fixtureHost(id, `zone-${String(index)}`)),
      [fixtureWorkload("web", 2)],
    );
  });

  after(async () => {
    await fleet.base.close();
    await moto.close();
    restore();
    await rm(folder, { recursive: true });
  });

  const specFor = (version: string): HostUpdateSpec => ({
    v: 1,
    name: "release",
    islands: [
      {
        name: "shop",
        source: { kind: "agents", inventory: fleet.record.inventory },
        guarantee: { cpu: 0.9, memory: 0.9 },
        workloads: [POLICY],
        metrics: { kind: "recorded", file: join(folder, "history.csv") },
        validate: [],
      },
    ],
    windows: [{ name: "any-time", cron: "*/10 * * * *", durationMs: 3_600_000, timezone: "UTC", freezes: [] }],
    update: {
      probe: "cat release || true",
      expect: version,
      command: `echo begun >> executions-${version}; echo ${version} > release`,
      undo: "rm -f release",
      irreversible: false,
      reboot: false,
      timeoutMs: 60_000,
      expectedMs: 1000,
    },
    limits: { hostsAtOnce: 1, hostsPerZone: 1, canaryHosts: 1, soakMs: 200, drainMs: 10_000 },
    confidence: 0.95,
    failback: "if-better",
    whenClosed: "arm",
    whenBlocked: "show",
    startedBy: "up",
    attempt: 1,
    store: moto.url("fleet"),
    seed: 1,
  });

  /** What a runner does for a stack, in this process: unlike `pulumi up` it does not wait for a host. The end of a wave is stored once `beforeWaveEnd` is over. */
  async function carryOut(
    stack: string,
    version: string,
    tell: (line: string) => void = () => undefined,
    signal: AbortSignal = new AbortController().signal,
    beforeWaveEnd: () => Promise<unknown> = () => Promise.resolve(),
  ): Promise<UpdateOutcome> {
    const environment = await openRunEnvironment(specFor(version), systemClock);
    try {
      const append: RunStore["append"] = async (run, seq, entries) => {
        if (entries.some(({ kind }) => kind === "wave-done")) await beforeWaveEnd();
        await environment.store.append(run, seq, entries);
      };
      const store = Object.create(environment.store, { append: { value: append } }) as RunStore;
      const progress = { line: tell, status: () => undefined };
      return await performHostUpdate(
        { ...environment, store, reportFolder: join(folder, stack) },
        { family: `release-${stack}`, owner: `runner of ${stack}`, role: "runner", engine: "test", progress, signal },
      );
    } finally {
      await environment.close();
    }
  }

  it("keeps a second stack off hosts that a run of the first works on, and names the owner", async () => {
    const interrupt = new AbortController();
    let refusal: Promise<UpdateOutcome | Error> | undefined;
    const first = carryOut(
      "one",
      "2.0.0",
      (line) => {
        if (line.startsWith("wave 1: ")) {
          refusal = carryOut("two", "3.0.0").catch((error: unknown) =>
            error instanceof Error ? error : new Error(String(error)),
          );
        }
        if (line.startsWith("wave 1 is done")) interrupt.abort();
      },
      interrupt.signal,
      async () => refusal,
    );
    await assert.rejects(first, (error: unknown) => isKind(error, "InterruptedError"));
    // Whether the lease or the mark on a host is met first depends on the moment; both name who is at work.
    const told = await refusal;
    const text = told instanceof Error ? told.message : `${told?.phase ?? ""} ${told?.reason ?? ""}`;
    assert.match(
      text,
      /^host\/.*\/host-0\d is held by runner of one .*until .*wait for that run to end|^armed .*by release-one-1/,
    );
  });

  it("carries a run on after every agent was replaced in the middle of it, and repeats nothing", async () => {
    const layout = fleetLayout(fleet.spec.directory);
    for (const host of HOSTS) {
      await stopFleetProcess(layout.host(host));
      await startLocalHost(fleet.spec.directory, host);
    }
    const outcome = await carryOut("one", "2.0.0");
    assert.equal(outcome.phase, "done", outcome.reason);
    for (const host of HOSTS) {
      const executions = await readFile(join(layout.host(host).root, "executions-2.0.0"), "utf8");
      assert.equal(executions, "begun\n", `${host} was updated once`);
    }
    const environment = await openRunEnvironment(specFor("2.0.0"), systemClock);
    try {
      const { store } = environment;
      assert.ok((await store.list()).includes(outcome.run?.id ?? ""));
      const report = JSON.parse(
        (await store.getDocument(`reports/${String(outcome.run?.id)}.json`)) ?? "{}",
      ) as RunReport;
      assert.deepEqual(report.violations, []);
    } finally {
      await environment.close();
    }
  });
});
