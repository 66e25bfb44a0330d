/**
 * Seeded bugs: each takes one promise out of the product, from outside, by wrapping a driver, a step, a store or the
 * fleet's own guard. A suite that does not notice them is worth nothing.
 *
 * Not for: product code; nothing there knows of any of this.
 */
import type { JournalEntry, MigrationPlan, PlanStep, StepKind } from "../../sdk/model";
import { BudgetGate } from "../../providers/execute/budget-gate";
import { stepOf } from "../../providers/execute/steps";
import type { RunStore } from "../../providers/journal/run-store";
import type { RunDependencies } from "../../providers/runner/run";
import { RunLeases } from "../../providers/runner/leases";
import { Placement, type Assessment } from "../../providers/plan/placement";
import { CallGate } from "../../providers/testing/call-gate";
import type { Tampering } from "./carry-out";
import type { Incident, Scenario } from "./scenario";

/** One seeded bug. */
export interface Mutation {
  readonly name: string;
  /** Added to every scenario, for a bug that shows only when these happen. */
  readonly incidents?: readonly Incident[];
  /** What comes between in every scenario. */
  readonly tampering?: Tampering;
  /** Changes something for all; returns how to take it back. */
  readonly install?: () => () => void;
}

/** The bugs. */
export const MUTATIONS: readonly Mutation[] = [
  {
    name: "skips the undo of an update",
    install: () => replaceMember(step("update"), "undo", () => Promise.resolve("undone")),
  },
  {
    name: "skips the undo of a cordon",
    install: () => replaceMember(step("cordon"), "undo", () => Promise.resolve("undone")),
  },
  {
    name: "keeps the reserve when it should give it back",
    install: () => {
      const done = (): Promise<unknown> => Promise.resolve({ state: "done", result: null });
      const restore = [
        replaceMember(step("release"), "start", done),
        replaceMember(step("release"), "observe", () => Promise.resolve("before")),
        replaceMember(step("release"), "poll", done),
      ];
      return () => {
        for (const undo of restore) undo();
      };
    },
  },
  {
    name: "puts copies on hosts that have no memory for them",
    install: () => {
      const { assess } = Placement.prototype;
      return replaceMember(
        Placement.prototype,
        "assess",
        function (this: Placement, ...asked: Parameters<typeof assess>): Assessment {
          const assessment = assess.apply(this, asked);
          return assessment.refusal === "memory" ? { ...assessment, refusal: undefined } : assessment;
        },
      );
    },
  },
  {
    name: "takes a copy that still starts for one that serves",
    tampering: { dependencies: withHastyReads },
  },
  {
    name: "counts a drain as done while requests are under way",
    tampering: { dependencies: withoutRequestsUnderWay },
  },
  {
    name: "acts although its lease is lost",
    install: () => {
      const nothing = (): void => undefined;
      const restore = [
        replaceMember(RunLeases.prototype, "assertHeld", nothing),
        replaceMember(RunLeases.prototype, "declareLost", nothing),
      ];
      return () => {
        for (const undo of restore) undo();
      };
    },
  },
  {
    name: "shares the lease and the journal of another owner",
    incidents: [{ kind: "rival", afterMs: 3000 }],
    tampering: { dependencies: (deps) => ({ ...deps, store: withSharedOwnership(deps.store) }) },
  },
  {
    name: "lets an earlier owner through, whose epoch is over",
    incidents: [{ kind: "stall", afterMs: 9000, forMs: 17_000 }],
    install: () => {
      const nothing = (): void => undefined;
      const restore = [
        replaceMember(RunLeases.prototype, "assertHeld", nothing),
        replaceMember(RunLeases.prototype, "declareLost", nothing),
        replaceMember(CallGate.prototype, "checkEpoch", nothing),
      ];
      return () => {
        for (const undo of restore) undo();
      };
    },
  },
  {
    name: "reserves after the cordon",
    tampering: {
      plan: changeSteps((planned, wave) => {
        const reserve = wave.find(({ kind }) => kind === "reserve");
        if (!reserve) return planned;
        if (planned.kind === "reserve") return { ...planned, after: [] };
        return { ...planned, after: planned.after.filter((id) => id !== reserve.id) };
      }),
    },
  },
  {
    name: "drains without a surge",
    tampering: {
      plan: changeSteps((planned) => (planned.kind === "drain" ? { ...planned, after: [] } : planned)),
    },
  },
  {
    name: "updates a host before its copies have left",
    tampering: {
      plan: changeSteps((planned, wave) =>
        planned.kind === "snapshot" || planned.kind === "update"
          ? {
              ...planned,
              after: planned.after.filter((id) => {
                const before = wave.find((other) => other.id === id);
                return before?.kind !== "stop-copy" && before?.kind !== "hand-over";
              }),
            }
          : planned,
      ),
    },
  },
  {
    name: "takes a new key for every try",
    incidents: [{ kind: "call", fault: { call: "hosts.reboot", effect: { kind: "answer-lost" } } }],
    tampering: { dependencies: withFreshKeys },
  },
  {
    name: "passes the budget's gate without a look",
    // Plans keep budgets by themselves; the gate is for what they could not know: two copies of a workload fall ill once a
    // wave is planned, and a third one is to leave before anything is planned anew, for new copies start slowly.
    incidents: [
      { kind: "call", fault: { call: "workloads.start", times: 3, effect: { kind: "slow", ms: 9000 } } },
      { kind: "flap", afterMs: 1, replica: "front-1", everyMs: 4000, times: 1 },
      { kind: "flap", afterMs: 1, replica: "front-2", everyMs: 4000, times: 1 },
    ],
    install: () =>
      replaceMember(
        BudgetGate.prototype,
        "pass",
        (_context: unknown, _workload: unknown, _leaving: unknown, _giveUpAt: unknown, effect: () => unknown) =>
          effect(),
      ),
  },
  {
    name: "believes that a state was restored without looking at its hash",
    incidents: [{ kind: "call", fault: { call: "workloads.restore", effect: { kind: "partial" } } }],
    tampering: { dependencies: withBelievedRestores },
  },
  {
    name: "stores no intents",
    tampering: {
      dependencies: (deps) => ({
        ...deps,
        store: mapEntries(deps.store, (entry) =>
          entry.kind === "step-intent" ? { ...entry, step: { ...entry.step, id: `${entry.step.id}x` } } : entry,
        ),
      }),
    },
  },
  {
    name: "names nothing that it could not undo",
    tampering: {
      dependencies: (deps) => ({
        ...deps,
        store: mapEntries(deps.store, (entry) =>
          entry.kind === "failure"
            ? { ...entry, failure: { ...entry.failure, subject: "run", reason: "failed", undone: [], notUndone: [] } }
            : entry.kind === "phase"
              ? { ...entry, reason: "because" }
              : entry,
        ),
      }),
    },
  },
];

function step(kind: StepKind): object {
  return stepOf({ kind } as PlanStep);
}

/** Replaces a method; returns how to put it back. */
function replaceMember(target: object, name: string, replacement: unknown): () => void {
  const had = Object.getOwnPropertyDescriptor(target, name);
  Object.defineProperty(target, name, { value: replacement, configurable: true, writable: true, enumerable: true });
  return () => {
    if (had) Object.defineProperty(target, name, had);
    else Reflect.deleteProperty(target, name);
  };
}

function changeSteps(
  change: (step: PlanStep, wave: readonly PlanStep[]) => PlanStep,
): (plan: MigrationPlan) => MigrationPlan {
  return (plan) => ({
    ...plan,
    waves: plan.waves.map((wave) => ({
      ...wave,
      steps: wave.steps.map((planned) => change(planned, wave.steps)),
    })),
  });
}

/** Who is refused a lease takes that of its holder, and writes behind what the other one writes. */
function withSharedOwnership(store: RunStore): RunStore {
  const { leases } = store;
  return {
    ...store,
    append: async (run, _seq, entries) => store.append(run, (await store.read(run)).nextSeq, entries),
    leases: {
      ...leases,
      acquire: async (resource, owner, ttlMs) =>
        (await leases.inspect(resource)) ?? leases.acquire(resource, owner, ttlMs),
    },
  };
}

/** Copies and backends that are not there yet look as if they were. */
function withHastyReads(deps: RunDependencies): RunDependencies {
  const { workloads, traffic } = deps.platform;
  return {
    ...deps,
    platform: {
      ...deps.platform,
      workloads: {
        ...workloads,
        list: async (signal) =>
          (await workloads.list(signal)).map((copy) =>
            copy.state === "starting" ? { ...copy, state: "healthy" } : copy,
          ),
      },
      traffic: {
        ...traffic,
        observe: async (signal) =>
          (await traffic.observe(signal)).map((service) => ({
            ...service,
            backends: service.backends.map((backend) => ({ ...backend, healthy: true })),
          })),
      },
    },
  };
}

function withoutRequestsUnderWay(deps: RunDependencies): RunDependencies {
  const { traffic } = deps.platform;
  const observe: typeof traffic.observe = async (signal) =>
    (await traffic.observe(signal)).map((service) => ({
      ...service,
      backends: service.backends.map((backend) => ({ ...backend, inFlight: 0 })),
    }));
  return { ...deps, platform: { ...deps.platform, traffic: { ...traffic, observe } } };
}

function withBelievedRestores(deps: RunDependencies): RunDependencies {
  const { workloads } = deps.platform;
  const restore: typeof workloads.restore = async (host, replica, from, token, context) => {
    await workloads.restore(host, replica, from, token, context);
    return { sha256: from.state.sha256 };
  };
  return { ...deps, platform: { ...deps.platform, workloads: { ...workloads, restore } } };
}

function withFreshKeys(deps: RunDependencies): RunDependencies {
  let count = 0;
  const { hosts } = deps.platform;
  return {
    ...deps,
    platform: {
      ...deps.platform,
      hosts: {
        ...hosts,
        startUpdate: (host, command, context) =>
          hosts.startUpdate(host, command, { ...context, key: `${context.key}/${String((count += 1))}` }),
        reboot: (host, context) => hosts.reboot(host, { ...context, key: `${context.key}/${String((count += 1))}` }),
      },
    },
  };
}

function mapEntries(store: RunStore, change: (entry: JournalEntry) => JournalEntry): RunStore {
  return { ...store, append: (run, seq, entries) => store.append(run, seq, entries.map(change)) };
}

/** The scenario as a mutation wants it. */
export function scenarioFor({ incidents = [] }: Mutation, scenario: Scenario): Scenario {
  return { ...scenario, incidents: [...scenario.incidents, ...incidents] };
}
