/**
 * Planning in a worker thread, so that the provider keeps answering the engine meanwhile. The thread stays for the
 * next plan: a run plans before every wave, and loading the planner anew would cost as much as planning.
 *
 * Not for: planning itself.
 *
 * Invariants
 * 1. The result is that of `plan()`.
 * 2. An idle thread keeps no process alive.
 */
import { join } from "node:path";
import { Worker } from "node:worker_threads";

import { ArchipelagoError, type MigrationPlan } from "../../sdk/model";

import type { PlanInput } from "./plan";
import { shareDemand } from "./shared-demand";
import type { PlanAnswer } from "./worker";

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
  const started = (): Worker => {
    if (thread) return thread;
    // The worker needs nothing of this process's flags and environment, such as a debugger's.
    thread = new Worker(WORKER_ENTRY, { execArgv: [] });
    // What fails while nobody asks is met by whoever asks next, in a thread of its own.
    thread
      .on("error", () => undefined)
      .once("exit", () => {
        thread = undefined;
      });
    thread.unref();
    return thread;
  };
  return {
    warm: () => {
      started();
    },
    plan: (input) => {
      const answer = last.then(async () => valueOf(await ask(started(), input)));
      last = answer.catch(() => undefined);
      return answer;
    },
    close: async () => {
      await thread?.terminate();
    },
  };
}

function ask(thread: Worker, input: PlanInput): Promise<PlanAnswer> {
  const subject = `planning ${input.spec.name}`;
  return new Promise<PlanAnswer>((resolve, reject) => {
    const onMessage = (answer: PlanAnswer): void => {
      settle();
      resolve(answer);
    };
    const onError = (cause: unknown): void => {
      settle();
      reject(new ArchipelagoError(`${subject}: the worker thread failed`, { cause }));
    };
    const onExit = (code: number): void => {
      settle();
      reject(
        new ArchipelagoError(`${subject}: the worker thread ended with code ${String(code)}`, {
          remedy: "run it again; if it happens again, the machine has too little memory for this fleet",
        }),
      );
    };
    const settle = (): void => {
      thread.off("message", onMessage).off("error", onError).off("exit", onExit).unref();
    };
    thread.on("message", onMessage).on("error", onError).on("exit", onExit).ref();
    const { forecast } = input;
    thread.postMessage({ ...input, forecast: { ...forecast, demand: shareDemand(forecast.demand) } });
  });
}

function valueOf(answer: PlanAnswer): MigrationPlan {
  if (answer.kind === "plan") return answer.plan;
  const { name, message, stack, members } = answer.error;
  // What recognises errors by `kind`, as all here does, sees the same error as without the thread.
  const error = Object.assign(new ArchipelagoError(message), members);
  error.name = name;
  if (stack !== undefined) error.stack = stack;
  throw error;
}
