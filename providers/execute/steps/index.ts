/** All kinds of steps by name. */
import type { PlanStep, StepKind } from "../../../sdk/model";
import type { Step, StepOf } from "../step";
import { admitStep } from "./admit";
import { awaitEndStep } from "./await-end";
import { cordonStep, uncordonStep } from "./cordon";
import { drainStep } from "./drain";
import { deployFunctionStep, removeFunctionStep } from "./functions";
import { handOverStep } from "./hand-over";
import { liveMigrateStep } from "./live-migrate";
import { rebootStep } from "./reboot";
import { refusePathsStep, servePathsStep } from "./refuse-paths";
import { releaseStep } from "./release";
import { discardReplacedStep, replaceStep } from "./replace";
import { reserveStep } from "./reserve";
import { setSharesStep } from "./set-shares";
import { snapshotStep } from "./snapshot";
import { soakStep } from "./soak";
import { startCopyStep } from "./start-copy";
import { stopCopyStep } from "./stop-copy";
import { updateStep } from "./update";
import { validateStep } from "./validate";

const STEPS: { readonly [K in StepKind]: Step<StepOf<K>> } = {
  reserve: reserveStep,
  release: releaseStep,
  cordon: cordonStep,
  uncordon: uncordonStep,
  "start-copy": startCopyStep,
  admit: admitStep,
  drain: drainStep,
  "stop-copy": stopCopyStep,
  "hand-over": handOverStep,
  "live-migrate": liveMigrateStep,
  "await-end": awaitEndStep,
  "set-shares": setSharesStep,
  "refuse-paths": refusePathsStep,
  "serve-paths": servePathsStep,
  "deploy-function": deployFunctionStep,
  "remove-function": removeFunctionStep,
  snapshot: snapshotStep,
  update: updateStep,
  reboot: rebootStep,
  replace: replaceStep,
  "discard-replaced": discardReplacedStep,
  validate: validateStep,
  soak: soakStep,
};

/** What a step of the plan does. */
export function stepOf(step: PlanStep): Step {
  // The map pairs each kind with its own step, which the compiler cannot follow through the lookup.
  return STEPS[step.kind];
}
