/** Random fleets for properties of the planner. */
import * as fc from "fast-check";

import type { PlanInput } from "../../providers/plan/plan";
import type { Host, UpdateSpec } from "../../sdk/model";
import { sampleInput, type Sample, type SampleHost, type SampleWorkload } from "./sample-fleets";

const GIB = 2 ** 30;

/** Fleets of 2 to 7 hosts with up to 6 workloads of all kinds; some can be planned, some cannot. */
export function randomSample(): fc.Arbitrary<Sample> {
  return fc
    .record({
      members: fc.array(fc.record({ zone: fc.constantFrom("a", "b", "c"), cores: fc.integer({ min: 2, max: 8 }) }), {
        minLength: 2,
        maxLength: 7,
      }),
      standby: fc.integer({ min: 0, max: 3 }),
      maximum: fc.integer({ min: 0, max: 3 }),
      failback: fc.constantFrom("origin" as const, "if-better" as const, "never" as const),
      hostsAtOnce: fc.integer({ min: 1, max: 3 }),
      hostsPerZone: fc.integer({ min: 1, max: 2 }),
      canaryHosts: fc.integer({ min: 0, max: 2 }),
      matching: fc.integer({ min: 0, max: 2 }),
    })
    .chain((shape) => {
      const hosts: SampleHost[] = [
        ...shape.members.map(({ zone, cores }, index) => ({
          id: `host-${String(index + 1)}`,
          zone,
          cpuMillis: cores * 1000,
          ...(index < shape.matching && index + 1 < shape.members.length
            ? { host: { probe: { output: "v2", matches: true } } }
            : {}),
        })),
        ...Array.from({ length: shape.standby }, (_, index) => ({
          id: `standby-${String(index + 1)}`,
          zone: "a",
          role: "standby" as const,
        })),
      ];
      const ids = shape.members.map((_, index) => `host-${String(index + 1)}`);
      return fc.array(randomWorkload(ids), { minLength: 0, maxLength: 6 }).map((workloads): Sample => ({
        hosts,
        workloads: workloads.map((workload, index) => ({ ...workload, name: `app${String(index)}` })),
        maximumReserveHosts: shape.maximum,
        spec: {
          failback: shape.failback,
          limits: {
            hostsAtOnce: shape.hostsAtOnce,
            hostsPerZone: shape.hostsPerZone,
            canaryHosts: shape.canaryHosts,
            soakMs: 60_000,
            drainMs: 30_000,
          },
        },
      }));
    });
}

/** Fleets of 10 to 18 hosts that are updated nine at once: their waves have lanes. */
export function randomWideSample(): fc.Arbitrary<Sample> {
  return fc
    .record({
      members: fc.array(fc.record({ zone: fc.constantFrom("a", "b", "c"), cores: fc.integer({ min: 2, max: 6 }) }), {
        minLength: 10,
        maxLength: 18,
      }),
      hostsPerZone: fc.integer({ min: 3, max: 9 }),
      hostsPerRack: fc.option(fc.integer({ min: 1, max: 3 }), { nil: undefined }),
      soakMs: fc.constantFrom(0, 60_000),
    })
    .chain(({ members, hostsPerZone, hostsPerRack, soakMs }) => {
      const ids = members.map((_, index) => `host-${String(index + 10)}`);
      return fc.array(randomWorkload(ids), { minLength: 3, maxLength: 14 }).map((workloads): Sample => ({
        hosts: members.map(({ zone, cores }, index) => ({ id: ids[index] ?? "", zone, cpuMillis: cores * 1000 })),
        workloads: workloads.map((workload, index) => ({ ...workload, name: `app${String(index)}` })),
        spec: {
          limits: {
            hostsAtOnce: 9,
            hostsPerZone,
            ...(hostsPerRack === undefined ? {} : { hostsPerRack }),
            canaryHosts: 1,
            soakMs,
            drainMs: 30_000,
          },
        },
      }));
    });
}

function randomWorkload(hosts: readonly string[]): fc.Arbitrary<SampleWorkload> {
  return fc
    .record({
      kind: fc.constantFrom("service", "service", "job", "exclusive", "sheddable"),
      on: fc.subarray([...hosts], { minLength: 1, maxLength: Math.min(4, hosts.length) }),
      demand: fc.array(fc.integer({ min: 50, max: 1500 }), { minLength: 20, maxLength: 20 }),
      memory: fc.integer({ min: 1, max: 8 }),
      maxUnavailable: fc.integer({ min: 0, max: 2 }),
    })
    .map(({ kind, on, demand, memory, maxUnavailable }): SampleWorkload => {
      const exclusive = kind === "exclusive";
      return {
        name: "",
        on: exclusive ? on.slice(0, 1) : on,
        demand,
        memoryBytes: (memory * GIB) / 4,
        service: kind !== "job",
        workload: {
          exclusive,
          maxUnavailable: exclusive ? 0 : Math.min(maxUnavailable, on.length),
          ...(kind === "sheddable" ? { criticality: "sheddable" as const } : {}),
        },
      };
    });
}

/** Picks of an arbitrary order, from a number: a small generator so that a failing order can be seen again. */
export function pickFrom(seed: number): (count: number) => number {
  let state = seed >>> 0;
  return (count) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * count);
  };
}

function zoneOf({ hosts }: Sample, id: string): string {
  return hosts.find((host) => host.id === id)?.zone ?? "a";
}

/** Rules that are drawn; workloads and hosts beyond have none. */
const LISTED = { minLength: 20, maxLength: 20 } as const;

/** Rules about places and devices for a sample, some of which its start breaks. */
export function withRules(samples: fc.Arbitrary<Sample>): fc.Arbitrary<Sample> {
  const rule = fc.record({
    kind: fc.constantFrom(
      "none",
      "none",
      "none",
      "none",
      "zone",
      "label",
      "moves",
      "devices",
      "part",
      "near",
      "apart",
      "spread",
    ),
    reach: fc.constantFrom("zone", "rack", "nowhere" as const),
    zones: fc.subarray(["a", "b", "c"], { minLength: 1 }),
    cards: fc.integer({ min: 1, max: 2 }),
    part: fc.constantFrom(0.25, 0.5, 0.75),
    requested: fc.integer({ min: 0, max: 1500 }),
  });
  const host = fc.record({
    security: fc.constantFrom("open", "restricted"),
    count: fc.integer({ min: 1, max: 4 }),
    partitions: fc.constantFrom(1, 4, 7),
  });
  const overcommits = fc.option(fc.constantFrom(1, 1.5, 3), { nil: undefined });
  return fc
    .tuple(samples, fc.array(rule, LISTED), fc.array(host, LISTED), overcommits)
    .map(([sample, rules, offers, cpu]): Sample => ({
      ...sample,
      ...(cpu === undefined ? {} : { island: { overcommit: { cpu } } }),
      hosts: sample.hosts.map((one, index): SampleHost => {
        const { security = "open", count = 1, partitions = 1 } = offers[index] ?? {};
        return {
          ...one,
          host: { ...one.host, labels: { security }, devices: { gpu: { count, partitions } } },
        };
      }),
      workloads: sample.workloads.map((one, index, all): SampleWorkload => {
        const next = rules[index];
        if (!next) return one;
        const zones = [...new Set(sample.hosts.map(({ zone = "a" }) => zone))];
        const known = next.zones.filter((zone) => zones.includes(zone));
        const before = all[index - 1]?.name;
        const declared = ((): SampleWorkload["workload"] => {
          switch (next.kind) {
            case "zone":
              return known.length === 0 ? {} : { within: { zones: known } };
            case "label":
              return { within: { labels: { security: [next.cards === 1 ? "open" : "restricted"] } } };
            case "moves":
              return { moves: next.reach };
            case "devices":
              return { devices: { gpu: next.cards } };
            case "part":
              return { devices: { gpu: next.part } };
            case "near":
              return before === undefined ? {} : { dependsOn: [{ workload: before, within: "zone" }] };
            case "spread":
              return new Set(one.on.map((id) => zoneOf(sample, id))).size < 2
                ? {}
                : { spread: { over: "zone", atLeast: 2 } };
            case "apart":
              return before === undefined ? {} : { apartFrom: [before] };
            default:
              return {};
          }
        })();
        const request = { cpuMillis: next.requested, memoryBytes: one.memoryBytes ?? GIB / 4 };
        return { ...one, workload: { ...one.workload, request, ...declared } };
      }),
    }));
}

/** A sample with a service that has a copy on every host and no reserve: no copy of it finds room on another host. */
export function withSpread(sample: Sample): Sample {
  const on = sample.hosts.flatMap(({ id, role }) => (role === "standby" ? [] : [id]));
  const demand = sample.workloads[0]?.demand ?? [400];
  const spread: SampleWorkload = { name: "spread", on, demand, memoryBytes: GIB / 4, workload: { maxUnavailable: 1 } };
  return { ...sample, workloads: [...sample.workloads, spread], maximumReserveHosts: 0 };
}

/** The input of a sample of which every service may burst to a function of its own. */
export function withBursts(sample: Sample, requestsPerSecond: number): PlanInput {
  const input = sampleInput(sample);
  const { fleet } = input;
  const workloads = fleet.workloads.map((workload) => {
    if (workload.exclusive || workload.service === undefined) return workload;
    const burst = { function: `${workload.name}-fn`, requestsPerSecond, coldStartMs: 2000, cpuMsPerRequest: 2 };
    return { ...workload, burst };
  });
  const functions = workloads.flatMap(({ burst }) => burst?.function ?? []);
  return { ...input, fleet: { ...fleet, workloads, functions } };
}

/** The input of a sample in which a part of the requests of every service may be refused. */
export function withRefusals(sample: Sample, share: number): PlanInput {
  const input = sampleInput(sample);
  const { fleet, forecast } = input;
  const functions = [{ path: "/reports", criticality: "sheddable" as const }];
  const workloads = fleet.workloads.map((workload) => ({ ...workload, functions }));
  const judged = workloads.map(({ name: workload }) => ({
    ...{ workload, name: "/reports", criticality: "sheddable" as const, confidence: 1, share, reason: "as declared" },
  }));
  return { ...input, fleet: { ...fleet, workloads, refusesPaths: true }, forecast: { ...forecast, functions: judged } };
}

/** The input with an image in place of the command; hosts offer replacement but those at places that `offers` leaves out. */
export function withImage(input: PlanInput, offers: (at: number) => boolean = () => true): PlanInput {
  const { command: _, undo: __, disturbs: ___, ...update } = input.spec.update;
  const hosts = input.fleet.hosts.map((host, at) =>
    offers(at) ? { ...host, offers: [...(host.offers ?? []), "replacement" as const] } : host,
  );
  return {
    ...input,
    fleet: { ...input.fleet, hosts },
    spec: { ...input.spec, update: { ...update, reboot: false, image: "image-2" } },
  };
}

/** What the driver of a host reports that can be done to it. */
export type Reported = "both" | "in-place" | "replacement" | "neither";

/** The input of a sample whose update gives a command and an image. */
export function withTwoWays(
  input: PlanInput,
  reported: (at: number) => Reported,
  changed: Partial<UpdateSpec> = {},
): PlanInput {
  const hosts = input.fleet.hosts.map((host, at): Host => {
    const can = reported(at);
    const isReplaceable = can === "both" || can === "replacement";
    return {
      ...host,
      ...(isReplaceable ? { offers: [...(host.offers ?? []), "replacement" as const] } : {}),
      ...(can === "replacement" || can === "neither" ? { immutable: "read-only image" } : {}),
    };
  });
  const update = { ...input.spec.update, image: "image-2", ...changed };
  return { ...input, fleet: { ...input.fleet, hosts }, spec: { ...input.spec, update } };
}
