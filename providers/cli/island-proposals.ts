/** Proposed islands as a declaration that can be pasted into a program, with why and with numbers. Pure. */
import { formatPercentage } from "../../sdk/model";
import type { IslandProposal, IslandProposals } from "../plan/islands/propose-islands";
import { renderValue, renderWorkload } from "./workload-declaration";

const GIB = 2 ** 30;

/** Renders the proposals; what the hosts are is taken over from the island that the workloads are in now. */
export function renderIslands({ islands, fits, left }: IslandProposals): string {
  const sum = fits
    ? `// ${formatPercentage(left.cpu)} of CPU and ${formatPercentage(left.memory)} of memory of each host are left, promised to nobody`
    : `// TOO MUCH for these hosts: ${missingOf(left)} of each host is missing; add hosts, or fewer at once`;
  return [sum, ...islands.map(renderIsland)].join("\n\n");
}

function missingOf({ cpu, memory }: IslandProposals["left"]): string {
  return [
    ...(cpu < 0 ? [`${formatPercentage(-cpu)} of CPU`] : []),
    ...(memory < 0 ? [`${formatPercentage(-memory)} of memory`] : []),
  ].join(" and ");
}

/** Rules of an island as a program declares them. */
function declaredRules({ disruptionBudgets, ...others }: IslandProposal["rules"]): Readonly<Record<string, unknown>> {
  if (!disruptionBudgets) return others;
  const budgets = disruptionBudgets.map(({ hosts, ...rest }) => ({
    hosts: typeof hosts === "number" ? hosts : formatPercentage(hosts.share),
    ...rest,
  }));
  return { ...others, disruptionBudgets: budgets };
}

function renderIsland({
  name,
  from,
  rules,
  workloads,
  share,
  needCpuMillis,
  needMemoryBytes,
  reason,
}: IslandProposal): string {
  const need = `${(needCpuMillis / 1000).toFixed(2)} cores and ${(needMemoryBytes / GIB).toFixed(2)} GiB`;
  return [
    `// ${reason}; needs ${need}`,
    `new archipelago.ResourceIsland(${JSON.stringify(name)}, {`,
    `  hosts: ${/^[A-Za-z_$][\w$]*$/.test(from) ? `${from}Hosts` : "hosts"}, // those of ${from}`,
    `  guarantee: { cpu: "${formatPercentage(share.cpu)}", memory: "${formatPercentage(share.memory)}" },`,
    ...Object.entries(declaredRules(rules)).map(([rule, value]) => `  ${rule}: ${renderValue(value)},`),
    "  workloads: [",
    ...workloads.map((workload) => `    ${renderWorkload(workload)},`),
    "  ],",
    "});",
  ].join("\n");
}
