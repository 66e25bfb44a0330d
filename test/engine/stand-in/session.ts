/**
 * A stack at the stand-in engine: configuration, operations and their results.
 *
 * Not for: what the CLI alone can do. It is a test double for the contract with SDK and provider.
 */
import { createRequire } from "node:module";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { nameOf } from "../engine-session";
import type {
  EngineDiagnostic,
  EngineOptions,
  EngineResource,
  EngineResult,
  EngineSession,
  EngineStep,
  OperationOptions,
} from "../engine-session";
import { readProject } from "../project";
import type { Project } from "../project";
import { Display } from "./display";
import type { Operation } from "./display";
import type { EngineEvent, EventSink } from "./events";
import { carryOut } from "./operation";
import { toReadable, toShown } from "./property-values";
import type { Properties } from "./property-values";
import { readStack, STACK_TYPE, writeStack } from "./state";
import type { StackFile } from "./state";

/** The CLI's exit code of a failed operation. */
const FAILED = 1;

/** Opens a stack at the stand-in engine. */
export async function openStandIn(options: EngineOptions): Promise<EngineSession> {
  const project = await readProject(options.projectDir, options.main);
  const stateDir = options.stateDir ?? (await mkdtemp(join(tmpdir(), "stand-in-engine-")));
  const file = join(stateDir, `${project.name}.${options.stack}.json`);
  const run = (operation: Operation) => (operationOptions?: OperationOptions) =>
    runOperation(operation, project, options, file, operationOptions ?? {});
  return {
    kind: "stand-in",
    version: sdkVersion(project),
    preview: run("preview"),
    up: run("up"),
    refresh: run("refresh"),
    destroy: run("destroy"),
    setConfig: async (key, value, { secret = false } = {}) => {
      const stack = await readStack(file);
      const qualified = key.includes(":") ? key : `${project.name}:${key}`;
      await writeStack(file, { ...stack, config: { ...stack.config, [qualified]: { value, secret } } });
    },
    stackExport: async () => (await readStack(file)).resources.map(exportResource),
    outputs: async () => {
      const root = (await readStack(file)).resources.find((state) => state.type === STACK_TYPE);
      return toReadable(root?.outputs ?? {});
    },
    close: async () => {
      if (options.stateDir === undefined) await rm(stateDir, { recursive: true, force: true });
    },
  };
}

async function runOperation(
  operation: Operation,
  project: Project,
  options: EngineOptions,
  file: string,
  { onOutput, signal, env }: OperationOptions,
): Promise<EngineResult> {
  const stack = await readStack(file);
  const recorder = new Recorder();
  const lines: string[] = [];
  const display = new Display(
    operation,
    options.stack,
    (line) => {
      lines.push(line);
      onOutput?.(line);
    },
    () => performance.now(),
  );
  const emit: EventSink = (event) => {
    recorder.record(event);
    display.show(event);
  };
  const onAbort = (): void => {
    display.interrupted();
  };
  signal?.addEventListener("abort", onAbort, { once: true });
  const isDone = await carryOut({
    operation,
    project,
    stackName: options.stack,
    file,
    stack,
    environment: { ...options.env, ...env },
    emit,
    signal,
  });
  signal?.removeEventListener("abort", onAbort);
  display.finish();
  return recorder.result(isDone ? 0 : FAILED, lines);
}

/** Keeps the events that make up the result. */
class Recorder {
  readonly #steps: EngineStep[] = [];
  readonly #diagnostics: EngineDiagnostic[] = [];
  #outputs: Properties = {};

  record(event: EngineEvent): void {
    switch (event.kind) {
      case "step-started": {
        const { op, urn, type, inputs } = event;
        this.#steps.push({ op, urn, type, name: nameOf(urn), ...(inputs ? { inputs } : {}) });
        return;
      }
      case "step-done": {
        // A refresh knows what it found only at its end.
        const at = this.#steps.findIndex((step) => step.urn === event.urn && step.op === "refresh");
        const step = this.#steps[at];
        if (step) this.#steps[at] = { ...step, op: event.op };
        return;
      }
      case "log": {
        const { severity, message, urn, ephemeral } = event;
        this.#diagnostics.push({
          severity,
          message: message.trimEnd(),
          ephemeral,
          ...(urn === undefined ? {} : { urn }),
        });
        return;
      }
      case "outputs":
        if (event.urn.includes(`::${STACK_TYPE}::`)) this.#outputs = toShown(event.news);
        return;
      case "step-failed":
    }
  }

  result(exitCode: number, lines: readonly string[]): EngineResult {
    const steps = this.#steps;
    return {
      exitCode,
      stdout: `${lines.join("\n")}\n`,
      steps,
      diagnostics: this.#diagnostics,
      outputs: this.#outputs,
      inputsOf: (name) => steps.findLast((step) => step.name === name && step.inputs !== undefined)?.inputs,
    };
  }
}

function exportResource(state: StackFile["resources"][number]): EngineResource {
  return {
    urn: state.urn,
    type: state.type,
    name: nameOf(state.urn),
    custom: state.custom,
    ...(state.id === undefined ? {} : { id: state.id }),
    ...(state.parent === undefined ? {} : { parent: state.parent }),
    inputs: toReadable(state.inputs),
    outputs: toReadable(state.outputs),
    ...(state.initErrors.length > 0 ? { initErrors: state.initErrors } : {}),
    ...(state.dependencies.length > 0 ? { dependencies: state.dependencies } : {}),
  };
}

function sdkVersion(project: Project): string {
  const projectRequire = createRequire(join(project.programDir, "index.js"));
  return (projectRequire("@pulumi/pulumi/package.json") as { version: string }).version;
}
