/**
 * Names that were declared and mean nothing: no copy of the workload runs and nothing says how to start one.
 *
 * Not for: workloads that are down but startable; those start with their first copy.
 */
import type { Blocker, Workload } from "../../sdk/model";
import { didYouMean } from "../../sdk/model";

import { names } from "./explain";
import type { PlanInput } from "./plan-input";

/** A blocker for each declared workload that was neither found nor can be started; usually a slip in its name. */
export function findUnknownWorkloads({ fleet, progress }: Pick<PlanInput, "fleet" | "progress">): readonly Blocker[] {
  const running = new Set(fleet.replicas.map((replica) => replica.workload));
  const silent = fleet.hosts.filter((host) => host.state === "unreachable").map((host) => host.id);
  // In the middle of a run its name is known to be right: all copies have ended by themselves.
  const isOver = ({ lifetimeMs }: Workload): boolean => progress !== undefined && lifetimeMs !== undefined;
  return fleet.workloads
    .filter((workload) => !running.has(workload.name) && workload.process === undefined && !isOver(workload))
    .map((workload) => ({
      code: "input",
      subject: workload.name,
      reason: describeAbsence(workload, silent),
      fix: suggestFix(workload.name, [...running].sort(), silent),
    }));
}

/** What a host that does not answer runs is not known: the workload may well be there. */
function describeAbsence({ name, island }: Workload, silent: readonly string[]): string {
  const where = silent.length === 0 ? "no host" : `no host that answers (${names(silent)} did not)`;
  return `workload ${name} of island ${island} runs on ${where}, and no command says how to start it`;
}

function suggestFix(name: string, running: readonly string[], silent: readonly string[]): string {
  const suggestion = didYouMean(name, running);
  if (suggestion !== undefined) return `did you mean "${suggestion}"? else give its command, or remove it`;
  if (silent.length > 0) return `bring ${names(silent)} back; if it does not run there either, correct the name`;
  const known = running.length > 0 ? `running are ${running.join(", ")}` : "no workload runs at all";
  return `correct the name (${known}), give its command, or remove it`;
}
