/**
 * What a preview and a run under way ask of the planner: a plan from its thread with the page beside it, and the rest of
 * a run planned again from the middle.
 *
 * Not for: observing and forecasting; both are at hand here, as metrics and fits are in the cache.
 */
import { createEnvelope } from "../../providers/plan/envelope";
import { createPlanWorker } from "../../providers/plan/plan-in-worker";
import { plan, type PlanInput } from "../../providers/plan/plan";
import { renderPlanPage } from "../../providers/report/plan-page";
import { createPlanView, type MigrationPlan, type Replica } from "../../sdk/model";

/** Times of a preview's planning, ms. */
export interface PreviewTimes {
  /** Plan from a thread that has yet to start and load the planner, view and page. */
  readonly coldMs: number;
  /** The same from the thread again: the median. */
  readonly warmMs: number;
}

const ROUNDS = 3;

/** Plans in the planner's thread, and renders what a preview shows. */
export async function measurePreview(input: PlanInput): Promise<PreviewTimes> {
  const worker = createPlanWorker();
  const time = async (): Promise<number> => {
    const begun = performance.now();
    const made = await worker.plan(input);
    createPlanView(made, "UTC", "plan.html");
    renderPlanPage(input.spec, made, input.forecast);
    return performance.now() - begun;
  };
  try {
    const coldMs = await time();
    const warm: number[] = [];
    for (let round = 0; round < ROUNDS; round++) warm.push(await time());
    return { coldMs, warmMs: middle(warm) };
  } finally {
    await worker.close();
  }
}

/** Time to plan what is left when half of the hosts are updated, ms: the median. */
export function measureReplan(input: PlanInput, made: MigrationPlan): number {
  const half = inTheMiddle(input, made);
  return middle(
    Array.from({ length: ROUNDS }, () => {
      const begun = performance.now();
      const { decision, blockers } = plan(half);
      if (decision !== "run") throw new Error(`the rest is ${decision}: ${blockers[0]?.reason ?? ""}`);
      return performance.now() - begun;
    }),
  );
}

/** The run when the first half of its hosts has been updated, in the order of waves and lanes, as it was planned. */
export function inTheMiddle(input: PlanInput, { waves }: MigrationPlan): PlanInput {
  const { fleet, spec } = input;
  const updates = waves.filter(({ kind }) => kind === "update" || kind === "canary");
  const order = updates.flatMap(({ hosts }) => hosts);
  const updated = new Set(order.slice(0, order.length >> 1));
  const replicas = new Map(fleet.replicas.map((replica) => [replica.id, replica]));
  const renamed = new Map<string, Replica>();
  for (const { from, to, replica, newReplica } of updates.flatMap(({ moves }) => moves)) {
    const before = replicas.get(replica);
    if (!updated.has(from) || to === undefined || !before) continue;
    const after = { ...before, id: newReplica, host: to };
    replicas.delete(replica);
    replicas.set(newReplica, after);
    renamed.set(replica, after);
  }
  const latest = (id: string): string => {
    let now = id;
    for (let next = renamed.get(now); next; next = renamed.get(now)) now = next.id;
    return now;
  };
  const origins: Record<string, string[]> = {};
  for (const { workload, host } of fleet.replicas) (origins[workload] ??= []).push(host);
  const startMs = waves[0]?.startMs ?? input.slotMs;
  const window = spec.windows[0];
  return {
    ...input,
    nowMs: waves[1] ? (waves[1].startMs + waves[1].endMs) / 2 : startMs,
    fleet: {
      ...fleet,
      hosts: fleet.hosts.map((host) =>
        updated.has(host.id) ? { ...host, probe: { output: "6.12.58", matches: true } } : host,
      ),
      replicas: [...replicas.values()],
      services: fleet.services.map((service) => ({
        ...service,
        ...(service.owner === undefined ? {} : { owner: latest(service.owner) }),
        backends: service.backends.map((backend) => ({ ...backend, replica: latest(backend.replica) })),
      })),
    },
    progress: {
      reservedHosts: [],
      updatedHosts: [...updated],
      approvedEnvelope: createEnvelope(spec, fleet),
      waveOffset: 2,
      origins,
      opening: {
        window: window?.name ?? "",
        startMs: input.slotMs,
        endMs: input.slotMs + (window?.durationMs ?? 0),
      },
    },
  };
}

function middle(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0;
}
