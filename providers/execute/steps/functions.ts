/**
 * `deploy-function` and `remove-function`: a function comes to stand in for a copy, and goes when that one is back. Each
 * is the other's way back. Traffic comes and goes by `admit` and `drain`, as for copies.
 *
 * Invariants
 * 1. An endpoint counts as there only once it has answered a call as it should: a cold one would be slow for users.
 * 2. An endpoint that has traffic is removed through the budget gate only, and drained before.
 */
import { DriverError } from "../../../sdk/model";
import type { FunctionEndpoint } from "../../../sdk/model";
import type { FunctionDriver } from "../../drivers/contracts";
import { listEndpoints } from "../serving";
import type { Observation, Step, StepContext, StepOf, StepProgress } from "../step";
import { DONE, generousDeadlineMs } from "../step";
import { findBackend, workloadOf } from "./lookup";
import { drainBackend, removeBackend, setWeight, waitForBackend } from "./traffic";

const FLOOR_MS = 120_000;
const LOOK_AGAIN_MS = 50;

type FunctionContext = StepContext<StepOf<"deploy-function" | "remove-function">>;

export const deployFunctionStep: Step<StepOf<"deploy-function">> = {
  async observe(context) {
    const endpoint = await findEndpoint(context);
    // Ready is not warm: that is asked by calling it.
    return endpoint ? "partial" : "before";
  },

  async prior(context) {
    return { existed: (await findEndpoint(context)) !== undefined };
  },

  async start(context) {
    await deploy(context);
    return undefined;
  },

  poll,

  async undo(context, prior) {
    if ((prior as unknown as { readonly existed: boolean }).existed) return undefined;
    return (await takeAway(context))
      ? `${context.step.endpoint} of function ${context.step.function} removed`
      : undefined;
  },

  deadlineMs: ({ step }) => generousDeadlineMs(step, FLOOR_MS),
};

export const removeFunctionStep: Step<StepOf<"remove-function">> = {
  async observe(context): Promise<Observation> {
    return (await findEndpoint(context)) ? "before" : "after";
  },

  async prior(context) {
    const backend = await findBackend(context, workloadOf(context, context.step.workload), context.step.endpoint);
    return { existed: (await findEndpoint(context)) !== undefined, weight: backend?.weight ?? 0 };
  },

  async start(context) {
    await takeAway(context);
    return DONE;
  },

  async undo(context, prior) {
    const { existed, weight } = prior as unknown as { readonly existed: boolean; readonly weight: number };
    const { endpoint, function: name } = context.step;
    if (!existed || (await findEndpoint(context))) return undefined;
    await deploy(context);
    for (let progress = await poll(context); progress.state !== "done"; progress = await poll(context)) {
      if (progress.state === "failed") throw new DriverError("failed", endpoint, progress.reason);
      if (context.clock.now() >= context.deadlineAt) throw new DriverError("timeout", endpoint, progress.waitsFor);
      await context.wait(LOOK_AGAIN_MS);
    }
    if (weight > 0) {
      const workload = workloadOf(context, context.step.workload);
      await setWeight(context, workload, endpoint, weight);
      await waitForBackend(context, workload, endpoint);
    }
    return `${endpoint} of function ${name} stands in again`;
  },

  deadlineMs: ({ step, spec }) => generousDeadlineMs(step, FLOOR_MS) + spec.limits.drainMs,
};

/** @throws DriverError unsupported when the platform has no functions any more */
function driverOf({ platform, step }: FunctionContext): FunctionDriver {
  if (platform.functions) return platform.functions;
  throw new DriverError("unsupported", step.function, "the fleet's drivers offer no functions any more", {
    remedy: "plan again: without them copies wait for room, or for a reserve",
  });
}

async function findEndpoint(context: FunctionContext): Promise<FunctionEndpoint | undefined> {
  const endpoints = await context.read((signal) => listEndpoints(context.platform, signal));
  return endpoints.find(({ id }) => id === context.step.endpoint);
}

async function deploy(context: FunctionContext): Promise<void> {
  const functions = driverOf(context);
  const { endpoint, function: name, workload } = context.step;
  await context.effect("deploy", "run", (call) => functions.deploy({ endpoint, function: name, workload }, call));
}

async function poll(context: FunctionContext): Promise<StepProgress> {
  const { step } = context;
  const found = await findEndpoint(context);
  if (!found) return { state: "failed", reason: `${step.endpoint} is gone before it could serve` };
  if (found.state === "failed") return { state: "failed", reason: `function ${step.function} could not be deployed` };
  const waits = { state: "running", waitsFor: `${step.endpoint} is not warm` } as const;
  if (found.state !== "ready") return waits;
  const { isHealthy } = await context.read((signal) => driverOf(context).invoke(step.endpoint, signal));
  return isHealthy ? { state: "done", result: { endpoint: step.endpoint, address: found.address } } : waits;
}

/** Drains and removes the endpoint; false when it was not there. */
async function takeAway(context: FunctionContext): Promise<boolean> {
  const { endpoint } = context.step;
  const workload = workloadOf(context, context.step.workload);
  if (!(await findEndpoint(context))) {
    await removeBackend(context, workload, endpoint);
    return false;
  }
  const remove = async (): Promise<boolean> => {
    if (((await findBackend(context, workload, endpoint))?.weight ?? 0) > 0) return false;
    await removeBackend(context, workload, endpoint);
    await context.effect("remove", "run", (call) => driverOf(context).remove(endpoint, call));
    return true;
  };
  while (!(await context.gate.pass(context, workload, [endpoint], context.deadlineAt, remove))) {
    await drainBackend(context, workload, endpoint, context.deadlineAt);
  }
  return true;
}
