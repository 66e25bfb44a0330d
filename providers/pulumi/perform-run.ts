/** Between the engine's create, update, read and delete, and what the runner does for a HostUpdate. */
import { createHash } from "node:crypto";
import * as os from "node:os";
import { InterruptedError, RunFailedError, isKind, messageOf, type Phase } from "../../sdk/model";
import { currentOpening, nextOpenings } from "../calendar";
import { silentProgress, systemClock } from "../clock";
import { openRunEnvironment, yieldCpu, type RunEnvironment } from "../runner/environment";
import { giveBackHostUpdate, performHostUpdate, type UpdateCaller, type UpdateOutcome } from "../runner/host-update";
import { describeRunner, findRunner } from "../runner/heartbeat";
import { readLatestRun, runFamily } from "../runner/run-family";
import type { EngineProgress } from "./engine-progress";
import type { RunInputs, RunOutputs } from "./run-inputs";
import { lookAtRun, type RunLook } from "./run-look";
import { RunStoppedError } from "./run-stopped-error";
import { watchStopSignals } from "./stop-signal";

/**
 * Carries out what there is to do.
 * @throws RunStoppedError when the run failed or was interrupted, with the state to keep
 */
export async function performRun(
  inputs: RunInputs,
  progress: EngineProgress,
): Promise<{ readonly id: string; readonly outputs: RunOutputs }> {
  const id = runFamily(inputs.spec.name, inputs.urn_);
  const stop = watchStopSignals(inputs.urn_);
  // A step may take minutes: whoever pressed Ctrl-C wants to know that it was heard.
  const acknowledge = (): void =>
    progress.status(`${stop.reason() ?? "told to stop"}: stopping at the next step border`);
  stop.signal.addEventListener("abort", acknowledge, { once: true });
  let environment: RunEnvironment | undefined;
  try {
    environment = await openRunEnvironment(inputs.spec, systemClock);
    yieldCpu(environment);
    const outcome = await performHostUpdate(environment, callerOf(inputs, progress, stop.signal));
    const outputs = await outputsOf(inputs, environment, outcome);
    if (outcome.phase === "failed") throw new RunStoppedError(id, outputs, failureText(outcome));
    if (outcome.phase === "armed") progress.warn(`armed: ${outcome.reason}`);
    return { id, outputs };
  } catch (thrown) {
    if (thrown instanceof RunStoppedError) throw thrown;
    // What is cut short by a stop looks like a host that does not answer.
    const isCutShort = stop.signal.aborted && isKind(thrown, "DriverError");
    const error = isCutShort ? new InterruptedError("stopped before anything was begun") : thrown;
    const outputs = await stoppedOutputs(inputs, environment, error);
    throw new RunStoppedError(id, outputs, await stopText(error, stop.reason(), inputs.spec.name, environment));
  } finally {
    stop.close();
    await environment?.close();
  }
}

/** Looks at the latest run. */
export async function readRunLook({ spec, urn_ }: RunInputs): Promise<RunLook> {
  const environment = await openRunEnvironment(spec, systemClock);
  try {
    const latest = await readLatestRun(environment.store, runFamily(spec.name, urn_));
    return await lookAtRun(environment.store, latest, spec);
  } finally {
    await environment.close();
  }
}

/** The state with what is observed now, for a refresh. */
export async function observeRun(props: RunOutputs): Promise<RunOutputs> {
  const environment = await openRunEnvironment(props.spec, systemClock);
  try {
    const latest = await readLatestRun(environment.store, runFamily(props.spec.name, props.urn_));
    return {
      ...props,
      hostVersions: await observeVersions(environment),
      nextOpening: nextOpeningText(props),
      ...(latest ? { phase: latest.phase, phaseReason: latest.phaseReason, runId: latest.id } : {}),
    };
  } finally {
    await environment.close();
  }
}

/** Gives back what the runs hold. A fleet that is gone holds nothing. */
export async function giveBackRun(props: RunOutputs): Promise<void> {
  let environment: RunEnvironment;
  try {
    environment = await openRunEnvironment(props.spec, systemClock);
  } catch (error) {
    if (isKind(error, "MistakeError")) return;
    throw error;
  }
  try {
    await giveBackHostUpdate(environment, callerOf(props, silentProgress, new AbortController().signal));
  } finally {
    await environment.close();
  }
}

function callerOf(inputs: RunInputs, progress: UpdateCaller["progress"], signal: AbortSignal): UpdateCaller {
  const family = runFamily(inputs.spec.name, inputs.urn_);
  return {
    family,
    owner: `pulumi ${os.hostname()} ${String(process.pid)} ${processToken}`,
    engine: process.env["ARCHIPELAGO_ENGINE"] ?? "pulumi",
    progress,
    signal,
  };
}

/** Tells processes with the same number apart. */
const processToken = createHash("sha256")
  .update(`${String(process.pid)} ${String(process.hrtime.bigint())}`)
  .digest("hex")
  .slice(0, 6);

async function outputsOf(inputs: RunInputs, environment: RunEnvironment, outcome: UpdateOutcome): Promise<RunOutputs> {
  return {
    ...inputs,
    phase: outcome.phase,
    phaseReason: outcome.reason,
    nextOpening: nextOpeningText(inputs),
    runId: outcome.run?.id ?? "",
    report: outcome.report ?? "",
    hostVersions: await observeVersions(environment),
  };
}

/** State of a run that stopped on the way: what the journal says, as far as it can be read. */
async function stoppedOutputs(
  inputs: RunInputs,
  environment: RunEnvironment | undefined,
  error: unknown,
): Promise<RunOutputs> {
  const base = {
    ...inputs,
    phaseReason: messageOf(error),
    nextOpening: nextOpeningText(inputs),
    report: "",
    hostVersions: {},
  };
  try {
    const latest = environment && (await readLatestRun(environment.store, runFamily(inputs.spec.name, inputs.urn_)));
    const phase: Phase = latest?.phase ?? "armed";
    return {
      ...base,
      phase,
      runId: latest?.id ?? "",
      ...(environment ? { hostVersions: await observeVersions(environment) } : {}),
    };
  } catch {
    // The store is what failed: the message says so, and the state must not claim more.
    return { ...base, phase: "recovering", runId: "" };
  }
}

async function observeVersions({ platform, spec }: RunEnvironment): Promise<Record<string, string>> {
  const signal = AbortSignal.timeout(OBSERVE_LIMIT_MS);
  const hosts = await platform.hosts.list(signal);
  const probed = await Promise.all(
    hosts
      .filter(({ role, state }) => role === "member" && state === "ready")
      .map(async ({ id }) => {
        try {
          return [id, (await platform.hosts.probe(id, spec.update.probe, spec.update.expect, signal)).output] as const;
        } catch (error) {
          return [id, `(${messageOf(error)})`] as const;
        }
      }),
  );
  return Object.fromEntries(probed);
}

const OBSERVE_LIMIT_MS = 15_000;

function nextOpeningText({ spec }: RunInputs): string {
  const now = systemClock.now();
  const opening = currentOpening(spec.windows, now) ?? nextOpenings(spec.windows, now, 1)[0];
  return opening ? new Date(opening.startMs).toISOString() : "";
}

function failureText({ run, reason }: UpdateOutcome): string {
  if (!run?.failure) return reason;
  return `${new RunFailedError(run.failure).message}\n  The next \`pulumi up\` says the same until \`attempt\` is raised (now ${String(run.attempt)}).`;
}

/** What stopped it, and how to go on: with a runner there the run does so by itself. */
async function stopText(
  error: unknown,
  stopped: string | undefined,
  name: string,
  environment: RunEnvironment | undefined,
): Promise<string> {
  if (!isKind(error, "InterruptedError")) return messageOf(error);
  const text = `${stopped ?? "interrupted"}: ${messageOf(error)}`;
  const runner = environment && (await findRunner(environment.store).catch(() => undefined));
  if (!runner) return text;
  return `${text}\n  ${describeRunner(runner)} carries it on by itself; to hold it: \`archipelago pause ${name} --store ${environment.store.url}\``;
}
