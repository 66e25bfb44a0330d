/** Entry of the planning thread: answers each input that it is sent with a plan or an error. */
import { parentPort } from "node:worker_threads";

import type { MigrationPlan } from "../../sdk/model";

import { plan, type PlanInput } from "./plan";

/** What the thread answers. Errors travel as data: classes do not survive the way between threads. */
export type PlanAnswer =
  | { readonly kind: "plan"; readonly plan: MigrationPlan }
  | {
      readonly kind: "error";
      readonly error: {
        readonly name: string;
        readonly message: string;
        readonly stack?: string;
        /** The data of the error, such as `kind` and `mistakes`. */
        readonly members: { readonly [key: string]: unknown };
      };
    };

parentPort?.on("message", (input: PlanInput) => parentPort?.postMessage(answerTo(input)));

function answerTo(input: PlanInput): PlanAnswer {
  try {
    return { kind: "plan", plan: plan(input) };
  } catch (thrown) {
    const error = thrown instanceof Error ? thrown : new Error(String(thrown));
    const { name, message, stack } = error;
    const members = JSON.parse(JSON.stringify(error)) as Readonly<Record<string, unknown>>;
    return { kind: "error", error: { name, message, members, ...(stack === undefined ? {} : { stack }) } };
  }
}
