import * as assert from "node:assert/strict";
import * as fs from "node:fs";
import * as path from "node:path";
import type { ValidateFunction } from "ajv";
import { parse } from "yaml";
import { resolveWindowFile } from "../../sdk/arguments";
import type { Mistake } from "../../sdk/model";
import { PACKAGE_ROOT } from "../fixtures/small-fleet";

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
type Steps = readonly (string | number)[];

/** Every field that a window file can have, each with a right value. */
const FULL = parse(`
v: 1
name: kernel
islands:
  shop:
    hosts: { agents: { inventory: inventory.json } }
    guarantee: { cpu: 80%, memory: 50.5% }
    overcommit: { cpu: 1.5, memory: 1 }
    disruptionBudgets: [{ hosts: 10% }, { hosts: 0, reasons: [rebalance, failback] }]
    within: { zones: [a, b], racks: [r1], hosts: [host-1], labels: { security: restricted, tier: ["1", "2"] } }
    workloads:
      - name: front
        criticality: critical
        copies: 6
        budget: { maxUnavailable: 25% }
        maxPause: 2 seconds
        boost: 20%
        transfer: 4 GiB
        request: { cpu: 500 millicores, memory: 1.5 GiB }
        command: [node, front.mjs]
        port: 8080
        health: { path: /health, interval: 1 second, timeout: 500 ms }
        environment: { MODE: fast }
        hooks: { beforeMove: /before, afterMove: /after }
        devices: { gpu: 1, fpga: 2/7 }
        within: { zones: [a] }
        moves: zone
        spread: { over: zone, atLeast: 2 }
        apartFrom: [ledger]
        functions: [{ path: /reports, criticality: sheddable }]
        burst: { function: front-fn, requestsPerSecond: 500, coldStart: 5 seconds, cpuPerRequest: 12 ms, pricePerMillionCalls: 3 }
        dependsOn: [ledger, { workload: cache, callsPerRequest: 1.5, lag: 30 seconds, within: rack }]
      - { name: ledger, copies: exclusive, health: /health }
      - { name: nightly, lifetime: 5 minutes }
    metrics: { recorded: { file: history.csv } }
    validate:
      - { http: "https://shop.example/healthz", timeout: 10 seconds }
      - { command: test -s release }
    users: { accessLog: access.log, workload: front }
    signals:
      - { name: sale, type: marketing, at: ["2026-11-27T08:00:00+01:00"], for: 2 hours, effect: +40%, workloads: [front] }
      - { name: backup, type: cron, cron: 30 2 * * 6, timezone: Europe/Berlin, for: 30 minutes }
      - { name: closing, type: event, rrule: FREQ=MONTHLY;BYDAY=-1FR;BYHOUR=18, for: 3 hours }
      - { name: releases, type: calendar, file: releases.ics }
      - { name: holidays, type: holidays, country: DE, region: BE }
  back:
    hosts: { agents: { inventory: inventory.json } }
    workloads: [{ name: jobs }]
    metrics: { cloudWatch: { region: eu-central-1 } }
  edge:
    hosts: { agents: { inventory: inventory.json } }
    workloads: [{ name: cache }]
    metrics:
      prometheus:
        url: https://prometheus.example
        scrapeInterval: 15 seconds
        queries: { cpuMillis: a, memoryBytes: b, requestsPerSecond: c }
windows:
  saturdays: { cron: 0 2 * * 6, duration: 3 hours, timezone: Europe/Berlin, freezes: [2026-12-20/2027-01-03], precedence: 1,
    effect: open, limits: { hostsAtOnce: 2, hostsPerZone: 1, hostsPerRack: 1, hostsPerIsland: 2, maxUnavailable: { front: 1 } } }
  second: { rrule: FREQ=MONTHLY;BYDAY=2SA;BYHOUR=2, duration: 3 hours }
  fridays: { cron: 0 12 * * 5, duration: 6 hours, effect: closed }
pool: { name: reserve, size: { quantile: 0.95 }, maximum: { hosts: 2 }, warm: { hosts: 1 }, price: { hostHour: 0.04, currency: EUR } }
update:
  { probe: uname -r, expect: "6.12*", command: "true", undo: "true", irreversible: false, reboot: true, timeout: 15 minutes, expected: 1 minute, disturbs: host, package: { size: 180 MiB, load: cpu }, image: image-2, replacement: { timeout: 20 minutes, expected: 5 minutes } }
migration: { threshold: 12, maximumCost: 25.5 }
limits: { hostsAtOnce: 2, hostsPerZone: 1, hostsPerRack: 1, hostsPerIsland: 2, canaryHosts: 1, soak: 5 minutes, drain: 1 minute }
stopRules:
  errorBudget:
    { objective: 99.9%, windows: [{ long: 5 minutes, short: 30 seconds, rate: 14.4 }], minimumFailed: 5, action: rollback }
  failedMoves: { share: 10%, minimumMoves: 3, action: pause }
  forecastMiss: { quantile: 0.95, steps: 3, action: pause }
  alarms:
    any:
      - { prometheus: { url: "http://prometheus:9090", alert: HighErrorRate } }
      - { cloudWatch: { region: eu-central-1, alarm: errors } }
    action: pause
approval:
  digest: 1602ab1227d7
  file: approval.json
  keys: { ann: "-----BEGIN PUBLIC KEY-----" }
  webhook: { url: "https://approve.example", secretEnv: APPROVAL_SECRET }
notices:
  - { webhook: { url: "https://notice.example", secretEnv: NOTICE_SECRET }, severity: info }
  - { webhook: { urlEnv: NOTICE_URL } }
  - { slack: { urlEnv: SLACK_URL } }
silences:
  - { alertmanager: { url: "http://alertmanager:9093" }, matchers: { instance: "$host(:[0-9]+)?", job: node } }
after:
  - { update: kernel-eu, soak: 1 hour }
killSwitch: { file: stop }
prices:
  { file: prices.json, currency: EUR, note: list, reservedHostHour: 0.1, cpuCoreHour: 0.04, memoryGibHour: 0.005, surgeCpuCoreHour: 0, surgeMemoryGibHour: 0, transferGibWithinZone: 0, transferGibAcrossZones: 0.02, functionMillionCalls: 2 }
events:
  file: events.json
  listed: [{ id: evt-1, hosts: [host-1], zones: [a], start: "2026-11-28T02:00:00Z", end: "2026-11-28T04:00:00Z", reason: reboot }]
confidence: 95%
failback: if-better
timing: quiet
whenClosed: arm
whenBlocked: show
attempt: 1
store: file:/srv/archipelago
seed: 1
`) as Json;

/** The same with a rebalance in place of the update; all other places are looked at in FULL. */
const REBALANCE = withValue(
  withValue(FULL, ["update"], undefined),
  ["rebalance"],
  parse("{ horizon: 6 hours, target: 75%, tolerance: 20%, maximumMoves: 4, rest: 1 hour }") as Json,
);

/** The same with one way of updating hosts alone. */
const REPLACEMENT = withValue(
  FULL,
  ["update"],
  parse('{ probe: uname -r, expect: "6.12*", image: image-2, timeout: 15 minutes, expected: 1 minute }') as Json,
);
const COMMAND = withValue(
  FULL,
  ["update"],
  parse('{ probe: uname -r, expect: "6.12*", command: "true", undo: "true", timeout: 15 minutes }') as Json,
);

/** Values that are wrong nearly everywhere. */
const WRONG: readonly Json[] = [
  null,
  true,
  -1,
  0,
  1.5,
  3,
  99_999_999_999,
  "",
  " ",
  "nonsense!",
  "12",
  "5 parsecs",
  "101%",
  "Upper",
  [],
  [1],
  {},
  { zzz: 1 },
];

/** Where the rules look at several fields, or at how large an amount with a unit is, and a schema cannot. */
const BEYOND_SCHEMA: readonly RegExp[] = [
  /^update\.(undo|irreversible)/,
  /means nothing with update\.image/,
  /budget$/,
  /canaryHosts/,
  /is a share of copies/,
  /is more than there are copies/,
  /must be at least \d+ ms/,
  /must be unique/,
  /must be after start/,
  /must be above 0%$/,
  /must be a workload of one of the update's islands/,
  /must not go round/,
  /needs (file|country|cron), not/,
  /must be a workload of this island/,
  /\.for$/,
  /must be above 0% and below 100%/,
  /must be shorter than long/,
  /must say who may approve/,
  /must name the host/,
  /must be at most (update\.timeout|the replacement's timeout)/,
];

const schema = JSON.parse(
  fs.readFileSync(path.join(PACKAGE_ROOT, "schemas", "window-file.schema.json"), "utf8"),
) as Readonly<Record<string, unknown>>;

describe("the schema of window files", () => {
  let validate: ValidateFunction;
  before(async () => {
    const { default: Ajv } = await import("ajv");
    validate = new Ajv({ allErrors: true }).compile(schema);
  });
  const mistakesOf = (document: Json): readonly Mistake[] => {
    const mistakes: Mistake[] = [];
    resolveWindowFile(document, mistakes);
    return mistakes;
  };

  it("accepts a file with every field, and so do the rules", () => {
    assert.deepEqual(mistakesOf(FULL), []);
    assert.equal(validate(FULL), true, JSON.stringify(validate.errors));
    assert.deepEqual(mistakesOf(REBALANCE), []);
    assert.equal(validate(REBALANCE), true, JSON.stringify(validate.errors));
    assert.deepEqual(mistakesOf(REPLACEMENT), []);
    assert.equal(validate(REPLACEMENT), true, JSON.stringify(validate.errors));
    assert.deepEqual(mistakesOf(COMMAND), []);
    assert.equal(validate(COMMAND), true, JSON.stringify(validate.errors));
    const both = { ...(FULL as object), rebalance: {} };
    assert.equal(mistakesOf(both).length, 1);
    assert.equal(validate(both), false);
  });

  it("accepts the example", () => {
    const file = path.join(PACKAGE_ROOT, "examples", "window-file", "window.yaml");
    const document = parse(fs.readFileSync(file, "utf8")) as Json;
    assert.deepEqual(mistakesOf(document), []);
    assert.equal(validate(document), true, JSON.stringify(validate.errors));
  });

  it("knows the same fields as the rules, at every place", () => {
    let seen = 0;
    const places = [...objectsOf(FULL).map((steps) => [FULL, steps] as const), [REBALANCE, ["rebalance"]] as const];
    for (const [document, steps] of places) {
      const changed = withValue(document, [...steps, "zzzzzzzzzzzz"], {});
      const unknown = mistakesOf(changed).find(({ rule }) => rule === "is not a known field");
      assert.equal(validate(changed), false, `the schema lets an unknown field through in ${steps.join(".")}`);
      if (!unknown) continue; // A map by name, or texts by name: there the member itself is wrong.
      const known = unknown.remedy.replace("known fields: ", "").split(", ").sort();
      assert.deepEqual(fieldsInSchema(steps), known, `fields in ${steps.join(".") || "the file"}`);
      seen += 1;
    }
    assert.ok(seen > 15, `only ${String(seen)} places were looked at`);
  });

  it("wants the same fields as the rules, and takes the same values for each", () => {
    let compared = 0;
    const places = [
      ...placesOf(FULL).map((steps) => [FULL, steps] as const),
      ...placesOf(REBALANCE)
        .filter(([first]) => first === "rebalance")
        .map((steps) => [REBALANCE, steps] as const),
      ...placesOf(REPLACEMENT)
        .filter(([first]) => first === "update")
        .map((steps) => [REPLACEMENT, steps] as const),
      ...placesOf(COMMAND)
        .filter(([first]) => first === "update")
        .map((steps) => [COMMAND, steps] as const),
    ];
    for (const [document, steps] of places) {
      for (const value of [undefined, ...WRONG]) {
        const changed = withValue(document, steps, value);
        const mistakes = mistakesOf(changed);
        const isOnlyBeyond =
          mistakes.length > 0 &&
          mistakes.every(({ field, rule }) => BEYOND_SCHEMA.some((known) => known.test(field) || known.test(rule)));
        if (isOnlyBeyond) continue;
        const text = `${steps.join(".")} = ${JSON.stringify(value)}: ${JSON.stringify(mistakes)} ${JSON.stringify(validate.errors)}`;
        assert.equal(validate(changed), mistakes.length === 0, text);
        compared += 1;
      }
    }
    assert.ok(compared > 1000, `only ${String(compared)} values were compared`);
  });

  /** Names of the properties that the schema allows at a place. */
  function fieldsInSchema(steps: Steps): readonly string[] {
    let at: Readonly<Record<string, unknown>> = schema;
    for (const step of steps) {
      const properties = at["properties"] as Readonly<Record<string, object>> | undefined;
      const next =
        typeof step === "number" ? at["items"] : (properties?.[step] ?? (at["additionalProperties"] as object));
      at = resolve(next as Readonly<Record<string, unknown>>);
    }
    return Object.keys(at["properties"] as object).sort();
  }

  function resolve(at: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
    const reference = at["$ref"];
    if (typeof reference === "string") {
      const definitions = schema["definitions"] as Readonly<Record<string, Readonly<Record<string, unknown>>>>;
      return definitions[reference.replace("#/definitions/", "")] ?? {};
    }
    const choices = at["oneOf"] as readonly Readonly<Record<string, unknown>>[] | undefined;
    return at["properties"] ? at : (choices?.find((choice) => choice["properties"]) ?? at);
  }
});

/** Places of all objects. */
function objectsOf(value: Json, steps: Steps = []): readonly Steps[] {
  if (Array.isArray(value)) return value.flatMap((item, index) => objectsOf(item, [...steps, index]));
  if (typeof value !== "object" || value === null) return [];
  return [steps, ...Object.entries(value).flatMap(([key, member]) => objectsOf(member, [...steps, key]))];
}

/** Places of everything but the whole. */
function placesOf(value: Json, steps: Steps = []): readonly Steps[] {
  const members = Array.isArray(value)
    ? value.map((item, index) => [index, item] as const)
    : typeof value === "object" && value !== null
      ? Object.entries(value)
      : [];
  return members.flatMap(([key, member]) => [[...steps, key], ...placesOf(member, [...steps, key])]);
}

/** A copy with another value at a place; undefined takes it away. */
function withValue(value: Json, [step, ...rest]: Steps, to: Json | undefined): Json {
  if (step === undefined) return to ?? null;
  if (Array.isArray(value)) {
    return value.flatMap((item, index) => (index === step ? wrap(changed(item, rest, to)) : [item]));
  }
  const members = Object.entries(value as Record<string, Json>).filter(([key]) => key !== step);
  const member = changed((value as Record<string, Json>)[step] ?? null, rest, to);
  return Object.fromEntries(member === undefined ? members : [...members, [String(step), member]]);
}

function changed(value: Json, steps: Steps, to: Json | undefined): Json | undefined {
  return steps.length === 0 ? to : withValue(value, steps, to);
}

function wrap(value: Json | undefined): readonly Json[] {
  return value === undefined ? [] : [value];
}
