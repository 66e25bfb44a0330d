/** `--what-if` of `archipelago plan`: reads the changes, plans on the forecast that follows from them, and tells it. */
import { didYouMean, type Bundle, type MigrationPlan } from "../../sdk/model";
import { whatIf, type SupposedChange, type WhatIfAnswer } from "../forecast/dependencies/what-if";
import { UsageError } from "./command";

const MOVED = "moved";

/** The plan that a bundle would lead to. @throws UsageError with every mistake in `text` */
export async function suppose(
  bundle: Bundle,
  text: string,
): Promise<{ readonly answer: WhatIfAnswer; readonly plan: MigrationPlan }> {
  const { fleet } = bundle;
  const changes = parseSupposedChanges(
    text,
    fleet.workloads.map(({ name }) => name),
  );
  const answer = whatIf(bundle.forecast, fleet.workloads, changes);
  const { inputOf, plan } = await import("../plan/plan.js");
  return { answer, plan: plan(inputOf({ ...bundle, forecast: answer.forecast })) };
}

/** Reads `front=20%,reports=moved`. @throws UsageError with every mistake */
function parseSupposedChanges(text: string, names: readonly string[]): readonly SupposedChange[] {
  const mistakes: string[] = [];
  const changes = text.split(",").flatMap((part): readonly SupposedChange[] => {
    const [workload = "", what = ""] = part.split("=").map((piece) => piece.trim());
    if (!names.includes(workload)) {
      const near = didYouMean(workload, names);
      const remedy = near ? `did you mean "${near}"?` : `it knows ${names.join(", ")}`;
      mistakes.push(`--what-if: "${workload}" is no workload of this plan; ${remedy}`);
      return [];
    }
    if (what === MOVED) return [{ kind: "moved", workload }];
    const factor = parseFactor(what);
    if (factor === undefined) {
      mistakes.push(`--what-if: "${part}" must end in a share of the demand or in "moved"; write ${workload}=200%`);
      return [];
    }
    return [{ kind: "factor", workload, factor }];
  });
  if (mistakes.length > 0) throw new UsageError(mistakes.join("\n"));
  return changes;
}

/** "20%" is 0.2; above 100 % is allowed here, unlike in arguments. */
function parseFactor(text: string): number | undefined {
  const whole = /^(\d+)(\.\d+)?\s*%$/.exec(text);
  return whole ? Number.parseFloat(text) / 100 : undefined;
}

/** Lines of text for people. */
export function renderAnswer({ peaks, notes }: WhatIfAnswer): string {
  const cores = (cpuMillis: number): string => (cpuMillis / 1000).toFixed(2);
  return [
    "what if:",
    ...notes.map((note) => `  ${note}`),
    ...peaks.map(
      ({ workload, beforeCpuMillis, afterCpuMillis }) =>
        `  ${workload}: at most ${cores(afterCpuMillis)} cores 19 times of 20, instead of ${cores(beforeCpuMillis)}`,
    ),
  ].join("\n");
}
