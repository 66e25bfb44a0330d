/** Why a plan is as it is: the reason of every move, with the score of each host and its parts. Pure. */
import type { MigrationPlan, Move, TargetScore } from "../../sdk/model";

/** Hosts that are shown of each move, the best ones first. */
const SHOWN_SCORES = 6;

/** All decisions of a plan in words. */
export function renderExplanation(plan: MigrationPlan): string {
  const lines = [`reserve: ${plan.reserve.reason}`];
  for (const { host, reason } of plan.skipped) lines.push(`${host} is left out: ${reason}`);
  for (const wave of plan.waves) {
    const share = (wave.overCapacityShare * 100).toFixed(1);
    lines.push("", `wave ${String(wave.index)} (${wave.kind}): over capacity on ${share} % of the joint paths`);
    if (wave.moves.length === 0) lines.push("  no moves");
    for (const move of wave.moves) lines.push(...renderMove(move));
  }
  return lines.join("\n");
}

function renderMove(move: Move): readonly string[] {
  const target = move.to === undefined ? "shed" : `> ${move.to}`;
  const rest = move.scores.length - SHOWN_SCORES;
  return [
    `  ${move.replica} of ${move.workload}: ${move.from} ${target} (${move.method})`,
    `    ${move.reason}`,
    ...move.scores.slice(0, SHOWN_SCORES).map((score) => `      ${renderScore(score)}`),
    ...(rest > 0 ? [`      and ${String(rest)} more hosts`] : []),
  ];
}

function renderScore({ host, score, parts, rejected }: TargetScore): string {
  if (rejected !== undefined) return `${host}: not possible: ${rejected}`;
  const sum = Object.entries(parts).map(([name, value]) => `${name} ${value.toFixed(2)}`);
  return `${host}: ${score.toFixed(2)} = ${sum.join(" + ")}`;
}
