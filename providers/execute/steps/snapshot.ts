/** `snapshot`: records version and placement of a host before the first change. Changes nothing. */
import type { Json } from "../../../sdk/model";
import type { Step, StepContext, StepOf } from "../step";
import { generousDeadlineMs } from "../step";
import { observeHost, probeOutput } from "./lookup";

const FLOOR_MS = 60_000;

export const snapshotStep: Step<StepOf<"snapshot">> = {
  observe: () => Promise.resolve("before"),
  prior: recordHost,
  start: ({ prior }) => Promise.resolve({ state: "done", result: prior ?? null }),
  undo: () => Promise.resolve(undefined),
  deadlineMs: ({ step }) => generousDeadlineMs(step, FLOOR_MS),
};

async function recordHost(context: StepContext<StepOf<"snapshot">>): Promise<Json> {
  const { host } = context.step;
  const { bootId } = await observeHost(context, host);
  const { output } = await probeOutput(context, host);
  const replicas = await context.read((signal) => context.platform.workloads.list(signal));
  const placed = replicas
    .filter((replica) => replica.host === host && replica.state !== "stopped")
    .map((replica) => ({ replica: replica.id, workload: replica.workload, state: replica.state }));
  return { probe: output, bootId, replicas: placed };
}
