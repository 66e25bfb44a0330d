/**
 * A move of a wave in words and numbers, from what the search chose.
 *
 * Not for: choosing (wave-search.ts).
 */
import { formatDurationShort, type Move, type RefusedFunctions, type StandIn, type Workload } from "../../sdk/model";

import { describeChoice, percent } from "./explain";
import { isPinned } from "./place-rules";
import type { Placement } from "./placement";
import type { Problem } from "./problem";
import { scoreCopy } from "./scores/score-copy";
import { renderScores } from "./targets";
import type { Choice, PlacedMove, SearchOptions } from "./wave-search";

function describeRefusal(from: string, { paths, share }: RefusedFunctions): string {
  return (
    `no host has room for it while ${from} is updated; its budget allows it to pause, and ${paths.join(", ")}, ` +
    `${percent(share)} of the requests, are refused meanwhile, so that the other copies carry its part`
  );
}

function describeStandIn(workload: Workload | undefined, from: string, standIn: StandIn, quantile: number): string {
  const { function: name, share, requestsPerSecond } = standIn;
  return (
    `${workload && isPinned(workload) ? "it may not move" : `no host has room for it while ${from} is updated`}; function ${name} serves its ${percent(share)} of the requests ` +
    `meanwhile, ${requestsPerSecond.toFixed(1)} a second (P${String(Math.round(quantile * 100))}), and goes when it is back`
  );
}

/** The move that a choice is. */
export function renderMove(
  problem: Problem,
  placement: Placement,
  { task, list, target, arrived, standIn, refuses }: Choice,
  options: SearchOptions,
): PlacedMove {
  const { copy } = task;
  const hostsOf = (work: number): ReadonlyMap<number, number> => placement.hostsOf(work);
  const goal = target && { site: target.site, cpuShare: target.assessment.cpuShare };
  const workload = problem.works[copy.work]?.workload;
  const from = problem.sites[copy.site]?.host.id ?? "";
  const shared = {
    id: `w${String(options.index)}/${copy.id}`,
    workload: workload?.name ?? "",
    replica: copy.id,
    newReplica: arrived.id,
    from,
    scores: list ? renderScores(problem, list, target) : [],
    migration: scoreCopy(
      problem,
      copy,
      placement.loadOf(copy.site),
      hostsOf,
      goal,
      options.failback ? "none" : undefined,
    ),
  };
  const move: Move =
    target && list
      ? {
          ...shared,
          to: problem.sites[target.site]?.host.id ?? "",
          method: arrived.id === copy.id ? "live" : workload?.exclusive ? "hand-over" : "surge",
          reason:
            describeChoice(problem, list, target, options.quantile) +
            (arrived.id === copy.id
              ? `; it moves while it runs, stopped for ${String(copy.blackoutMs ?? 0)} ms at P95`
              : ""),
        }
      : task.isLeftToEnd && !list
        ? {
            ...shared,
            method: "end",
            reason: `it ends by itself within ${formatDurationShort(copy.endsInMs ?? 0)} (P95), so nothing is moved`,
          }
        : !list
          ? {
              ...shared,
              method: "restart",
              reason: `it has to be restarted to take the update; its budget allows that where it is`,
            }
          : standIn
            ? {
                ...shared,
                method: "burst",
                standIn,
                reason: describeStandIn(workload, from, standIn, options.quantile),
              }
            : {
                ...shared,
                method: "shed",
                ...(refuses ? { refuses } : {}),
                reason: refuses
                  ? describeRefusal(from, refuses)
                  : workload && isPinned(workload)
                    ? `it may not move, and its budget allows it to pause while ${from} is updated`
                    : `no host has room for it while ${from} is updated; it is sheddable and its budget allows it to pause`,
              };
  return { move, gone: copy, arrived };
}
