import { strict as assert } from "node:assert";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "mocha";
import { loadInventory } from "../../providers/drivers/inventory";
import { MistakeError } from "../../sdk/model";

describe("drivers: inventory", () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "archipelago-inventory-"));
    for (const name of ["ca.pem", "crt.pem", "key.pem"]) await writeFile(join(folder, name), "");
  });
  after(() => rm(folder, { recursive: true, force: true }));

  const host = { id: "host-01", url: "https://10.0.0.1:7443", zone: "a", role: "member" };
  const valid = {
    v: 1,
    name: "shop",
    hosts: [host],
    tls: { ca: "ca.pem", certificate: "crt.pem", key: "key.pem" },
    store: "file:store",
  };
  const load = async (content: unknown) => {
    const path = join(folder, "inventory.json");
    await writeFile(path, typeof content === "string" ? content : JSON.stringify(content));
    return await loadInventory(path);
  };
  const mistakesOf = async (content: unknown): Promise<readonly string[]> => {
    try {
      await load(content);
    } catch (error) {
      assert.ok(error instanceof MistakeError, String(error));
      return error.mistakes.map(({ field, rule }) => `${field} ${rule}`);
    }
    return [];
  };

  it("makes paths absolute, relative to the file", async () => {
    const inventory = await load(valid);
    assert.equal(inventory.tls.key, join(folder, "key.pem"));
    assert.equal(inventory.store, `file:${join(folder, "store")}`);
    assert.deepEqual(inventory.hosts, [host]);
  });

  it("takes labels and devices of hosts, and names those that are none", async () => {
    const devices = { gpu: { count: 2, partitions: 7 } };
    const labelled = { ...host, labels: { security: "restricted" }, devices };
    assert.deepEqual((await load({ ...valid, hosts: [labelled] })).hosts, [labelled]);
    const wrong = { ...host, labels: { security: 1 }, devices: { gpu: { count: 0, partitions: 1 } } };
    assert.deepEqual(await mistakesOf({ ...valid, hosts: [wrong] }), [
      "hosts[0].labels must be texts by name",
      "hosts[0].devices must have whole numbers of cards and of partitions of each, by kind",
    ]);
  });

  it("takes the bandwidth of links, and refuses what is none", async () => {
    const linked = { ...host, linkBytesPerSecond: 125_000_000, capacity: { cpuMillis: 4000, memoryBytes: 2 ** 33 } };
    const network = { rackBytesPerSecond: 1_250_000_000 };
    const loaded = await load({ ...valid, network, hosts: [linked] });
    assert.deepEqual(loaded.hosts, [linked]);
    assert.deepEqual(loaded.network, network);
    const wrong = { ...host, linkBytesPerSecond: 0, capacity: { cpuMillis: -1, memoryBytes: 1 } };
    assert.deepEqual(await mistakesOf({ ...valid, network: { rackBytesPerSecond: "1 Gbit/s" }, hosts: [wrong] }), [
      "hosts[0].capacity must have cpuMillis and memoryBytes above 0",
      "hosts[0].linkBytesPerSecond must be bytes a second, above 0",
      "network.rackBytesPerSecond must be bytes a second, above 0",
    ]);
  });

  it("names fields that it does not know, with the one that is meant", async () => {
    await assert.rejects(
      load({ ...valid, stor: "file:store", hosts: [{ ...host, overcomit: { cpu: 2 } }] }),
      /stor \("file:store"\) is not a known field; did you mean "store"\?[^]*hosts\[0\]\.overcomit \(.*\) is not a known field; did you mean "overcommit"\?/,
    );
  });

  it("leaves a store alone that is no folder", async () => {
    assert.equal((await load({ ...valid, store: "s3://bucket/runs" })).store, "s3://bucket/runs");
  });

  it("says what to do when there is no file", async () => {
    await assert.rejects(loadInventory(join(folder, "none.json")), /there is none; create the fleet first/);
  });

  it("says that a file is no JSON, or no inventory", async () => {
    assert.match((await mistakesOf("{ half")).join(), /^inventory must be JSON/);
    assert.deepEqual(await mistakesOf([]), ["inventory must be an object"]);
  });

  it("reports all mistakes at once", async () => {
    const hosts = [host, { ...host, url: "http://10.0.0.2", role: "boss" }, null];
    assert.deepEqual(await mistakesOf({ v: 2, hosts, tls: {} }), [
      "v must be 1",
      "name must be a non-empty text",
      "hosts[1].url must be an https:// URL",
      'hosts[1].role must be "member" or "standby"',
      "hosts[1].id must be unique",
      "hosts[2].id must be a non-empty text",
      "hosts[2].zone must be a non-empty text",
      "hosts[2].url must be an https:// URL",
      'hosts[2].role must be "member" or "standby"',
      "tls.ca must be a non-empty text",
      "tls.certificate must be a non-empty text",
      "tls.key must be a non-empty text",
    ]);
  });

  it("wants at least one host", async () => {
    assert.deepEqual(await mistakesOf({ ...valid, hosts: [] }), ["hosts must be a list with at least one host"]);
  });

  it("names certificates that cannot be read", async () => {
    assert.deepEqual(await mistakesOf({ ...valid, tls: { ...valid.tls, key: "lost.pem" } }), [
      "tls.key must be a readable PEM file (ENOENT)",
    ]);
  });
});
