/**
 * Why a plan is as it is: the way taken for each host and why not a less disruptive one, the reason of every move with its
 * migration score and the score of each target, and why the rest stays. Pure.
 */
import {
  renderCounts,
  renderMigration,
  renderRejected,
  unitDecisions,
  type HostDecision,
  type MigrationPlan,
  type Move,
  type TargetScore,
} from "../../sdk/model";

/** Hosts that are shown of each move, the best ones first. */
const SHOWN_SCORES = 6;

/** All decisions of a plan in words. */
export function renderExplanation(plan: MigrationPlan): string {
  const lines = (plan.openingChoice ?? []).map(
    ({ opening, isChosen, reason }) =>
      `opening of ${new Date(opening.startMs).toISOString()} (${opening.window}): ${isChosen ? "taken" : "not taken"}: ${reason}`,
  );
  lines.push(`reserve: ${plan.reserve.reason}`);
  for (const { host, reason } of plan.skipped) lines.push(`${host} is left out: ${reason}`);
  lines.push(...(plan.hostDecisions ?? []).flatMap(renderHost));
  for (const wave of plan.waves) {
    const share = (wave.overCapacityShare * 100).toFixed(1);
    lines.push("", `wave ${String(wave.index)} (${wave.kind}): over capacity on ${share} % of the joint paths`);
    if (wave.moves.length === 0) lines.push("  no moves");
    for (const move of wave.moves) lines.push(...renderMove(move));
  }
  const units = unitDecisions(plan);
  const staying = plan.units ?? [];
  if (units.length > 0) lines.push("", `units: ${renderCounts(units)}`);
  for (const { unit, workload, host, outcome, migration, reason } of staying) {
    lines.push(`  ${unit} of ${workload} on ${host}: ${outcome}: ${reason}`, `      ${renderMigration(migration)}`);
  }
  return lines.join("\n");
}

function renderHost(decision: HostDecision): readonly string[] {
  if (decision.action === undefined || decision.action === "leave") return [];
  const rejected = renderRejected(decision);
  return [`${decision.host}: ${decision.action}: ${decision.reason}`, ...(rejected === "" ? [] : [`    ${rejected}`])];
}

function renderMove(move: Move): readonly string[] {
  const target = move.to === undefined ? "stays" : `> ${move.to}`;
  const rest = move.scores.length - SHOWN_SCORES;
  return [
    `  ${move.replica} of ${move.workload}: ${move.from} ${target} (${move.method})`,
    `    ${move.reason}`,
    ...(move.migration ? [`    ${renderMigration(move.migration)}`] : []),
    ...move.scores.slice(0, SHOWN_SCORES).map((score) => `      ${renderScore(score)}`),
    ...(rest > 0 ? [`      and ${String(rest)} more hosts`] : []),
  ];
}

function renderScore({ host, score, parts, rejected }: TargetScore): string {
  if (rejected !== undefined) return `${host}: not possible: ${rejected}`;
  const sum = Object.entries(parts).map(([name, value]) => `${name} ${value.toFixed(2)}`);
  return `${host}: ${score.toFixed(2)} = ${sum.join(" + ")}`;
}
