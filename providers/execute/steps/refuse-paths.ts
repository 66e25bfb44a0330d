/**
 * `refuse-paths` and `serve-paths`: requests of functions that can be shed are refused at the switch while a copy of their
 * workload is away. Each is the other's way back, and what was refused before comes back too.
 */
import { DriverError } from "../../../sdk/model";
import type { Observation, Step, StepContext, StepOf } from "../step";
import { DONE, generousDeadlineMs } from "../step";
import { findService, workloadOf } from "./lookup";

const FLOOR_MS = 60_000;

type PathsContext = StepContext<StepOf<"refuse-paths" | "serve-paths">>;

/** @param wantedOf paths that are to be refused after the step */
function createStep(wantedOf: (paths: readonly string[]) => readonly string[]) {
  return {
    async observe(context: PathsContext): Promise<Observation> {
      return areEqual(await refusedBy(context), wantedOf(context.step.paths)) ? "after" : "before";
    },

    async prior(context: PathsContext) {
      return { paths: [...(await refusedBy(context))] };
    },

    async start(context: PathsContext) {
      await refuse(context, wantedOf(context.step.paths));
      return DONE;
    },

    async undo(context: PathsContext, prior: unknown): Promise<string | undefined> {
      const { paths } = prior as { readonly paths: readonly string[] };
      if (areEqual(await refusedBy(context), paths)) return undefined;
      await refuse(context, paths);
      const { workload } = context.step;
      return paths.length === 0
        ? `all of ${workload} is served again`
        : `${paths.join(", ")} of ${workload} refused again`;
    },

    deadlineMs: ({ step }: Pick<PathsContext, "step">) => generousDeadlineMs(step, FLOOR_MS),
  };
}

export const refusePathsStep: Step<StepOf<"refuse-paths">> = createStep((paths) => paths);
export const servePathsStep: Step<StepOf<"serve-paths">> = createStep(() => []);

/** What this run refuses now. */
async function refusedBy(context: PathsContext): Promise<readonly string[]> {
  const service = await findService(context, workloadOf(context, context.step.workload));
  return service?.refused?.owner === context.run ? service.refused.paths : [];
}

async function refuse(context: PathsContext, paths: readonly string[]): Promise<void> {
  const { service } = workloadOf(context, context.step.workload);
  const drive = context.platform.traffic.refuse;
  if (service === undefined || !drive) {
    throw new DriverError("unsupported", context.step.workload, "the switch cannot refuse paths any more", {
      remedy: "plan again: what a switch does not offer is not planned for",
    });
  }
  const name = paths.length === 0 ? "serve" : "refuse";
  await context.effect(name, "run", (call) => drive(service, paths, call));
}

function areEqual(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((path, index) => path === b[index]);
}
