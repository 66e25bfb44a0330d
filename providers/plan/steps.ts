/**
 * The steps of a wave and what each has to wait for. Within a wave everything that need not wait runs at once.
 *
 * Not for: choosing hosts and targets, and the steps of one move (move-steps.ts).
 *
 * Invariants
 * 1. Every step comes after all steps that it waits for, in the list as well.
 * 2. Nothing of a host begins before the reserve is held; a host is changed only when the last copy that has to leave
 *    it has left. A copy that is restarted in place leaves and comes back between the change and the validation.
 * 3. A copy that serves leaves traffic only after its replacement has been admitted (surge before evict), and a function
 *    that stands in for one only after that one is back.
 * 4. Where hosts follow each other, a host is cordoned when the new copies of its moves serve: until then it works, so
 *    that it has to count as out of service only from then on.
 * 5. A machine that was replaced is ended last, when the one in its place has been watched.
 * 6. Of workloads that call each other never two pause at a time in a wave: what comes later in the list waits.
 */
import type { PlanStep, UpdateWay } from "../../sdk/model";

import { criticalFirst } from "./critical-first";
import { isPausing } from "./dependency-order";
import {
  createArriveSteps,
  createFallBackSteps,
  createLeaveSteps,
  createMoveSteps,
  createSurgeSteps,
  lastOfMoves,
  type StepOptions,
  type WorkloadMove,
} from "./move-steps";

/** Settings of the steps of a wave that updates hosts. */
export interface UpdateStepOptions extends StepOptions {
  readonly wayOf: (host: string) => UpdateWay;
}

/** Steps of a wave that updates hosts. */
export function createUpdateSteps(
  index: number,
  hosts: readonly string[],
  moves: readonly WorkloadMove[],
  reserve: readonly string[],
  options: UpdateStepOptions,
): PlanStep[] {
  const { spec, durations } = options;
  const steps: PlanStep[] = [];
  const first = reserve.length > 0 ? [`w${String(index)}/reserve`] : [];
  for (const id of first) {
    steps.push({ id, kind: "reserve", hosts: reserve, after: [], expected: durations.reserve });
  }
  const refusals = createRefusals(index, moves, first, options);
  steps.push(...refusals.map(({ refuse }) => refuse));
  const refusalOf = (move: WorkloadMove): readonly string[] =>
    refusals.flatMap(({ refuse }) => (move.move.refuses && refuse.workload === move.workload.name ? [refuse.id] : []));
  const backs = new Map<string, string[]>();
  const ends: string[] = [];
  const movesOf = new Map<string, WorkloadMove[]>();
  for (const move of orderMoves(moves, options)) {
    const list = movesOf.get(move.move.from);
    if (list) list.push(move);
    else movesOf.set(move.move.from, [move]);
  }
  const endsOf = new Map<string, readonly string[]>();
  const soaksAll = spec.limits.soakMs > 0;
  const discards: PlanStep[] = [];
  for (const host of hosts) {
    const here = movesOf.get(host) ?? [];
    const id = idsOf(index, host);
    const lane = options.laneOf?.(host);
    const after = [...first, ...(lane?.after.flatMap((other) => endsOf.get(other) ?? []) ?? [])];
    const leaving = here.filter(({ move }) => move.method !== "restart");
    const transferMs = options.transferOf?.(host);
    const ahead = lane ? leaving.flatMap((move) => createSurgeSteps(id, move, after, options, transferMs)) : [];
    steps.push(...ahead);
    const cordonAfter = ahead.length > 0 ? lastOfMoves(ahead) : after;
    const cordoned = [id("cordon")];
    steps.push({ id: cordoned[0] ?? "", kind: "cordon", host, after: cordonAfter, expected: durations.cordon });
    const left = leaving.flatMap((move) => {
      const surge = lane ? [] : createSurgeSteps(id, move, cordoned, options, transferMs);
      const before = [...(surge.length > 0 ? lastOfMoves(surge) : cordoned), ...refusalOf(move)];
      const leave = [...surge, ...createLeaveSteps(id, move, before, options, transferMs)];
      steps.push(...leave);
      return leave.slice(-1).map((step) => step.id);
    });

    steps.push({
      id: id("snapshot"),
      kind: "snapshot",
      host,
      after: left.length > 0 ? left : cordoned,
      expected: durations.snapshot,
    });
    steps.push(...createChange(id, host, options));
    const changed = steps.at(-1)?.id ?? "";
    const restarted = here
      .filter(({ move }) => move.method === "restart")
      .flatMap((restart) => {
        const leave = createLeaveSteps(id, restart, [changed], options);
        const stopped = leave.slice(-1).map((step) => step.id);
        const arrive = createArriveSteps(id, restart, host, stopped, options);
        steps.push(...leave, ...arrive);
        return arrive.slice(-1).map((step) => step.id);
      });
    const validateAfter = restarted.length > 0 ? restarted : [changed];
    steps.push(
      { id: id("validate"), kind: "validate", host, after: validateAfter, expected: durations.validate },
      { id: id("uncordon"), kind: "uncordon", host, after: [id("validate")], expected: durations.uncordon },
    );
    const endsHere = [id("uncordon")];
    for (const away of here.filter(({ move }) => move.method === "shed" || move.method === "burst")) {
      const arrive = createArriveSteps(id, away, host, [id("uncordon")], options);
      const back = [...arrive, ...createFallBackSteps(id, away, lastOfMoves(arrive), options)];
      steps.push(...back);
      endsHere.push(...back.slice(-1).map((step) => step.id));
      const { name } = away.workload;
      if (away.move.refuses) backs.set(name, [...(backs.get(name) ?? []), ...back.slice(-1).map((step) => step.id)]);
    }
    const discard = (after: readonly string[]): readonly PlanStep[] =>
      options.wayOf(host) === "in-place"
        ? []
        : [
            {
              id: id("discard-replaced"),
              kind: "discard-replaced",
              host,
              after,
              expected: durations["discard-replaced"],
            },
          ];
    if (!lane) {
      ends.push(...endsHere);
      discards.push(...discard(soaksAll ? [`w${String(index)}/soak`] : endsHere));
    } else if (soaksAll) {
      const durationMs = spec.limits.soakMs;
      steps.push({
        id: id("soak"),
        kind: "soak",
        hosts: [host],
        durationMs,
        after: endsHere,
        expected: durations.soak,
      });
      endsOf.set(host, [id("soak")]);
      steps.push(...discard([id("soak")]));
    } else {
      endsOf.set(host, endsHere);
      steps.push(...discard(endsHere));
    }
  }
  for (const { refuse, serve } of refusals) {
    steps.push({ ...serve, after: backs.get(refuse.workload) ?? [refuse.id] });
    ends.push(serve.id);
  }
  if (soaksAll && ends.length > 0) {
    steps.push({
      id: `w${String(index)}/soak`,
      kind: "soak",
      hosts,
      durationMs: spec.limits.soakMs,
      after: ends,
      expected: durations.soak,
    });
  }
  steps.push(...discards);
  return keepApart(steps, moves, options);
}

/** Ids of a host's steps. They begin with one text that all of them hold: a plan has hundreds of thousands of them. */
function idsOf(index: number, host: string): (kind: string) => string {
  const prefix = `w${String(index)}/${host}/`;
  return (kind) => prefix + kind;
}

/** Steps after which an emptied host is as wanted, not validated yet. */
function createChange(
  id: (kind: string) => string,
  host: string,
  { spec, durations, wayOf }: UpdateStepOptions,
): PlanStep[] {
  const after = [id("snapshot")];
  if (wayOf(host) === "replacement") {
    return [{ id: id("replace"), kind: "replace", host, after, expected: durations.replace }];
  }
  const update: PlanStep = { id: id("update"), kind: "update", host, after, expected: durations.update };
  if (!spec.update.reboot) return [update];
  return [update, { id: id("reboot"), kind: "reboot", host, after: [update.id], expected: durations.reboot }];
}

type PathsStep<K extends "refuse-paths" | "serve-paths"> = Extract<PlanStep, { readonly kind: K }>;

/** Functions are refused once in a wave, before the first copy leaves, and served again when the last one is back. */
function createRefusals(
  index: number,
  moves: readonly WorkloadMove[],
  after: readonly string[],
  { durations }: StepOptions,
): readonly { readonly refuse: PathsStep<"refuse-paths">; readonly serve: PathsStep<"serve-paths"> }[] {
  const byWorkload = new Map(
    moves.flatMap(({ move }) => (move.refuses ? [[move.workload, move.refuses] as const] : [])),
  );
  return [...byWorkload].map(([workload, { paths }]) => {
    const id = (kind: string): string => `w${String(index)}/${kind}/${workload}`;
    const part = { workload, paths };
    const [refuse, serve] = [id("refuse-paths"), id("serve-paths")];
    return {
      refuse: { ...part, id: refuse, kind: "refuse-paths", after, expected: durations["refuse-paths"] },
      serve: { ...part, id: serve, kind: "serve-paths", after: [refuse], expected: durations["serve-paths"] },
    };
  });
}

/**
 * Steps of a failback wave: copies leave `hosts`, then the reserve is released where `release` names hosts.
 * @param hosts in the order of their lanes
 */
export function createFailbackSteps(
  index: number,
  hosts: readonly string[],
  moves: readonly WorkloadMove[],
  release: readonly string[],
  options: StepOptions,
): PlanStep[] {
  const steps: PlanStep[] = [];
  const movesOf = Map.groupBy(orderMoves(moves, options), ({ move }) => move.from);
  const endsOf = new Map<string, readonly string[]>();
  for (const host of hosts) {
    const id = idsOf(index, host);
    const after = options.laneOf?.(host).after.flatMap((other) => endsOf.get(other) ?? []) ?? [];
    const ends = (movesOf.get(host) ?? []).flatMap((move) => {
      const leave = createMoveSteps(id, move, after, options);
      steps.push(...leave);
      return leave.slice(-1).map((step) => step.id);
    });
    endsOf.set(host, ends);
  }
  if (release.length > 0) {
    steps.push({
      id: `w${String(index)}/release`,
      kind: "release",
      hosts: release,
      after: [...endsOf.values()].flat(),
      expected: options.durations.release,
    });
  }
  return keepApart(steps, moves, options);
}

/**
 * Steps of a rebalance wave: each source is cordoned while copies leave it, then source and targets are validated.
 */
export function createRebalanceSteps(
  index: number,
  sources: readonly string[],
  moves: readonly WorkloadMove[],
  options: StepOptions,
): PlanStep[] {
  const { durations } = options;
  const steps: PlanStep[] = [];
  for (const host of sources) {
    const here = orderMoves(moves, options).filter(({ move }) => move.from === host);
    const id = idsOf(index, host);
    steps.push({ id: id("cordon"), kind: "cordon", host, after: [], expected: durations.cordon });
    const ends = here.flatMap((move) => {
      const leave = createMoveSteps(id, move, [id("cordon")], options);
      steps.push(...leave);
      return leave.slice(-1).map((step) => step.id);
    });
    const touched = [...new Set([host, ...here.flatMap(({ move }) => move.to ?? [])])].sort();
    const checks = touched.map((checked) => id(`validate/${checked}`));
    touched.forEach((checked, at) => {
      steps.push({ id: checks[at] ?? "", kind: "validate", host: checked, after: ends, expected: durations.validate });
    });
    steps.push({ id: id("uncordon"), kind: "uncordon", host, after: checks, expected: durations.uncordon });
  }
  return keepApart(steps, moves, options);
}

/** Moves of what is called before those of its callers, else those of critical workloads first. */
function orderMoves(moves: readonly WorkloadMove[], { dependencies }: StepOptions): readonly WorkloadMove[] {
  const ordered = criticalFirst(moves, ({ workload }) => workload);
  if (!dependencies?.isAny) return ordered;
  return ordered.toSorted((a, b) => dependencies.depthOf(a.workload.name) - dependencies.depthOf(b.workload.name));
}

/**
 * Lets moves that pause a workload wait for those before them in the list that pause one that it calls or that calls it.
 * Steps wait for earlier ones only, so that there is no circle.
 */
function keepApart(steps: PlanStep[], moves: readonly WorkloadMove[], { dependencies }: StepOptions): PlanStep[] {
  if (!dependencies?.isAny) return steps;
  const pausing = new Map(
    moves.filter(({ move }) => isPausing(move)).map(({ move, workload }) => [move.id, workload.name]),
  );
  if (pausing.size < 2) return steps;
  /** By workload: ids of the last steps of its moves so far. */
  const ends = new Map<string, Map<string, string>>();
  const begun = new Set<string>();
  return steps.map((step) => {
    const workload = "move" in step ? pausing.get(step.move) : undefined;
    if (workload === undefined || !("move" in step)) return step;
    const isFirst = !begun.has(step.move);
    begun.add(step.move);
    const own = ends.get(workload) ?? new Map<string, string>();
    ends.set(workload, own.set(step.move, step.id));
    if (!isFirst) return step;
    const others = [...ends].filter(([other]) => dependencies.areRelated(workload, other));
    const before = others.flatMap(([, last]) => [...last.values()]);
    return before.length === 0 ? step : { ...step, after: [...new Set([...step.after, ...before])] };
  });
}
