/** Random scenarios: the same seed gives the same one on every machine. */
import type { Fault, FaultEffect, Random } from "../../providers/testing";
import { createRandom } from "../../providers/testing";
import type { HostTrouble, Incident, Scenario } from "./scenario";
import { hostId, zoneOf } from "./scenario";

const CALLS = [
  "hosts.*",
  "hosts.cordon",
  "hosts.uncordon",
  "hosts.startUpdate",
  "hosts.reboot",
  "hosts.operation",
  "hosts.probe",
  "hosts.list",
  "workloads.*",
  "workloads.start",
  "workloads.stop",
  "workloads.quiesce",
  "workloads.snapshot",
  "workloads.restore",
  "workloads.activate",
  "traffic.*",
  "traffic.setBackend",
  "traffic.removeBackend",
  "traffic.park",
  "traffic.cutOver",
  "traffic.unpark",
  "capacity.*",
  "*",
] as const;
/** Calls that change something; the others are never sent twice or left on the way. */
const MUTATIONS = [
  "hosts.cordon",
  "hosts.uncordon",
  "hosts.startUpdate",
  "hosts.reboot",
  "workloads.start",
  "workloads.stop",
  "workloads.quiesce",
  "workloads.restore",
  "workloads.activate",
  "traffic.setBackend",
  "traffic.removeBackend",
  "traffic.park",
  "traffic.cutOver",
  "traffic.unpark",
  "capacity.reserve",
  "capacity.release",
] as const;
/** A quick run of a small fleet takes about this long. */
const RUN_MS = 45_000;
const MOST_INCIDENTS = 4;

/** The scenario of a seed. */
export function createScenario(seed: number): Scenario {
  const random = createRandom(seed).fork("scenario");
  const pick = <T>(values: readonly T[]): T => values[random.integer(0, values.length - 1)] as T;
  const hosts = pick([3, 3, 3, 4, 4, 5]);
  const base = {
    seed,
    hosts,
    zones: random.integer(1, 3),
    standby: random.integer(1, 2),
    hostsAtOnce: random.integer(1, 2),
    canaryHosts: 1,
    reboot: random.next() < 0.6,
    undo: pick(["works", "works", "works", "works", "fails", "none"] as const),
    failback: pick(["if-better", "origin", "never"] as const),
    demand: 0.4 + random.next() * 0.4,
    updateMs: random.integer(300, 4000),
    bootMs: random.integer(500, 4000),
    requestsPerSecond: random.integer(10, 60),
    notNow: random.next() < 0.1 ? random.integer(1, 4) : 0,
    // A draw of its own: the others are those of the same seed without it.
    migratesLive: createRandom(seed).fork("live").next() < 0.3,
    ...createWays(seed),
    replaces: createReplaced(seed),
    troubles: createTroubles(random, hosts),
  };
  const count = random.integer(0, MOST_INCIDENTS);
  const incidents = Array.from({ length: count }, () => createIncident(random, base));
  return {
    ...base,
    incidents: [
      ...incidents,
      ...(base.bursts ? createBurstIncidents(seed) : []),
      ...(base.refuses ? createRefusalIncidents(seed) : []),
      ...(base.replaces === "none" ? [] : createReplacementIncidents(seed)),
    ],
  };
}

/** Draws of their own, as that of live migration: a function stands in, or functions are refused. */
function createWays(seed: number): Pick<Scenario, "bursts" | "refuses"> {
  const draw = createRandom(seed).fork("bursts").next();
  return { bursts: draw < 0.2, refuses: draw >= 0.9 };
}

/** A draw of its own too. */
function createReplaced(seed: number): "none" | "some" | "all" {
  const draw = createRandom(seed).fork("replaces").next();
  if (draw >= 0.2) return "none";
  return draw < 0.1 ? "some" : "all";
}

/** A replacement, its way back or its end that goes wrong, in most of the scenarios that have them. */
function createReplacementIncidents(seed: number): readonly Incident[] {
  const random = createRandom(seed).fork("replacement incidents");
  const calls = ["replacement.start", "replacement.start", "replacement.restore", "replacement.discard"];
  const call = calls[random.integer(0, calls.length - 1)] ?? "";
  const nth = random.integer(1, 3);
  const laterMs = random.integer(1, 20_000);
  const draw = random.next();
  if (draw < 0.3) return [];
  if (draw < 0.4) return [{ kind: "call", fault: { call, nth, effect: { kind: "refuse" } } }];
  if (draw < 0.55) return [{ kind: "call", fault: { call, nth, effect: { kind: "answer-lost" } } }];
  if (draw < 0.7) return [{ kind: "call", fault: { call: "replacement.start", nth, effect: { kind: "partial" } } }];
  if (draw < 0.85) return [{ kind: "crash-sending", call, nth, arrivesAfterMs: laterMs, backAfterMs: laterMs }];
  return [{ kind: "duplicate", call, nth, againAfterMs: laterMs }];
}

/** A refusal that goes wrong, in half of the scenarios that have them. */
function createRefusalIncidents(seed: number): readonly Incident[] {
  const random = createRandom(seed).fork("refusal incidents");
  const nth = random.integer(1, 3);
  const laterMs = random.integer(1, 20_000);
  const draw = random.next();
  const call = "traffic.refuse";
  if (draw < 0.5) return [];
  if (draw < 0.6) return [{ kind: "call", fault: { call, nth, effect: { kind: "refuse" } } }];
  if (draw < 0.7) return [{ kind: "call", fault: { call, nth, effect: { kind: "answer-lost" } } }];
  if (draw < 0.85) return [{ kind: "crash-sending", call, nth, arrivesAfterMs: laterMs, backAfterMs: laterMs }];
  return [{ kind: "duplicate", call, nth, againAfterMs: laterMs }];
}

/** What goes wrong with functions, in half of the scenarios that have them. */
function createBurstIncidents(seed: number): readonly Incident[] {
  const random = createRandom(seed).fork("burst incidents");
  const pick = <T>(values: readonly T[]): T => values[random.integer(0, values.length - 1)] as T;
  if (random.next() < 0.5) return [];
  const call = pick(["functions.deploy", "functions.remove"] as const);
  const [nth, laterMs, backAfterMs] = [random.integer(1, 2), random.integer(1, 20_000), random.integer(10, 20_000)];
  return [
    pick<() => Incident>([
      () => ({
        kind: "call",
        fault: {
          call: pick([call, "functions.*", "functions.list", "functions.invoke"] as const),
          nth,
          times: random.integer(1, 2),
          effect: pick<FaultEffect>([
            { kind: "refuse" },
            { kind: "timeout" },
            { kind: "answer-lost" },
            { kind: "partial" },
            { kind: "slow", ms: 3000 },
          ]),
        },
      }),
      () => ({ kind: "crash-sending", call, nth, arrivesAfterMs: laterMs, backAfterMs }),
      () => ({ kind: "duplicate", call, nth, againAfterMs: laterMs }),
    ])(),
  ];
}

function createTroubles(random: Random, hosts: number): Readonly<Record<string, HostTrouble>> {
  if (random.next() < 0.75) return {};
  const troubles = ["fails", "fails-broken", "hangs", "lies"] as const;
  return { [hostId(random.integer(1, hosts))]: troubles[random.integer(0, troubles.length - 1)] as HostTrouble };
}

type Base = Omit<Scenario, "incidents">;

function createIncident(random: Random, base: Base): Incident {
  const pick = <T>(values: readonly T[]): T => values[random.integer(0, values.length - 1)] as T;
  const afterMs = random.integer(1, RUN_MS);
  const host = (): string => hostId(random.integer(1, base.hosts));
  const makers: readonly (readonly [weight: number, make: () => Incident])[] = [
    [8, () => ({ kind: "call", fault: createFault(random) })],
    [
      2,
      () => ({
        kind: "store",
        fault: {
          call: pick(["append", "append", "renew", "read", "release", "acquire"] as const),
          skip: random.integer(0, 60),
          times: random.integer(1, 3),
          code: "unavailable",
          isDone: random.next() < 0.5,
        },
      }),
    ],
    [1, () => ({ kind: "store-away", afterMs, forMs: random.integer(100, 25_000), isFull: random.next() < 0.3 })],
    [1, () => ({ kind: "rival", afterMs })],
    [1, () => ({ kind: "lease-lost", afterMs, on: pick(["run", host()]), forMs: random.integer(1000, 20_000) })],
    [4, () => ({ kind: "crash", afterMs, backAfterMs: random.integer(10, 30_000) })],
    [
      2,
      () => ({
        kind: "crash-sending",
        call: pick(MUTATIONS),
        nth: random.integer(1, 5),
        arrivesAfterMs: random.integer(1, 30_000),
        backAfterMs: random.integer(10, 20_000),
      }),
    ],
    [1, () => ({ kind: "stall", afterMs, forMs: random.integer(500, 40_000) })],
    [1, () => ({ kind: "clock-step", afterMs, byMs: pick([-3_600_000, -60_000, 60_000, 3_600_000]) })],
    [2, () => createDeath(random, base, afterMs)],
    [
      2,
      () => ({
        kind: "split",
        afterMs,
        hosts: [...new Set(Array.from({ length: random.integer(1, 2) }, host))],
        forMs: random.integer(100, 15_000),
      }),
    ],
    [
      1,
      () => ({
        kind: "flap",
        afterMs,
        replica: pick(["front-0", "front-1", "front-2", "pricing-0", "reports-0"]),
        everyMs: random.integer(100, 3000),
        times: 2 * random.integer(1, 4),
      }),
    ],
    [
      2,
      () => ({
        kind: "duplicate",
        call: pick(MUTATIONS),
        nth: random.integer(1, 5),
        againAfterMs: random.integer(1, 20_000),
      }),
    ],
  ];
  const total = makers.reduce((sum, [weight]) => sum + weight, 0);
  let left = random.next() * total;
  for (const [weight, make] of makers) if ((left -= weight) < 0) return make();
  throw new RangeError("weights do not add up");
}

function createFault(random: Random): Fault {
  const pick = <T>(values: readonly T[]): T => values[random.integer(0, values.length - 1)] as T;
  const effect = pick<FaultEffect>([
    { kind: "refuse" },
    { kind: "timeout" },
    { kind: "timeout" },
    { kind: "answer-lost" },
    { kind: "answer-lost" },
    { kind: "partial" },
    { kind: "slow", ms: pick([500, 3000, 10_000]) },
    { kind: "agent-dies", backAfterMs: random.integer(100, 8000), isDone: random.next() < 0.5 },
  ]);
  // Parts of the platform that are no host have no agent that could die.
  const calls = effect.kind === "agent-dies" ? CALLS.filter((call) => /^hosts\.(?!list|\*)/.test(call)) : CALLS;
  const call = pick(calls);
  // A call that changes something comes a few times in a run, reads come again and again.
  const nth = random.integer(1, (MUTATIONS as readonly string[]).includes(call) ? 6 : 60);
  return { call, nth, times: random.integer(1, 2), effect };
}

function createDeath(random: Random, base: Base, afterMs: number): Incident {
  const number = random.integer(1, base.hosts);
  const isZone = random.next() < 0.3;
  const hosts = Array.from({ length: base.hosts }, (_, index) => index + 1)
    .filter((other) => (isZone ? zoneOf(other, base.zones) === zoneOf(number, base.zones) : other === number))
    .map(hostId);
  const isBack = random.next() < 0.6;
  return { kind: "hosts-die", afterMs, hosts, ...(isBack ? { backAfterMs: random.integer(500, 20_000) } : {}) };
}
