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
  type UnitDecision,
} from "../../sdk/model";

/** Hosts that are shown of each move, the best ones first. */
const SHOWN_SCORES = 6;

/** What a plan decides about one workload: the moves of its copies with the targets that were looked at, and what stays. */
export function renderWorkload(plan: MigrationPlan, workload: string): string {
  const moves = plan.waves.flatMap((wave) =>
    wave.moves.filter((move) => move.workload === workload).map((move) => ({ wave, move })),
  );
  const staying = (plan.units ?? []).filter((unit) => unit.workload === workload);
  if (moves.length + staying.length === 0) return `${workload}: no copy of it is on a host of this plan`;
  return [
    `${workload}: ${String(moves.length)} moves`,
    ...moves.flatMap(({ wave, move }) => {
      const [first = "", ...lines] = renderMove(move);
      return [`${first} in wave ${String(wave.index)} (${wave.kind})`, ...lines];
    }),
    ...staying.flatMap(renderStaying),
  ].join("\n");
}

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
  lines.push(...staying.flatMap(renderStaying));
  return lines.join("\n");
}

function renderStaying({ unit, workload, host, outcome, migration, reason }: UnitDecision): readonly string[] {
  return [`  ${unit} of ${workload} on ${host}: ${outcome}: ${reason}`, `      ${renderMigration(migration)}`];
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
