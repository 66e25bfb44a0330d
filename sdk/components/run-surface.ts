/**
 * What components around a run share: lists of other components as arguments, the plan on the run's row, and Ctrl-C.
 *
 * Not for: rules of single arguments (sdk/arguments).
 */
import * as fs from "node:fs";
import * as path from "node:path";
import * as pulumi from "@pulumi/pulumi";
import { validateDependencies, type Rule } from "../arguments";
import {
  isFinalPhase,
  renderPlanTable,
  renderUnplanned,
  stopRequestPath,
  unpackSpec,
  type Mistake,
  type Phase,
} from "../model";
import type { MaintenanceRun } from "./maintenance-run";
import type { MaintenanceWindow } from "./maintenance-window";
import type { ResourceIsland } from "./resource-island";

/** A list of components of one kind, `minimum` at least. */
export function instances<T>(
  of: abstract new (...args: never[]) => T,
  what: string,
  minimum: number,
): Rule<readonly T[]> {
  return (value, field, mistakes) => {
    if (Array.isArray(value) && value.length >= minimum && value.every((item) => item instanceof of))
      return value as T[];
    mistakes.push({
      field,
      value: Array.isArray(value) ? `${String(value.length)} items` : typeof value,
      rule: `must be a list of at least ${String(minimum)} ${what}`,
      remedy: `create one with new archipelago.${what}(...)`,
    });
    return undefined;
  };
}

/** Islands and windows together: no name stands twice, and what depends on each other is there. */
export function validateSurroundings(
  { islands, windows }: { readonly islands: readonly ResourceIsland[]; readonly windows: readonly MaintenanceWindow[] },
  mistakes: Mistake[],
): void {
  validateDependencies(
    islands.flatMap(({ islandName, workloads }) =>
      workloads.map((workload, index) => ({ field: `${islandName}.workloads[${String(index)}]`, ...workload })),
    ),
    mistakes,
  );
  validateUnique(
    "islands",
    islands.map(({ islandName }) => islandName),
    mistakes,
  );
  validateUnique(
    "windows",
    windows.map(({ spec }) => spec.name),
    mistakes,
  );
}

function validateUnique(field: string, names: readonly string[], mistakes: Mistake[]): void {
  names.forEach((name, index) => {
    if (names.indexOf(name) < index) {
      mistakes.push({
        field: `${field}[${String(index)}]`,
        value: name,
        rule: "stands twice",
        remedy: "leave one out",
      });
    }
  });
}

/** More workloads are on more hosts than those whose runs a preview simulates. */
const MOST_SIMULATED = 250;

/** The plan as a table on the run's row, in previews only: in an update it would show again after the run. */
export function showPlan(name: string, run: MaintenanceRun): void {
  if (!pulumi.runtime.isDryRun()) return;
  const outcome = outcomeOf(run);
  if (run.workloads <= MOST_SIMULATED) {
    whenIdle(() => {
      // Whatever fails here fails again, and is told, where it is needed.
      import("../../providers/pulumi/preview.js").then(({ preparePreview }) => preparePreview()).catch(() => undefined);
    });
  }
  pulumi.all([run.plan, run.specInput, run.urnInput]).apply(async ([plan, spec, urn]) => {
    // Without this the SDK would disconnect from the engine while nothing else is under way.
    const shown = pulumi.runtime.rpcKeepAlive();
    try {
      const ended = await outcome;
      if (ended) {
        await pulumi.log.info(`${name}: nothing to do: ${ended}`, run);
        return;
      }
      const { completePreview } = await import("../../providers/pulumi/preview.js");
      const view = await completePreview({ plan, spec: unpackSpec(spec), urn });
      await pulumi.log.info(renderPlanTable({ ...view, page: path.resolve(view.page) }, name), run);
    } finally {
      shown();
    }
  });
  run.unplanned.apply((unplanned) => pulumi.log.info(renderUnplanned(name, unplanned), run));
}

/** Timers that come when they should, one after the other: the program waits for the engine, which plans. */
const IDLE_TIMERS = 3;
const IDLE_TIMER_MS = 10;

/** Does something once this process has nothing to do; never, where it ends before that. */
function whenIdle(action: () => void): void {
  let punctual = 0;
  const look = (): void => {
    const dueAt = performance.now() + IDLE_TIMER_MS;
    setTimeout(() => {
      punctual = performance.now() - dueAt < IDLE_TIMER_MS / 2 ? punctual + 1 : 0;
      if (punctual === IDLE_TIMERS) action();
      else look();
    }, IDLE_TIMER_MS).unref();
  };
  look();
}

/**
 * How the run has ended, where it has and this preview finds nothing more to do; the plan is then the one that was
 * carried out. Where there is something to do the engine does not know these outputs.
 */
async function outcomeOf(run: MaintenanceRun): Promise<string | undefined> {
  const outputs = pulumi.all([run.phase, run.phaseReason, run.report]);
  // The SDK keeps this one out of its types; an unknown output never calls back.
  if (!(await (outputs as unknown as { readonly isKnown: Promise<boolean> }).isKnown)) return undefined;
  const [phase, reason, report] = await new Promise<[Phase, string, string]>((resolve) => {
    outputs.apply(resolve);
  });
  if (!isFinalPhase(phase)) return undefined;
  return `${phase}: ${reason}${report === "" ? "" : `\n  report    ${report}`}`;
}

/**
 * The engine does not tell a provider about Ctrl-C: the program leaves a stop request, and the run stops at its next
 * step border. The run's own `urn` would come too late: it is known once the run has ended.
 */
export function passOnInterrupts(run: MaintenanceRun): void {
  if (pulumi.runtime.isDryRun()) return;
  const folder = process.cwd();
  run.urnInput.apply((urn) => {
    const file = stopRequestPath(folder, urn);
    fs.rmSync(file, { force: true });
    process.once("SIGINT", () => {
      fs.mkdirSync(path.dirname(file), { recursive: true });
      fs.writeFileSync(file, JSON.stringify({ at: Date.now(), reason: "Ctrl-C in pulumi up" }));
      process.exit(130);
    });
  });
}
