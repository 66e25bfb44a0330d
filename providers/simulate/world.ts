/**
 * A world to play a plan in: the in-memory fleet as the bundle saw the real one, with times, demand and failures drawn
 * for one run.
 *
 * Not for: playing (simulate-run.ts).
 *
 * Invariant: what is drawn follows from seed and number of the run alone, so that runs may be dealt out to threads.
 */
import type { Bundle, DurationQuantiles, Fleet, HostUpdateSpec, StepKind } from "../../sdk/model";
import { wayOf } from "../../sdk/model";
import type { StepDurations } from "../plan/durations";
import type { CommandBehaviour, MemoryFleetSpec, MemoryHostSpec, MemoryWorkloadSpec, Random } from "../testing";
import { createRandom } from "../testing";
import type { SimulationAssumptions } from "./simulation";

/** One run's world. */
export interface World {
  readonly fleet: MemoryFleetSpec;
  readonly spec: HostUpdateSpec;
  /** Time that a look at a host's validation takes. */
  validationMs(): number;
  /** Hosts that die by themselves, with times from the start. */
  readonly deaths: readonly { readonly host: string; readonly afterMs: number; readonly backAfterMs: number }[];
}

/** Standard normal deviate of the 95th percentile. */
const Z95 = 1.645;
/** A drain that takes longer than its limit fails the run; what takes nearly as long is what is declared. */
const DRAIN_SHARE = 0.9;
/** Of the longest pause allowed: median and P95 of writing a state out, and of reading it, each. */
const TRANSFER = { p50: 1 / 8, p95: 1 / 4 } as const;
/** A host that died is back after this: a reset, or a machine that was moved. */
const HOST_BACK_MS = 600_000;
const MONTH_MS = 30 * 86_400_000;
/** Requests are only there for pauses to be seen; rates are not part of a bundle. */
const REQUESTS_PER_SECOND = 10;
/** Share of requests that are as slow as a drain waits for. */
const SLOW_SHARE = 0.01;

/** Creates the world of one run. @param lengthMs from the start to the close of the window */
export function createWorld(
  bundle: Bundle,
  durations: StepDurations,
  assumptions: SimulationAssumptions,
  { seed, run, lengthMs }: { readonly seed: number; readonly run: number; readonly lengthMs: number },
): World {
  const random = createRandom(seed).fork(`run ${String(run)}`);
  const draw = (kind: StepKind): number => drawDuration(random, durations[kind]);
  const { fleet } = bundle;
  const spec = simulatedSpec(bundle.spec);
  const path = random.integer(0, bundle.forecast.demand.cpuMillis.length - 1);
  return {
    fleet: {
      name: spec.islands[0]?.source.kind === "memory" ? spec.islands[0].source.fleet : "simulation",
      hosts: fleet.hosts.map((host) => simulatedHost(host, spec.update, draw)),
      workloads: simulatedWorkloads(bundle, path, random, durations),
      functions: (fleet.functions ?? []).map((name) => ({ name, coldStartMs: draw("deploy-function") / 2 })),
      ...(spec.update.image === undefined ? {} : { images: imagesOf(spec.update, random, assumptions) }),
      commands: commandsOf(spec, random, draw, assumptions),
      share: Math.min(1, Math.max(0, ...fleet.islands.map(({ share }) => share.cpu))),
    },
    spec,
    validationMs: () => draw("validate"),
    deaths: drawDeaths(random, fleet, assumptions.hostFailuresPerMonth, lengthMs),
  };
}

/** The spec without what reaches out of the simulation: checks of the user's are green, stages before it are done. */
export function simulatedSpec({ after: _, ...spec }: HostUpdateSpec): HostUpdateSpec {
  return {
    ...spec,
    islands: spec.islands.map((island) => ({
      ...island,
      workloads: island.workloads.map((workload) => ({ ...workload, hooks: {} })),
      validate: [{ kind: "command", command: "true", timeoutMs: 10_000 }],
    })),
  };
}

/** A time of a log-normal distribution that has these quantiles. */
function drawDuration(random: Random, { p50Ms, p95Ms }: DurationQuantiles): number {
  if (p50Ms <= 0) return 0;
  const spread = Math.log(Math.max(p95Ms, p50Ms) / p50Ms) / Z95;
  return Math.round(p50Ms * Math.exp(spread * random.normal()));
}

function simulatedHost(
  host: Fleet["hosts"][number],
  update: HostUpdateSpec["update"],
  draw: (kind: StepKind) => number,
): MemoryHostSpec {
  const { id, zone, rack, capacity, role, probe, offers, immutable } = host;
  const version = probe?.output ?? "before";
  const chosen = wayOf(update, host);
  const isReplaced = "way" in chosen && chosen.way === "replacement";
  const bootMs = draw(role === "standby" ? "reserve" : isReplaced ? "replace" : "reboot");
  return {
    id,
    zone,
    rack,
    capacity,
    role,
    version,
    bootMs,
    ...(offers ? { offers } : {}),
    ...(immutable === undefined ? {} : { immutable }),
  };
}

function simulatedWorkloads(
  { fleet, forecast, spec }: Bundle,
  path: number,
  random: Random,
  durations: StepDurations,
): readonly MemoryWorkloadSpec[] {
  const { demand } = forecast;
  const values = demand.cpuMillis[path] ?? [];
  return fleet.workloads.map((workload): MemoryWorkloadSpec => {
    const index = demand.workloads.indexOf(workload.name);
    const demandAt = (atMs: number): number => {
      const step = Math.max(0, Math.min(demand.steps - 1, Math.floor((atMs - demand.startMs) / demand.stepMs)));
      return index < 0 ? 0 : (values[index * demand.steps + step] ?? 0);
    };
    const transfer = { p50Ms: workload.maxPauseMs * TRANSFER.p50, p95Ms: workload.maxPauseMs * TRANSFER.p95 };
    return {
      name: workload.name,
      hosts: fleet.replicas
        .filter((replica) => replica.workload === workload.name && replica.state !== "stopped")
        .map((replica) => replica.host),
      exclusive: workload.exclusive,
      service: workload.service ?? null,
      request: workload.request,
      startMs: drawDuration(random, durations["start-copy"]),
      demandCpuMillis: demandAt,
      requestsPerSecond: REQUESTS_PER_SECOND,
      functions: Object.fromEntries(
        (forecast.functions ?? []).flatMap((one) => (one.workload === workload.name ? [[one.name, one.share]] : [])),
      ),
      slowShare: workload.exclusive ? 0 : SLOW_SHARE,
      slowRequestMs: Math.min(drawDuration(random, durations.drain), spec.limits.drainMs * DRAIN_SHARE),
      transferMs: workload.exclusive ? drawDuration(random, transfer) : 0,
    };
  });
}

/** What machines of the update's image print; those of an update that fails print something else. */
function imagesOf(
  { image = "", expect }: HostUpdateSpec["update"],
  random: Random,
  { updateFailureShare }: SimulationAssumptions,
): NonNullable<MemoryFleetSpec["images"]> {
  return { [image]: ({ version }) => (random.next() < updateFailureShare ? `${version}-broken` : matchOf(expect)) };
}

function commandsOf(
  { update }: HostUpdateSpec,
  random: Random,
  draw: (kind: StepKind) => number,
  { updateFailureShare }: SimulationAssumptions,
): NonNullable<MemoryFleetSpec["commands"]> {
  const before = new Map<string, string>();
  return {
    true: { kind: "print", output: "" },
    [update.probe]: ({ version }) => ({ kind: "print", output: version }),
    ...(update.undo === undefined
      ? {}
      : {
          [update.undo]: ({ id, version }): CommandBehaviour => ({
            kind: "set-version",
            version: before.get(id) ?? version,
            afterMs: draw("update"),
          }),
        }),
    ...(update.command === undefined
      ? {}
      : {
          [update.command]: ({ id, version }): CommandBehaviour => {
            before.set(id, version);
            const afterMs = draw("update");
            if (random.next() < updateFailureShare) {
              return { kind: "fail", afterMs, exitCode: 1, output: "simulated failure of the update\n" };
            }
            return { kind: "set-version", version: matchOf(update.expect), afterMs };
          },
        }),
  };
}

/** Some text that a glob matches. */
function matchOf(glob: string): string {
  return glob.replaceAll("*", "").replaceAll("?", "0");
}

function drawDeaths(random: Random, fleet: Fleet, perMonth: number, lengthMs: number): World["deaths"] {
  if (perMonth <= 0) return [];
  return fleet.hosts
    .filter(({ role }) => role === "member")
    .flatMap(({ id }) => {
      // Times between failures that come at a constant rate are exponential.
      const afterMs = (-Math.log(1 - random.next()) * MONTH_MS) / perMonth;
      return afterMs < lengthMs ? [{ host: id, afterMs, backAfterMs: HOST_BACK_MS }] : [];
    });
}
