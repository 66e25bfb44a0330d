/**
 * The provider of host updates on a small real fleet, called as the engine calls it, and what every message must be.
 */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../../providers/clock";
import { runProvider } from "../../providers/pulumi/run-provider";
import type { RunInputs, RunOutputs, Sent } from "../../providers/pulumi/run-inputs";
import type { HostUpdateSpec, IslandSpec, PlanView } from "../../sdk/model";
import { openSmallFleet, type SmallFleet } from "../fixtures/small-fleet";

/** Opens on the 29th of February only. */
export const FAR_AWAY = "0 3 29 2 *";

/** A fleet, and the provider's calls about an update of it. */
export interface ProviderFixture {
  readonly fleet: SmallFleet;
  /** Folder around the fleet, for files of a test. */
  readonly folder: string;
  /** A good update of the fleet, with changes. */
  spec(changes?: Partial<HostUpdateSpec>, island?: Partial<IslandSpec>): HostUpdateSpec;
  /** The plan that check computes. Fails when check has something against the inputs. */
  plan(spec: HostUpdateSpec): Promise<PlanView>;
  /** The one failure of check, judged to be fit for people. */
  failure(spec: HostUpdateSpec): Promise<string>;
  /** What create of a new resource ends with: its outputs, or the message that it fails with. */
  create(spec: HostUpdateSpec): Promise<Ending>;
  /** The same for the resource of the last `create`, as an `up` after it does. */
  createAgain(spec: HostUpdateSpec): Promise<Ending>;
  close(): Promise<void>;
}

/** Outputs or message, never both. */
export interface Ending {
  readonly outputs?: RunOutputs;
  readonly error?: string;
}

/** Starts the fleet; until it is closed the current folder is one of its own, for the plan cache. */
export async function openProviderFixture(): Promise<ProviderFixture> {
  const folder = await mkdtemp(join(tmpdir(), "archipelago-bad-input-"));
  const home = process.cwd();
  const fleet = await openSmallFleet(folder);
  process.chdir(folder);
  await drainStandardInput();
  let resources = 0;
  const inputsOf = (spec: HostUpdateSpec): RunInputs => ({
    v: "1",
    urn_: `urn:pulumi:dev::hosts::archipelago:index:MaintenanceRun::${spec.name}-${String(resources)}`,
    spec,
  });
  const check = async (spec: HostUpdateSpec): Promise<{ failures: string[]; inputs: Sent<RunInputs> | undefined }> => {
    assert.ok(runProvider.check);
    // The engine gives an empty object where there is no resource yet.
    const { inputs, failures = [] } = await runProvider.check({} as RunInputs, inputsOf(spec));
    return { inputs, failures: failures.map(({ reason }) => reason) };
  };
  const create = async (spec: HostUpdateSpec): Promise<Ending> => {
    const { inputs, failures } = await check(spec);
    // The engine stops before create when check has something against the inputs.
    if (failures[0] !== undefined) return { error: failures[0] };
    assert.ok(inputs);
    try {
      return { outputs: (await runProvider.create(inputs)).outs as RunOutputs };
    } catch (error) {
      assert.ok(error instanceof Error);
      assertReadable(error.message);
      return { error: error.message };
    }
  };
  return {
    fleet,
    folder,
    spec: (changes = {}, island = {}) => updateSpec(fleet, changes, island),
    plan: async (spec) => {
      const { inputs, failures } = await check(spec);
      assert.deepEqual(failures, []);
      assert.ok(inputs?.plan);
      return inputs.plan;
    },
    failure: async (spec) => {
      const { failures } = await check(spec);
      const [message, ...others] = failures;
      assert.deepEqual(others, []);
      assert.ok(message !== undefined, "check has nothing against these inputs");
      assertReadable(message);
      return message;
    },
    create: (spec) => {
      // Each call is about a resource of its own: no run of an earlier test is carried on.
      resources += 1;
      return create(spec);
    },
    createAgain: create,
    close: async () => {
      process.chdir(home);
      await fleet.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/**
 * The end of standard input tells a provider that its engine is gone. Tests often run with nothing on it: that end
 * has to be over before a run begins.
 */
async function drainStandardInput(): Promise<void> {
  if (process.stdin.isTTY || process.stdin.readableEnded) return;
  const ended = new Promise<void>((resolve) => process.stdin.once("end", resolve));
  process.stdin.resume();
  await Promise.race([ended, systemClock.sleep(STDIN_LIMIT_MS)]);
  process.stdin.pause();
}

/** An open pipe never ends; an empty one does at once. */
const STDIN_LIMIT_MS = 200;

/** No stack, no object printed as such, no bare code: something that a person can read. */
export function assertReadable(message: string): void {
  assert.doesNotMatch(message, /^\s+at .*[:(]/m, "a stack trace");
  assert.doesNotMatch(message, /\[object |undefined|NaN|TypeError|Cannot read prop/, message);
  assert.ok(message.length > 20, message);
}

/** An update of the small fleet; its window is always open. */
export function updateSpec(
  fleet: SmallFleet,
  changes: Partial<HostUpdateSpec>,
  island: Partial<IslandSpec>,
): HostUpdateSpec {
  const policy = { criticality: "normal", maxPauseMs: 20_000, hooks: {} } as const;
  return {
    v: 1,
    name: "tool",
    islands: [
      {
        name: "shop",
        source: { kind: "agents", inventory: fleet.inventory },
        guarantee: { cpu: 1, memory: 1 },
        workloads: [
          { ...policy, name: "front", copies: 2, exclusive: false, maxUnavailable: 0 },
          { ...policy, name: "ledger", copies: 1, exclusive: true, maxUnavailable: 0 },
        ],
        metrics: { kind: "recorded", file: fleet.history },
        validate: [],
        ...island,
      },
    ],
    windows: [{ name: "window", cron: "*/10 * * * *", durationMs: 3_600_000, timezone: "UTC", freezes: [] }],
    pool: { name: "reserve", quantile: 0.95, maximumHosts: 1 },
    update: {
      probe: "cat VERSION",
      expect: "2",
      command: "echo 2 > VERSION",
      undo: "echo 1 > VERSION",
      irreversible: false,
      reboot: false,
      timeoutMs: 60_000,
      expectedMs: 1000,
    },
    limits: { hostsAtOnce: 1, hostsPerZone: 1, canaryHosts: 1, soakMs: 0, drainMs: 10_000 },
    confidence: 0.95,
    failback: "if-better",
    whenClosed: "arm",
    whenBlocked: "show",
    startedBy: "up",
    attempt: 1,
    seed: 1,
    ...changes,
  };
}
