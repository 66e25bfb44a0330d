import assert from "node:assert/strict";

import { envelopeDigest } from "../../providers/plan/digest";
import { compareEnvelopes, createEnvelope } from "../../providers/plan/envelope";
import type { Envelope } from "../../sdk/model";
import { sampleInput } from "./sample-fleets";

const { spec, fleet } = sampleInput({
  hosts: [{ id: "host-2" }, { id: "host-1" }, { id: "standby-1", role: "standby" }],
  workloads: [
    { name: "web", on: ["host-1"] },
    { name: "ledger", on: ["host-2"], workload: { exclusive: true } },
  ],
  spec: { after: [{ name: "eu", urn: "urn", soakMs: 86_400_000 }] },
});
const approved = createEnvelope(spec, fleet);

describe("the envelope", () => {
  it("holds member hosts, budgets and pauses, sorted", () => {
    assert.deepEqual(approved.hosts, ["host-1", "host-2"]);
    assert.deepEqual(approved.budgets, { ledger: 0, web: 0 });
    assert.deepEqual(approved.maxPauseMs, { ledger: 2000 });
  });

  it("is inside itself, and the order in which things were found changes nothing", () => {
    assert.deepEqual(compareEnvelopes(approved, approved), []);
    const reversed = { ...fleet, hosts: [...fleet.hosts].reverse(), workloads: [...fleet.workloads].reverse() };
    assert.equal(envelopeDigest(createEnvelope(spec, reversed)), envelopeDigest(approved));
  });

  const beyond: readonly (readonly [string, Partial<Envelope>, RegExp])[] = [
    ["another command", { updateDigest: "0" }, /the update changed/],
    ["a new host", { hosts: ["host-1", "host-2", "host-3"] }, /not approved: host-3/],
    ["a wider budget", { budgets: { web: 1, ledger: 0 } }, /web may have unavailable copies: 1/],
    ["a new workload", { budgets: { web: 0, ledger: 0, extra: 0 } }, /extra was not there/],
    ["a longer pause", { maxPauseMs: { ledger: 5000 } }, /ledger may pause: 5.0 s instead of the approved 2.0 s/],
    ["a lost exclusiveness", { maxPauseMs: {} }, /ledger is no longer exclusive/],
    ["wider waves", { hostsAtOnce: 9 }, /hosts at once: 9/],
    ["wider waves in a zone", { hostsPerZone: 9 }, /in a zone: 9/],
    ["fewer canaries", { canaryHosts: 0 }, /canary hosts: 0/],
    ["more reserve", { maximumReserveHosts: 3 }, /in reserve: 3/],
    ["more time", { maximumDurationMs: 36_000_000 }, /longest duration: 10 h/],
    ["a weaker promise", { confidence: 0.9 }, /confidence: 90%/],
    ["a stage less", { after: [] }, /stages that were approved and are gone or changed: eu, and 1 day after it/],
    ["another window", { windows: ["sundays"] }, /windows that were not approved: sundays/],
  ];
  for (const [what, change, pattern] of beyond) {
    it(`does not hold ${what}`, () => {
      const differences = compareEnvelopes(approved, { ...approved, ...change });
      assert.equal(differences.length, 1, differences.join("\n"));
      assert.match(differences[0] ?? "", pattern);
    });
  }

  it("holds limits per rack and island and the quiet time, where they are declared, with the digest", () => {
    const limits = { ...spec.limits, hostsPerRack: 1, hostsPerIsland: 2 };
    const stricter = createEnvelope({ ...spec, limits, timing: "quiet" }, fleet);
    assert.notEqual(envelopeDigest(stricter), envelopeDigest(approved));
    assert.deepEqual(compareEnvelopes(approved, stricter), []);
    assert.deepEqual(compareEnvelopes(stricter, approved), [
      "hosts at once in a rack: any number instead of the approved 1",
      "hosts at once of an island: any number instead of the approved 2",
      "the run begins at once instead of at the approved quiet time",
    ]);
    assert.equal(envelopeDigest(createEnvelope({ ...spec, timing: "soonest" }, fleet)), envelopeDigest(approved));
  });

  it("holds what is less than was approved", () => {
    const less: Envelope = {
      ...approved,
      hosts: ["host-1"],
      budgets: { web: 0 },
      maxPauseMs: {},
      hostsAtOnce: 1,
      hostsPerZone: 1,
      canaryHosts: 2,
      confidence: 0.99,
      windows: [],
    };
    assert.deepEqual(compareEnvelopes(approved, less), []);
  });
});
