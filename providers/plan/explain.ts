/**
 * Reasons in words, for people who decide about a plan.
 *
 * Not for: deciding anything.
 */
import type { Assessment } from "./placement";
import type { Problem } from "./problem";
import type { ScheduleFailure } from "./schedule";
import type { Target, TargetList } from "./targets";

/** A share as a whole percentage: 0.284 -> "28 %". */
export function percent(share: number): string {
  return `${String(Math.round(share * 100))} %`;
}

/** Millicores as cores: 7500 -> "7.5 cores". */
export function cores(cpuMillis: number): string {
  const value = Number((cpuMillis / 1000).toFixed(2));
  return `${String(value)} core${value === 1 ? "" : "s"}`;
}

/** "1 host", "3 hosts". */
export function plural(count: number, noun: string, many = `${noun}s`): string {
  return `${String(count)} ${count === 1 ? noun : many}`;
}

/** A list of names, the first ones when there are many. */
export function names(items: readonly string[], most = 6): string {
  return items.length <= most
    ? items.join(", ")
    : `${items.slice(0, most).join(", ")} and ${String(items.length - most)} more`;
}

/** Why a host cannot take a copy. */
export function describeRefusal(problem: Problem, site: number, assessment: Assessment): string {
  switch (assessment.refusal) {
    case "leaving":
      return "is emptied in the same wave";
    case "closed":
      return problem.sites[site]?.closed ?? "is closed";
    case "island":
      return "is not a host of the island";
    case "rules":
      return "is not a host that the workload may run on";
    case "reach":
      return "is further away than its copies may move";
    case "apart":
      return "runs a workload that may not be beside it";
    case "devices":
      return "has no devices left for it";
    case "requests":
      return "would have more CPU requested than its overcommit allows";
    case "copies":
      return "runs a copy of the same workload";
    case "memory":
      return `would hold ${percent(assessment.memoryShare)} of its share of memory`;
    case "cpu":
      return `would use up to ${percent(assessment.worstCpuShare)} of its share of CPU, over it on ${plural(assessment.newOverPaths, "more path")}`;
    default:
      return "";
  }
}

/** Why a host was chosen over the others. */
export function describeChoice(problem: Problem, list: TargetList, chosen: Target, quantile: number): string {
  const host = problem.sites[chosen.site];
  const state =
    host?.host.role === "standby"
      ? "a reserved host"
      : chosen.pending
        ? "still to be updated itself"
        : "already as wanted, so no second move";
  // Joined, it is one text; put together piece by piece it would hold on to all pieces, and a plan has one for each move.
  return [
    `${host?.host.id ?? ""} is ${state}; it then uses ${percent(chosen.assessment.cpuShare)} of its share of CPU (P${String(Math.round(quantile * 100))}) `,
    `and ${percent(chosen.assessment.memoryShare)} of memory; `,
    chosen.site === list.goal?.site && (list.goal.why === "room" || chosen.score < bestScore(list))
      ? `chosen by the placement search, ${list.goal.why === "room" ? "so that every copy finds room" : "as the wave's copies are better off together"}`
      : list.possible === 1
        ? `the only possible of ${plural(list.refused.length + 1, "host")}`
        : `best of ${plural(list.possible, "possible host")}`,
  ].join("");
}

function bestScore({ targets }: TargetList): number {
  return targets.reduce((best, { score }) => Math.max(best, score), Number.NEGATIVE_INFINITY);
}

/** Why no schedule keeps the promise, as a sentence. */
export function describeFailure(problem: Problem, failure: ScheduleFailure): string {
  const hostOf = (site: number): string => problem.sites[site]?.host.id ?? "";
  const { cause } = failure;
  switch (cause.kind) {
    case "overload": {
      const cell = problem.cells[cause.overload.cell];
      return (
        `${hostOf(cell?.site ?? -1)} is over its share of ${cores(cell?.cpuMillis ?? 0)} on ${percent(cause.overload.share)} of the paths ` +
        "before anything moves off it"
      );
    }
    case "stuck": {
      const { copy, list, budgetBlocks, isFunctionFull } = cause.stuck;
      const workload = problem.works[copy.work]?.workload.name ?? "";
      const shed = budgetBlocks ? "; its budget does not allow to shed it either" : "";
      const full = isFunctionFull ? "; its function does not take that many requests" : "";
      return `no host can take ${copy.id} of ${workload} while ${hostOf(copy.site)} is emptied: ${countRefusals(list)}${full}${shed}`;
    }
  }
}

/** Refusals by reason, the most frequent first: "3 hosts would be over their share of CPU". */
function countRefusals(list: TargetList): string {
  const texts = {
    cpu: "over their share of CPU",
    memory: "over their share of memory",
    copies: "with a copy of it already",
    leaving: "emptied in the same wave",
    closed: "closed",
    island: "not of its island",
    rules: "where it may not run",
    reach: "further away than its copies may move",
    apart: "with a workload that may not be beside it",
    devices: "without devices left for it",
    requests: "with as much CPU requested as their overcommit allows",
  } as const;
  const counts = new Map<string, number>();
  for (const { assessment } of list.refused) {
    const text = texts[assessment.refusal ?? "island"];
    counts.set(text, (counts.get(text) ?? 0) + 1);
  }
  if (counts.size === 0) return "there is no other host";
  return [...counts]
    .sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1))
    .map(([text, count]) => `${plural(count, "host")} ${text}`)
    .join(", ");
}
