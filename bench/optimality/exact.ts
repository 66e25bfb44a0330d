/**
 * A placement problem as a mixed-integer program in the LP format, solved exactly by HiGHS; or its linear relaxation,
 * whose value no placement can be below.
 *
 * Not for: problems with neighbourhood dependencies and distances between machines; the small fleets have none.
 */
import type * as Highs from "highs";
import type { PlacementModel } from "../../providers/plan/search/model";

/** A solution of HiGHS. */
export interface ExactResult {
  readonly cost: number;
  /** True when it is proven to be the best; always for a relaxation. */
  readonly isOptimal: boolean;
}

export type Solve = (program: string, seconds: number) => { readonly status: string; readonly value: number };

/** Loads HiGHS, which is WebAssembly. */
export async function loadHighs(): Promise<Solve> {
  // CommonJS gives the function itself, whatever the types say about a default in it.
  const { default: loaded } = (await import("highs")) as unknown as { readonly default: typeof Highs.default };
  const highs = await loaded();
  return (program, seconds) => {
    const solution = highs.solve(program, { time_limit: seconds, mip_rel_gap: 0, output_flag: false });
    return { status: solution.Status, value: solution.ObjectiveValue };
  };
}

/** The lowest cost, or, relaxed, a bound below it. */
export function solveExactly(solve: Solve, model: PlacementModel, seconds: number, isRelaxed = false): ExactResult {
  const { program, constant } = renderProgram(model, isRelaxed);
  const { status, value } = solve(program, seconds);
  return { cost: value + constant, isOptimal: status === "Optimal" };
}

interface Program {
  readonly program: string;
  /** Cost that no decision changes. */
  readonly constant: number;
}

/** `x_p_m`: copy p is on host m. `o_m_r` load above safety, `b_i_m` balance missed, `y_m` host in use, `v` most moves. */
export function renderProgram(model: PlacementModel, isRelaxed: boolean): Program {
  const rows: string[] = [];
  const goal: string[] = [];
  const binaries: string[] = [];
  const { machineCount, processCount, resourceCount, serviceCount } = model;
  const all = (count: number): readonly number[] => Array.from({ length: count }, (_, index) => index);
  const x = (p: number, m: number): string => `x_${String(p)}_${String(m)}`;
  const isPinned = (p: number): boolean => model.pinned[p] === 1;
  const add = (name: string, terms: readonly string[], relation: string, bound: number): void => {
    if (terms.length > 0) rows.push(` ${name}: ${terms.join(" ")} ${relation} ${String(bound)}`);
  };
  const term = (factor: number, variable: string): string[] =>
    factor === 0 ? [] : [`${factor < 0 ? "-" : "+"} ${String(Math.abs(factor))} ${variable}`];
  let constant = 0;

  for (const p of all(processCount)) {
    add(
      `one_${String(p)}`,
      all(machineCount).flatMap((m) => term(1, x(p, m))),
      "=",
      1,
    );
    for (const m of all(machineCount)) binaries.push(x(p, m));
    const origin = model.origin[p] ?? -1;
    for (const m of all(machineCount)) {
      const price = placementCostOf(model, p, m);
      if (price === Infinity) add(`not_${String(p)}_${String(m)}`, term(1, x(p, m)), "=", 0);
      else goal.push(...term(price, x(p, m)));
    }
    if (isPinned(p)) add(`pin_${String(p)}`, term(1, x(p, origin)), "=", 1);
    // A move costs unless the copy is at its origin; what is nowhere yet does not move.
    if (origin < 0) continue;
    const cost = model.processMoveWeight * (model.moveCost[p] ?? 0);
    constant += cost;
    goal.push(...term(-cost, x(p, origin)));
  }
  for (const m of all(machineCount)) {
    const useOf = (r: number): string[] =>
      all(processCount).flatMap((p) => term(model.requirement[p * resourceCount + r] ?? 0, x(p, m)));
    for (const r of all(resourceCount)) {
      const at = m * resourceCount + r;
      const isTransient = model.transient[r] === 1;
      // On a transient resource what began here counts here in any case.
      const held = all(processCount).filter((p) => isTransient && model.origin[p] === m);
      const heldUse = held.reduce((sum, p) => sum + (model.requirement[p * resourceCount + r] ?? 0), 0);
      const moving = all(processCount)
        .filter((p) => !held.includes(p))
        .flatMap((p) => term(model.requirement[p * resourceCount + r] ?? 0, x(p, m)));
      add(`cap_${String(m)}_${String(r)}`, moving, "<=", (model.capacity[at] ?? 0) - heldUse);
      const over = `o_${String(m)}_${String(r)}`;
      add(`safe_${String(m)}_${String(r)}`, [...useOf(r), `- 1 ${over}`], "<=", model.safety[at] ?? 0);
      goal.push(...term(model.loadWeight[r] ?? 0, over));
    }
    model.balances.forEach(({ first, second, target, weight }, index) => {
      // target * (C1 - U1) - (C2 - U2) <= b
      const missed = `b_${String(index)}_${String(m)}`;
      const room = (r: number): number => model.capacity[m * resourceCount + r] ?? 0;
      const terms = all(processCount).flatMap((p) => {
        const use = (r: number): number => model.requirement[p * resourceCount + r] ?? 0;
        return term(use(second) - target * use(first), x(p, m));
      });
      add(`bal_${String(index)}_${String(m)}`, [...terms, `- 1 ${missed}`], "<=", room(second) - target * room(first));
      goal.push(...term(weight, missed));
    });
    const open = model.openCost[m] ?? 0;
    if (open > 0) {
      const used = `y_${String(m)}`;
      binaries.push(used);
      goal.push(...term(open, used));
      for (const p of all(processCount))
        add(`use_${String(p)}_${String(m)}`, [`+ 1 ${x(p, m)}`, `- 1 ${used}`], "<=", 0);
    }
  }
  for (const s of all(serviceCount)) {
    const members = all(processCount).filter((p) => model.service[p] === s);
    if (members.length === 0) continue;
    for (const m of all(machineCount)) {
      add(
        `per_${String(s)}_${String(m)}`,
        members.flatMap((p) => term(1, x(p, m))),
        "<=",
        model.perMachine[s] ?? 1,
      );
    }
    const spread = model.spreadMin[s] ?? 0;
    if (spread > 1) {
      const zones = all(model.locationCount).map((zone) => {
        const reached = `z_${String(s)}_${String(zone)}`;
        binaries.push(reached);
        const inside = all(machineCount).filter((m) => model.location[m] === zone);
        const terms = members.flatMap((p) => inside.flatMap((m) => term(-1, x(p, m))));
        add(`zone_${String(s)}_${String(zone)}`, [`+ 1 ${reached}`, ...terms], "<=", 0);
        return `+ 1 ${reached}`;
      });
      add(`spread_${String(s)}`, zones, ">=", spread);
    }
    if (model.serviceMoveWeight > 0) {
      const old = members.filter((p) => (model.origin[p] ?? -1) >= 0);
      const stay = old.flatMap((p) => term(1, x(p, model.origin[p] ?? 0)));
      add(`most_${String(s)}`, [...stay, "+ 1 v"], ">=", old.length);
    }
  }
  goal.push(...term(model.serviceMoveWeight, "v"));
  const domain = isRelaxed
    ? `Bounds\n${binaries.map((name) => ` 0 <= ${name} <= 1`).join("\n")}`
    : `Binary\n ${binaries.join("\n ")}`;
  const objective = goal.length === 0 ? "0 x_0_0" : goal.join("\n  ");
  return { program: `Minimize\n obj: ${objective}\nSubject To\n${rows.join("\n")}\n${domain}\nEnd\n`, constant };
}

/** Cost of a copy on a host; infinite where it may not be there. */
function placementCostOf(model: PlacementModel, process: number, machine: number): number {
  const row = (model.placementGroup[process] ?? 0) * model.machineClassCount;
  return model.placementCost[row + (model.machineClass[machine] ?? 0)] ?? 0;
}
