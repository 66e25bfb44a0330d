/**
 * Carrying out one operation: starts services, program and provider, and ends all of them.
 *
 * Not for: what is done to resources (deployment.ts) and what is shown of it (display.ts).
 */
import type { Project } from "../project";
import { Deployment } from "./deployment";
import type { StopReason } from "./deployment";
import type { Operation } from "./display";
import type { EventSink } from "./events";
import { launchProgram, launchProvider } from "./launch";
import type { LaunchOptions, Program } from "./launch";
import { DynamicProvider } from "./providers";
import type { Provider } from "./providers";
import { serve } from "./services";
import { Snapshot } from "./state";
import type { StackFile } from "./state";

/** What an operation works on. */
export interface OperationContext {
  readonly operation: Operation;
  readonly project: Project;
  readonly stackName: string;
  /** Where the state is written. */
  readonly file: string;
  readonly stack: StackFile;
  readonly environment: Readonly<Record<string, string>>;
  readonly emit: EventSink;
  readonly signal: AbortSignal | undefined;
}

/** How many resources the program may register at once. */
const PARALLEL = 16;
/** How long a program may take to end after its operation failed. */
const PROGRAM_END_MS = 5_000;
/** The program's own error has been shown already. */
const EXIT_SHOWN = 32;

/** What the engine itself says at the end; where there is nothing, the cause has been shown already. */
const LAST_WORDS: Readonly<Record<StopReason, string | undefined>> = {
  step: "failed",
  interrupted: "canceled",
  refused: undefined,
  program: undefined,
};

/** Carries an operation out. @returns whether it succeeded */
export async function carryOut(context: OperationContext): Promise<boolean> {
  const { operation, project, stackName, stack, emit, signal } = context;
  const dryRun = operation === "preview";
  const launch = launchOptionsOf(context);
  const secretKeys = Object.keys(stack.config).filter((key) => stack.config[key]?.secret);
  const connection = new ProviderConnection(launch);
  const deployment = new Deployment({
    dryRun,
    snapshot: new Snapshot(dryRun ? undefined : context.file, stack),
    emit,
    provider: (type) => {
      if (isDynamic(type)) return connection.open();
      throw new Error(`the stand-in engine has no plugin for ${type}; use the pulumi CLI`);
    },
  });
  const services = await serve({
    project: project.name,
    stack: stackName,
    dryRun,
    parallel: PARALLEL,
    configuration: launch.configuration,
    secretKeys,
    deployment,
    emit,
  });
  connection.address = services.address;
  const interrupt = (): void => {
    deployment.stop("interrupted");
  };
  signal?.addEventListener("abort", interrupt, { once: true });
  if (signal?.aborted) interrupt();
  try {
    // A provider that will be needed starts beside the program: both spend most of their time loading the SDK.
    if (stack.resources.some(({ type }) => isDynamic(type))) connection.open().catch(() => undefined);
    if (operation === "refresh") await deployment.refresh();
    else if (operation === "destroy") await deployment.destroy();
    else await runProgram(context, { ...launch, address: services.address, dryRun, secretKeys }, deployment);
    await deployment.settle();
    const lastWord = LAST_WORDS[deployment.failure ?? "refused"];
    if (lastWord !== undefined) {
      const message = `${dryRun ? "preview" : "update"} ${lastWord}`;
      emit({ kind: "log", severity: "error", message, ephemeral: false });
    }
    deployment.finish();
    return deployment.failure === undefined;
  } finally {
    signal?.removeEventListener("abort", interrupt);
    await connection.close();
    services.close();
  }
}

async function runProgram(
  { project, emit, signal }: OperationContext,
  launch: LaunchOptions & {
    readonly address: string;
    readonly dryRun: boolean;
    readonly secretKeys: readonly string[];
  },
  deployment: Deployment,
): Promise<void> {
  const { entry, typescript } = project;
  const onLine = (line: string): void => {
    // What the program prints once its step failed or was refused is the SDK's own noise about calls that were cut off.
    if (deployment.failure !== "step" && deployment.failure !== "refused") launch.onLine(line);
  };
  const program = launchProgram({ ...launch, onLine, entry, parallel: PARALLEL, typescript });
  const interrupt = (): void => {
    program.interrupt();
  };
  signal?.addEventListener("abort", interrupt, { once: true });
  if (signal?.aborted) interrupt();
  try {
    const code = await Promise.race([program.ended, afterStop(deployment, program)]);
    if (deployment.failure !== undefined) return;
    if (code === 0) {
      await deployment.settle();
      await deployment.deleteUnwanted();
      return;
    }
    if (code !== EXIT_SHOWN) {
      const message = `an unhandled error occurred: Program exited with non-zero exit code: ${String(code)}`;
      emit({ kind: "log", severity: "error", message, ephemeral: false });
    }
    deployment.stop("program");
  } finally {
    signal?.removeEventListener("abort", interrupt);
  }
}

/** Once the operation has failed, what is under way ends, and then the program has to. */
async function afterStop(deployment: Deployment, program: Program): Promise<number> {
  await deployment.stopped.catch(() => undefined);
  await deployment.settle();
  const timer = setTimeout(() => {
    program.interrupt();
  }, PROGRAM_END_MS);
  const code = await program.ended;
  clearTimeout(timer);
  return code;
}

/** The provider process of one operation, started when it is first needed. */
class ProviderConnection {
  /** Where the provider finds the engine. */
  address = "";
  readonly #launch: LaunchOptions;
  #opened: Promise<{ readonly provider: DynamicProvider; close(): Promise<void> }> | undefined;

  constructor(launch: LaunchOptions) {
    this.#launch = launch;
  }

  async open(): Promise<Provider> {
    this.#opened ??= this.#start();
    return (await this.#opened).provider;
  }

  /** Ends the process, also one that is just starting. */
  async close(): Promise<void> {
    const opened = await this.#opened?.catch(() => undefined);
    opened?.provider.close();
    await opened?.close();
  }

  async #start(): Promise<{ readonly provider: DynamicProvider; close(): Promise<void> }> {
    const { port, close } = await launchProvider({ ...this.#launch, address: this.address });
    try {
      return { provider: await DynamicProvider.connect(port, this.#launch.configuration), close };
    } catch (error) {
      await close();
      throw error;
    }
  }
}

function launchOptionsOf({ project, stackName, stack, environment, emit }: OperationContext): LaunchOptions {
  return {
    project: project.name,
    projectDir: project.dir,
    stack: stackName,
    programDir: project.programDir,
    environment,
    configuration: Object.fromEntries(Object.entries(stack.config).map(([key, { value }]) => [key, value])),
    onLine: (line) => {
      if (line.trim() !== "") emit({ kind: "log", severity: "info", message: line, ephemeral: false });
    },
  };
}

/** True for the types that the SDK's own provider process serves. */
function isDynamic(type: string): boolean {
  return type.startsWith("pulumi-nodejs:");
}
