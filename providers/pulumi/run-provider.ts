/**
 * Dynamic provider of MaintenanceRun: an adapter between the engine's calls and the run. It decides nothing that
 * the runner decides.
 *
 * Not for: planning and executing (providers/plan, providers/runner).
 *
 * Invariants
 * 1. check and diff change nothing but the plan cache.
 * 2. create and update both resume what the journal holds before they begin anything: after a killed CLI the engine
 *    calls create again.
 * 3. Nothing is thrown out of check: the engine would print a stack. Errors become failures on the small input `v`.
 */
import type * as pulumi from "@pulumi/pulumi";
import { canonicalJson, messageOf } from "../../sdk/model";
import { createEngineProgress } from "./engine-progress";
import { received, type RunInputs, type RunOutputs, type Sent } from "./run-inputs";
import type { RunLook } from "./run-look";
import { RunStoppedError } from "./run-stopped-error";
import { toState } from "./state";
import { UNKNOWN, findUnknown } from "./unknown-inputs";

/** The provider, for the SDK's dynamic-provider process. */
export const runProvider: pulumi.dynamic.ResourceProvider<Sent<RunInputs>, Sent<RunOutputs>> = {
  async check(olds: Partial<Sent<RunInputs>>, news: Sent<RunInputs>) {
    try {
      if (news.plan !== undefined)
        return failure('plan is computed; remove ignoreChanges: ["plan"], or it would run unseen');
      const { spec } = received(news);
      const unknown = findUnknown(spec);
      if (unknown.length > 0) {
        const { unplannedFor } = await import("./unplanned.js");
        const unplanned = unplannedFor(spec, unknown);
        return { inputs: { ...news, plan: UNKNOWN, planDigest: UNKNOWN, unplanned } as unknown as Sent<RunInputs> };
      }
      const { checkInThread } = await import("./check-in-thread.js");
      const { view, digest, look } = await checkInThread(news, olds);
      looks.set(news.urn_, look);
      return { inputs: toState({ ...news, plan: view, planDigest: digest }) };
    } catch (error) {
      return failure(messageOf(error));
    }
  },

  async diff(_id, olds, news) {
    if (!sameInputs(olds, news)) return {};
    const inputs = received(news);
    const look = looks.has(news.urn_) ? looks.get(news.urn_) : await readLook(inputs);
    looks.delete(news.urn_);
    const { needsAttention } = await import("./run-look.js");
    return needsAttention(look, inputs, olds.phase) ? { changes: true } : {};
  },

  async create(inputs) {
    const { id, outputs } = await perform(inputs);
    return { id, outs: outputs };
  },

  async update(_id, _olds, news) {
    const { outputs } = await perform(news);
    return { outs: outputs };
  },

  async read(id, props) {
    if (!props) return {};
    const { observeRun } = await import("./perform-run.js");
    return { id, props: toState({ ...(await observeRun(received(props))), spec: props.spec }) };
  },

  async delete(_id, props) {
    const { giveBackRun } = await import("./perform-run.js");
    await giveBackRun(received(props));
  },
};

/** What checks saw of runs, for the diff that the engine asks for right after each. */
const looks = new Map<string, RunLook>();

async function readLook(inputs: RunInputs): Promise<RunLook> {
  const { readRunLook } = await import("./perform-run.js");
  return await readRunLook(inputs);
}

/** Carries out what there is to do; a run that did not end well is thrown with its state, so that it is kept. */
async function perform(inputs: Sent<RunInputs>): Promise<{ readonly id: string; readonly outputs: Sent<RunOutputs> }> {
  const { spec, urn_ } = inputs;
  looks.delete(urn_);
  const progress = createEngineProgress(urn_);
  try {
    const { performRun } = await import("./perform-run.js");
    const { id, outputs } = await performRun(received(inputs), progress);
    return { id, outputs: toState({ ...outputs, spec }) };
  } catch (error) {
    if (!(error instanceof RunStoppedError)) throw error;
    throw Object.assign(new Error(error.message), {
      id: error.id,
      properties: toState({ ...error.outputs, spec }),
      reasons: [error.message],
    });
  } finally {
    await progress.close();
  }
}

function failure(reason: string): pulumi.dynamic.CheckResult<Sent<RunInputs>> {
  return { failures: [{ property: "v", reason }] };
}

function sameInputs(olds: Sent<RunOutputs>, news: Sent<RunInputs>): boolean {
  return (["v", "urn_", "spec", "plan", "planDigest"] as const).every(
    (key) => canonicalJson(olds[key] ?? null) === canonicalJson(news[key] ?? null),
  );
}
