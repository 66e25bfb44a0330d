/**
 * Planning in a worker thread, so that its process keeps answering meanwhile. The thread stays for the
 * next plan: a run plans before every wave, and loading the planner anew would cost as much as planning.
 *
 * Not for: planning itself.
 *
 * Invariant: the result is that of `plan()`.
 */
import { join } from "node:path";
import type { Worker } from "node:worker_threads";

import type { MigrationPlan } from "../../sdk/model";

import { askThread, startThread } from "../threads";
import type { PlanInput } from "./plan";
import { shareDemand } from "./shared-demand";

/** Compiled beside this file. */
const WORKER_ENTRY = join(__dirname, "worker.js");

/** A thread that plans. */
export interface PlanWorker {
  /** Starts the thread, so that it loads the planner while the caller gathers what to plan. */
  warm(): void;
  /**
   * Plans; inputs that come meanwhile wait for their turn.
   * @throws what `plan()` threw, with its data; ArchipelagoError when the thread ended without an answer
   */
  plan(input: PlanInput): Promise<MigrationPlan>;
  /** Ends the thread; plans under way are rejected. */
  close(): Promise<void>;
}

/** Creates a planner whose thread starts when it is warmed or has to plan, and again after it ended by itself. */
export function createPlanWorker(): PlanWorker {
  let thread: Worker | undefined;
  let last: Promise<unknown> = Promise.resolve();
  const started = (): Worker =>
    (thread ??= startThread(WORKER_ENTRY).once("exit", () => {
      thread = undefined;
    }));
  return {
    warm: () => {
      started();
    },
    plan: (input) => {
      const answer = last.then(() => {
        const { forecast, spec } = input;
        const sent = { ...input, forecast: { ...forecast, demand: shareDemand(forecast.demand) } };
        return askThread<MigrationPlan>(started(), sent, `planning ${spec.name}`);
      });
      last = answer.catch(() => undefined);
      return answer;
    },
    close: async () => {
      await thread?.terminate();
    },
  };
}
