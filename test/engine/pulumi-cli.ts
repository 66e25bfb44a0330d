/**
 * A stack at the real `pulumi` CLI, offline: its own home, a file backend, no update check, no plugin downloads.
 *
 * The project's `Pulumi.yaml` is copied to a folder of the session's own, so that no stack file lands in the project;
 * the program still runs where it is.
 */
import { spawn } from "node:child_process";
import { access, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { isProviderType, nameOf, REDACTED } from "./engine-session";
import type {
  EngineDiagnostic,
  EngineOptions,
  EngineResource,
  EngineResult,
  EngineSession,
  EngineStep,
  OperationOptions,
  StepOp,
} from "./engine-session";
import { readProject } from "./project";
import type { Project } from "./project";

/** What the CLI prints where there is no terminal while nothing happens: `@ updating.....`. */
const TIME_PASSES = /^@ [a-z ]+\.*$/;
const STACK_TYPE = "pulumi:pulumi:Stack";
const SIGNATURE_KEY = "4dabf18193072939515e22adb298388d";
const SECRET = "1b47061264138c4ac30d75fd1eb44270";

/** Opens a stack at the CLI; creates it where it does not exist. */
export async function openPulumi(options: EngineOptions): Promise<EngineSession> {
  const project = await readProject(options.projectDir, options.main);
  const folder = options.stateDir ?? (await mkdtemp(join(tmpdir(), "pulumi-engine-")));
  const cli = new Cli(project, folder, { ...options.env });
  await cli.prepare();
  const version = (await cli.succeed(["version"])).trim().replace(/^v/, "");
  await cli.succeed(["stack", "select", "--create", options.stack]);

  let operations = 0;
  const run =
    (args: readonly string[]) =>
    async (operation: OperationOptions = {}): Promise<EngineResult> => {
      operations += 1;
      const events = join(folder, `events-${String(operations)}.jsonl`);
      await rm(events, { force: true });
      const lines: string[] = [];
      const exitCode = await cli.run([...args, "--stack", options.stack, "--event-log", events], {
        ...operation,
        onOutput: (line) => {
          lines.push(line);
          if (!TIME_PASSES.test(line)) operation.onOutput?.(line);
        },
      });
      return resultOf(exitCode, lines, await readEvents(events));
    };
  const stackExport = async (): Promise<readonly EngineResource[]> => {
    const text = await cli.succeed(["stack", "export", "--show-secrets", "--stack", options.stack]);
    const { deployment } = JSON.parse(text) as { deployment: { resources?: readonly ExportedResource[] } };
    return (deployment.resources ?? []).filter(({ type }) => !isProviderType(type)).map(exportResource);
  };

  return {
    kind: "pulumi",
    version,
    preview: run(["preview"]),
    up: run(["up", "--yes", "--skip-preview"]),
    refresh: run(["refresh", "--yes", "--skip-preview"]),
    destroy: run(["destroy", "--yes", "--skip-preview"]),
    setConfig: async (key, value, { secret = false } = {}) => {
      const kind = secret ? "--secret" : "--plaintext";
      await cli.succeed(["config", "set", kind, "--stack", options.stack, "--", key, value]);
    },
    cancel: async () => {
      await cli.succeed(["cancel", "--yes", "--stack", options.stack]);
    },
    stackExport,
    outputs: async () => (await stackExport()).find(({ type }) => type === STACK_TYPE)?.outputs ?? {},
    close: async () => {
      if (options.stateDir === undefined) await rm(folder, { recursive: true, force: true });
    },
  };
}

/** The CLI with its settings for one project. */
class Cli {
  readonly #project: Project;
  readonly #folder: string;
  readonly #environment: Readonly<Record<string, string>>;

  constructor(project: Project, folder: string, environment: Readonly<Record<string, string>>) {
    this.#project = project;
    this.#folder = folder;
    this.#environment = environment;
  }

  /** Makes the folders, and the copy of the project's settings. */
  async prepare(): Promise<void> {
    for (const name of ["home", "backend", "project"]) await mkdir(join(this.#folder, name), { recursive: true });
    const file = join(this.#folder, "project", "Pulumi.yaml");
    // JSON is YAML, and an absolute main keeps the program where it is.
    await writeFile(file, JSON.stringify({ ...this.#project.settings, main: this.#project.main }, null, 2));
  }

  /** Runs a command that must succeed. @returns its standard output */
  async succeed(args: readonly string[]): Promise<string> {
    const out: string[] = [];
    const all: string[] = [];
    const code = await this.#spawn(args, {}, (line, stream) => {
      all.push(line);
      if (stream === "stdout") out.push(line);
    });
    if (code !== 0) throw new Error(`pulumi ${args.join(" ")} ended with ${String(code)}:\n${all.join("\n")}`);
    return out.join("\n");
  }

  /** Runs an operation. @returns its exit code */
  async run(args: readonly string[], operation: OperationOptions): Promise<number> {
    return this.#spawn(args, operation, (line) => operation.onOutput?.(line));
  }

  async #spawn(
    args: readonly string[],
    { env, signal, kill }: OperationOptions,
    onLine: (line: string, stream: "stdout" | "stderr") => void,
  ): Promise<number> {
    const child = spawn("pulumi", ["--non-interactive", "--color", "never", ...args], {
      cwd: join(this.#folder, "project"),
      stdio: ["ignore", "pipe", "pipe"],
      env: {
        ...process.env,
        PULUMI_BACKEND_URL: `file://${join(this.#folder, "backend")}`,
        PULUMI_CONFIG_PASSPHRASE: "a test's passphrase: the state holds no real secret",
        ...this.#environment,
        ...env,
        // The same Node.js runs the program at both engines.
        PATH: [dirname(process.execPath), process.env["PATH"] ?? ""].join(delimiter),
        PULUMI_HOME: join(this.#folder, "home"),
        PULUMI_SKIP_UPDATE_CHECK: "true",
        PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION: "true",
        // Opens --event-log.
        PULUMI_DEBUG_COMMANDS: "true",
      },
    });
    const interrupt = (): void => {
      child.kill("SIGINT");
    };
    signal?.addEventListener("abort", interrupt, { once: true });
    kill?.addEventListener("abort", () => child.kill("SIGKILL"), { once: true });
    if (signal?.aborted) interrupt();
    const exit = new Promise<number>((resolve, reject) => {
      child.once("error", reject);
      child.once("close", (code) => {
        resolve(code ?? 128);
      });
    });
    try {
      const [code] = await Promise.all([
        exit,
        forwardLines(child.stdout, (line) => {
          onLine(line, "stdout");
        }),
        forwardLines(child.stderr, (line) => {
          onLine(line, "stderr");
        }),
      ]);
      return code;
    } finally {
      signal?.removeEventListener("abort", interrupt);
    }
  }
}

async function forwardLines(stream: Readable, onLine: (line: string) => void): Promise<void> {
  for await (const line of createInterface({ input: stream, crlfDelay: Infinity })) onLine(line);
}

/** A line of the CLI's event log, as far as it is read here. */
interface LoggedEvent {
  readonly resourcePreEvent?: { readonly metadata: LoggedStep };
  readonly resOutputsEvent?: { readonly metadata: LoggedStep };
  readonly diagnosticEvent?: {
    readonly urn?: string;
    readonly message: string;
    readonly severity: string;
    readonly ephemeral?: boolean;
  };
}

interface LoggedStep {
  readonly op: StepOp;
  readonly urn: string;
  readonly type: string;
  readonly new: {
    readonly inputs: Readonly<Record<string, unknown>>;
    readonly outputs: Readonly<Record<string, unknown>>;
  } | null;
}

async function readEvents(file: string): Promise<readonly LoggedEvent[]> {
  const isThere = await access(file).then(
    () => true,
    () => false,
  );
  if (!isThere) return [];
  // What follows the last line feed was cut off when the CLI was killed.
  const lines = (await readFile(file, "utf8")).split("\n").slice(0, -1);
  return lines.map((line) => JSON.parse(line) as LoggedEvent);
}

function resultOf(exitCode: number, lines: readonly string[], events: readonly LoggedEvent[]): EngineResult {
  const steps: EngineStep[] = [];
  const diagnostics: EngineDiagnostic[] = [];
  let outputs: Readonly<Record<string, unknown>> = {};
  for (const event of events) {
    const begun = event.resourcePreEvent?.metadata;
    if (begun && !isProviderType(begun.type)) {
      const { op, urn, type, new: wanted } = begun;
      steps.push({ op, urn, type, name: nameOf(urn), ...(wanted ? { inputs: redacted(wanted.inputs) } : {}) });
    }
    const ended = event.resOutputsEvent?.metadata;
    // A refresh knows what it found only at its end.
    const at = steps.findIndex((step) => step.urn === ended?.urn && step.op === "refresh");
    const step = steps[at];
    if (step && ended) steps[at] = { ...step, op: ended.op };
    if (ended?.type === STACK_TYPE) outputs = redacted(ended.new?.outputs ?? {});
    const diagnostic = diagnosticOf(event.diagnosticEvent);
    if (diagnostic) diagnostics.push(diagnostic);
  }
  return {
    exitCode,
    stdout: `${lines.join("\n")}\n`,
    steps,
    diagnostics,
    outputs,
    inputsOf: (name) => steps.findLast((step) => step.name === name && step.inputs !== undefined)?.inputs,
  };
}

function diagnosticOf(event: LoggedEvent["diagnosticEvent"]): EngineDiagnostic | undefined {
  if (!event || event.severity === "debug") return undefined;
  const severity = event.severity === "error" || event.severity === "warning" ? event.severity : "info";
  return {
    severity,
    message: event.message.trimEnd(),
    ephemeral: event.ephemeral ?? false,
    ...(event.urn ? { urn: event.urn } : {}),
  };
}

/** A resource as `pulumi stack export` writes it. */
interface ExportedResource {
  readonly urn: string;
  readonly type: string;
  readonly custom: boolean;
  readonly id?: string;
  readonly parent?: string;
  readonly inputs?: Readonly<Record<string, unknown>>;
  readonly outputs?: Readonly<Record<string, unknown>>;
  readonly initErrors?: readonly string[];
  readonly dependencies?: readonly string[];
}

function exportResource(resource: ExportedResource): EngineResource {
  const { urn, type, custom, id, parent, initErrors, dependencies } = resource;
  return {
    urn,
    type,
    name: nameOf(urn),
    custom,
    ...(id === undefined ? {} : { id }),
    ...(parent === undefined ? {} : { parent }),
    inputs: readable(resource.inputs ?? {}),
    outputs: readable(resource.outputs ?? {}),
    ...(initErrors && initErrors.length > 0 ? { initErrors } : {}),
    ...(dependencies && dependencies.length > 0 ? { dependencies } : {}),
  };
}

/** In the event log a secret is a signature without a value. */
function redacted(properties: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return mapSecrets(properties, () => REDACTED) as Readonly<Record<string, unknown>>;
}

/** In the state a secret is JSON text under a signature. */
function readable(properties: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const toReadable = (secret: Readonly<Record<string, unknown>>): unknown => ({
    secret: mapSecrets(JSON.parse(String(secret["plaintext"])), toReadable),
  });
  return mapSecrets(properties, toReadable) as Readonly<Record<string, unknown>>;
}

function mapSecrets(value: unknown, map: (secret: Readonly<Record<string, unknown>>) => unknown): unknown {
  if (Array.isArray(value)) return value.map((item) => mapSecrets(item, map));
  if (typeof value !== "object" || value === null) return value;
  const members = value as Readonly<Record<string, unknown>>;
  if (members[SIGNATURE_KEY] === SECRET) return map(members);
  return Object.fromEntries(Object.entries(members).map(([key, member]) => [key, mapSecrets(member, map)]));
}
