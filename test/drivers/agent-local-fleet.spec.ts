import { strict as assert } from "node:assert";
import { mkdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import * as fc from "fast-check";
import { after, before, describe, it } from "mocha";
import { FLEET } from "../../providers/agent/environment";
import { findByEnvironment, isRunning, type ProcessIdentity } from "../../providers/agent/process-table";
import { openAgentPlatform } from "../../providers/drivers/agent-platform";
import type { Platform } from "../../providers/drivers/contracts";
import {
  createLocalFleet,
  deleteLocalFleet,
  observeLocalFleet,
  startLocalHost,
  type LocalFleetRecord,
} from "../../providers/drivers/local-fleet";
import { fleetLayout } from "../../providers/drivers/local-fleet/layout";
import { placeCopies } from "../../providers/drivers/local-fleet/place-copies";
import { killFleet } from "../../providers/drivers/local-fleet/processes";
import type { LocalFleetSpec } from "../../sdk/model";
import { eventually } from "../agent/agent-fixture";
import { NO_ABORT } from "./contract";
import { fixtureHost, fixtureWorkload, fleetFolder, FLEET_TEST_MS, removeFleet } from "./agent-fleet-fixture";

describe("drivers: a local fleet", function () {
  this.timeout(FLEET_TEST_MS);
  let spec: LocalFleetSpec;
  let record: LocalFleetRecord;
  let platform: Platform;
  before(async () => {
    const directory = await fleetFolder();
    const hostImage = join(directory, "..", "image");
    await mkdir(join(hostImage, "etc"), { recursive: true });
    await writeFile(join(hostImage, "etc", "version"), "v1\n");
    spec = {
      name: "test",
      directory,
      hostImage,
      hosts: [
        fixtureHost("host-01", "zone-a"),
        fixtureHost("host-02", "zone-b"),
        fixtureHost("standby-01", "zone-a", "standby"),
      ],
      workloads: [fixtureWorkload("front", 2), fixtureWorkload("ledger", 1, true)],
      disclosures: ["made up"],
    };
    record = await createLocalFleet(spec);
    platform = await openAgentPlatform(record.inventory);
  });
  after(async () => {
    await platform.close();
    await removeFleet(spec.directory);
  });

  const identityOf = async (host: string): Promise<ProcessIdentity> =>
    JSON.parse(await readFile(fleetLayout(spec.directory).host(host).process, "utf8")) as ProcessIdentity;
  const placements = async (): Promise<readonly string[]> =>
    (await platform.workloads.list(NO_ABORT)).map(({ id, host, state }) => `${id} ${host} ${state}`).sort();
  const allServe = async (): Promise<void> => {
    for (const url of Object.values(record.endpoints)) assert.equal((await fetch(`${url}/health`)).status, 200);
  };

  it("runs its copies spread over the zones, behind the switch", async () => {
    assert.deepEqual(record.hosts, ["host-01", "host-02", "standby-01"]);
    assert.deepEqual(await placements(), [
      "front-0 host-01 healthy",
      "front-1 host-02 healthy",
      "ledger-0 host-01 healthy",
    ]);
    const services = await platform.traffic.observe(NO_ABORT);
    assert.equal(services.find(({ name }) => name === "ledger")?.owner, "ledger-0");
    await allServe();
  });

  it("gives every host a copy of the image as its root", async () => {
    const probe = await platform.hosts.probe("host-02", "cat etc/version", "v1", NO_ABORT);
    assert.deepEqual(probe, { output: "v1", matches: true });
  });

  it("is private to its user, and its inventory says what is made up", async () => {
    assert.equal((await stat(spec.directory)).mode & 0o777, 0o700);
    assert.equal((await stat(join(spec.directory, "tls", "controller.key.pem"))).mode & 0o777, 0o600);
    const inventory = JSON.parse(await readFile(record.inventory, "utf8")) as { disclosures: unknown };
    assert.deepEqual(inventory.disclosures, ["made up"]);
    assert.equal(platform.singleMachine, true);
    assert.equal(platform.defaultStore, `file:${join(spec.directory, "store")}`);
  });

  it("leaves everything alone when it is created again", async () => {
    const before = [await identityOf("host-01"), await placements()];
    assert.deepEqual(await createLocalFleet(spec), record);
    assert.deepEqual([await identityOf("host-01"), await placements()], before);
  });

  it("starts an agent again that has died, which adopts its copies", async () => {
    const before = await placements();
    const agent = await identityOf("host-01");
    process.kill(agent.pid, "SIGKILL");
    await eventually("the agent is gone", () => Promise.resolve(!isRunning(agent)));
    const start = performance.now();
    const hosts = await platform.hosts.list(NO_ABORT);
    assert.ok(performance.now() - start < 2000, "an agent that is gone does not hold the listing up");
    const lost = hosts.find(({ id }) => id === "host-01");
    assert.equal(lost?.state, "unreachable");
    assert.match(lost.stateReason ?? "", /ECONNREFUSED/);
    await startLocalHost(spec.directory, "host-01");
    assert.deepEqual(await placements(), before);
    assert.notEqual((await identityOf("host-01")).pid, agent.pid);
  });

  it("answers a preview's reads without a mutating call", async () => {
    await platform.hosts.list(NO_ABORT);
    await platform.workloads.list(NO_ABORT);
    await platform.traffic.observe(NO_ABORT);
    await platform.hosts.probe("host-02", "cat etc/version", "*", NO_ABORT);
    await platform.sampler?.usageSince(Date.now() - 60_000, NO_ABORT);
    const { createAgentConnections } = await import("../../providers/drivers/agent-connections.js");
    const { loadInventory } = await import("../../providers/drivers/inventory.js");
    const { systemClock } = await import("../../providers/clock.js");
    const agents = createAgentConnections(await loadInventory(record.inventory), systemClock);
    const counters = await agents.read<{ reads: number; mutations: number }>("host-01", "counters", {}, NO_ABORT);
    agents.close();
    assert.equal(counters.mutations, 0, "since the agent was started again");
    assert.ok(counters.reads > 0);
  });

  it("tells a wrong certificate from a host that is down", async () => {
    const strangers = await fleetFolder();
    const { createFleetAuthority, issueCertificate } = await import("../../providers/drivers/certificates.js");
    await createFleetAuthority(strangers);
    const tls = await issueCertificate(strangers, { name: "controller", role: "client", addresses: [] });
    const inventory = JSON.parse(await readFile(record.inventory, "utf8")) as Record<string, unknown>;
    const path = join(strangers, "inventory.json");
    await writeFile(path, JSON.stringify({ ...inventory, tls }));
    const stranger = await openAgentPlatform(path);
    const [host] = await stranger.hosts.list(NO_ABORT);
    assert.equal(host?.state, "unreachable");
    assert.match(host.stateReason ?? "", /do not trust each other .*use the authority, certificate and key/);
    const context = { key: "k", epoch: 1, owner: "stranger", signal: NO_ABORT };
    await assert.rejects(stranger.hosts.uncordon("host-01", context), { code: "unauthorized" });
    await stranger.close();
    await rm(join(strangers, ".."), { recursive: true });
  });

  it("refuses a folder that holds another fleet, or something else", async () => {
    await assert.rejects(createLocalFleet({ ...spec, workloads: [] }), /holds fleet test already, made otherwise/);
    const folder = await fleetFolder();
    await mkdir(folder);
    await writeFile(join(folder, "thesis.tex"), "precious");
    await assert.rejects(createLocalFleet({ ...spec, directory: folder }), /must not hold anything but a fleet/);
    await deleteLocalFleet(folder);
    assert.equal(await readFile(join(folder, "thesis.tex"), "utf8"), "precious");
    await rm(join(folder, ".."), { recursive: true });
  });

  it("comes back with its state after all its processes were killed, as when the machine restarts", async () => {
    const ledger = record.endpoints["ledger"] ?? "";
    assert.equal((await fetch(`${ledger}/write`, { method: "POST", body: "kept" })).status, 201);
    await killFleet(spec.directory);
    assert.equal(await observeLocalFleet(spec.directory), undefined);
    assert.deepEqual(await createLocalFleet(spec), record);
    await allServe();
    const state = join(fleetLayout(spec.directory).host("host-01").state, "data", "ledger-0", "state.txt");
    assert.equal(await readFile(state, "utf8"), "kept");
    assert.deepEqual(await observeLocalFleet(spec.directory), record);
  });

  it("names every image without a folder before anything is made", async () => {
    const directory = await fleetFolder();
    const images = { one: join(directory, "one"), two: join(directory, "two") };
    await assert.rejects(createLocalFleet({ ...spec, directory, images }), /images\.one[^]*images\.two/);
    await removeFleet(directory);
  });

  it("finishes a fleet whose creation was broken off", async () => {
    const directory = await fleetFolder();
    const half = { ...spec, directory };
    await assert.rejects(createLocalFleet(half, { signal: AbortSignal.timeout(1) }));
    assert.equal(await observeLocalFleet(directory), undefined, "it is not complete");
    const finished = await createLocalFleet(half);
    for (const url of Object.values(finished.endpoints)) assert.equal((await fetch(`${url}/health`)).status, 200);
    await removeFleet(directory);
  });

  it("ends every process and removes its folder when it is deleted", async () => {
    assert.ok(findByEnvironment(FLEET, spec.directory).length >= 6);
    await deleteLocalFleet(spec.directory);
    assert.deepEqual(findByEnvironment(FLEET, spec.directory), []);
    await assert.rejects(stat(spec.directory), /ENOENT/);
    await deleteLocalFleet(spec.directory);
    assert.equal(await observeLocalFleet(spec.directory), undefined);
  });
});

describe("drivers: placement of a local fleet's first copies", () => {
  const arbitrarySpec = fc
    .record({
      zones: fc.integer({ min: 1, max: 4 }),
      hosts: fc.integer({ min: 1, max: 8 }),
      workloads: fc.array(
        fc.record({ copies: fc.integer({ min: 1, max: 6 }), cpuMillis: fc.integer({ min: 0, max: 400 }) }),
        { maxLength: 5 },
      ),
    })
    .map(({ zones, hosts, workloads }): LocalFleetSpec => ({
      name: "any",
      directory: "/nowhere",
      hosts: [
        ...Array.from({ length: hosts }, (_, index) =>
          fixtureHost(`host-${String(index)}`, `zone-${String(index % zones)}`),
        ),
        fixtureHost("standby", "zone-0", "standby"),
      ],
      workloads: workloads.map(({ copies, cpuMillis }, index) => ({
        ...fixtureWorkload(`w${String(index)}`, copies),
        request: { cpuMillis, memoryBytes: 0 },
      })),
    }));

  it("places every copy once, on a member, over no host's capacity; or says that it cannot", () => {
    fc.assert(
      fc.property(arbitrarySpec, (spec) => {
        let placed: ReturnType<typeof placeCopies>;
        try {
          placed = placeCopies(spec);
        } catch (error) {
          assert.match(String(error), /leaves no host of any with room/);
          return;
        }
        const expected = spec.workloads.reduce((sum, { copies }) => sum + copies, 0);
        assert.equal(new Set(placed.map(({ replica }) => replica)).size, expected);
        for (const host of spec.hosts) {
          const here = placed.filter((placement) => placement.host === host.id);
          if (host.role === "standby") assert.deepEqual(here, []);
          const load = here.reduce(
            (sum, { workload }) => sum + (spec.workloads.find(({ name }) => name === workload)?.request.cpuMillis ?? 0),
            0,
          );
          assert.ok(load <= host.cpuMillis);
        }
      }),
    );
  });

  it("spreads the copies of a workload over as many zones as there are", () => {
    const spec: LocalFleetSpec = {
      name: "spread",
      directory: "/nowhere",
      hosts: ["a", "b", "c", "a", "b", "c"].map((zone, index) => fixtureHost(`host-${String(index)}`, zone)),
      workloads: [fixtureWorkload("front", 6), fixtureWorkload("service", 3)],
    };
    const placed = placeCopies(spec);
    const zoneOf = (host: string): string => spec.hosts.find(({ id }) => id === host)?.zone ?? "";
    const zones = (name: string): Set<string> =>
      new Set(placed.filter(({ workload }) => workload === name).map(({ host }) => zoneOf(host)));
    assert.equal(zones("front").size, 3);
    assert.equal(zones("service").size, 3);
    assert.equal(new Set(placed.filter(({ workload }) => workload === "front").map(({ host }) => host)).size, 6);
  });
});
