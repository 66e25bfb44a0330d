/**
 * Scenarios: a sequence of operations on one stack, as one mocha test that runs at whichever engine is there.
 *
 * What the real CLI did in a scenario (calls of the provider, steps, messages, outputs, state) is kept in
 * golden/<name>.json, and both engines are held against it. `UPDATE_GOLDEN=1` writes it anew, with the real CLI only.
 */
import assert from "node:assert/strict";
import { access, mkdir, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { EngineKind, EngineOptions, EngineResult, EngineSession, OperationOptions } from "./engine-session";
import { makeFixtureProject } from "./fixture-project";
import type { FixtureProject } from "./fixture-project";
import { chooseEngine, openEngine } from "./open-engine";
import { Recording } from "./recording";

/** A stack under test: a session whose operations are recorded. */
export interface ScenarioStack extends EngineSession {
  /** The project of a program in programs/; its provider's calls are taken by the recording. */
  readonly project: FixtureProject;
}

/** A scenario with a program in programs/. */
export interface FixtureScenarioOptions {
  readonly program: string;
  /** Values of the configuration at the beginning. */
  readonly config?: Readonly<Record<string, string>>;
  /** False for a scenario that goes differently each time, such as by an interrupt. @default true */
  readonly golden?: boolean;
}

/** A scenario with a program of another folder; it has no golden file. */
export interface ProjectScenarioOptions {
  /** Folder with `Pulumi.yaml`. */
  readonly projectDir: string;
  /** Instead of the `main` in there. */
  readonly main?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly config?: Readonly<Record<string, string>>;
}

/** Longest time of one scenario; a loaded machine is slow at starting processes. */
const SCENARIO_MS = 300_000;

/** Defines a scenario; its name is a sentence. */
export function scenario(
  name: string,
  options: FixtureScenarioOptions,
  run: (stack: ScenarioStack) => Promise<void>,
): Mocha.Test;
export function scenario(
  name: string,
  options: ProjectScenarioOptions,
  run: (stack: EngineSession) => Promise<void>,
): Mocha.Test;
export function scenario(
  name: string,
  options: FixtureScenarioOptions | ProjectScenarioOptions,
  run: (stack: ScenarioStack) => Promise<void>,
): Mocha.Test {
  return it(name, async () => {
    if ("program" in options) await runFixture(name, options, run);
    // The second overload takes a function that does not know of a fixture project.
    else await runProject(options, run as (stack: EngineSession) => Promise<void>);
  }).timeout(SCENARIO_MS);
}

async function runFixture(
  name: string,
  options: FixtureScenarioOptions,
  run: (stack: ScenarioStack) => Promise<void>,
): Promise<void> {
  const project = await makeFixtureProject(options.program);
  try {
    await withSession({ projectDir: project.dir, env: project.env }, options.config, async (session) => {
      const recording = new Recording(project);
      await run({ ...session, ...recorded(session, recording), project });
      if (options.golden !== false) await holdAgainstGolden(name, session.kind, recording);
    });
  } finally {
    await project.remove();
  }
}

async function runProject(
  { config, ...options }: ProjectScenarioOptions,
  run: (stack: EngineSession) => Promise<void>,
): Promise<void> {
  await withSession(options, config, run);
}

async function withSession(
  options: Omit<EngineOptions, "stack">,
  config: Readonly<Record<string, string>> | undefined,
  run: (session: EngineSession) => Promise<void>,
): Promise<void> {
  const env = { ...FAST, ...options.env };
  const session = await openEngine({ ...options, env, stack: "dev", kind: engineKind() });
  try {
    for (const [key, value] of Object.entries(config ?? {})) await session.setConfig(key, value);
    await run(session);
  } finally {
    await session.close();
  }
}

/** A group of scenarios; its title says which engine runs them. */
export function engineSuite(title: string, define: () => void): Mocha.Suite {
  return describe(`${title} (${engineKind() === "pulumi" ? "the pulumi CLI" : "the stand-in engine"})`, define);
}

/** The engine of this run: `ENGINE=stand-in` or `ENGINE=pulumi` overrules what is on the path. */
export function engineKind(): EngineKind {
  const kind = process.env["ENGINE"] ?? "auto";
  if (kind !== "auto" && kind !== "pulumi" && kind !== "stand-in") {
    throw new Error(`ENGINE ("${kind}") must be auto, pulumi or stand-in`);
  }
  return chooseEngine(kind);
}

/** Op and name of each step of an operation, without the stack's own. */
export function stepsOf(result: EngineResult): readonly string[] {
  return result.steps.filter(({ name }) => name !== "fixture-dev").map(({ op, name }) => `${op} ${name}`);
}

/** Messages of an operation that stay. */
export function messagesOf(result: EngineResult): readonly string[] {
  return result.diagnostics
    .filter(({ ephemeral }) => !ephemeral)
    .map(({ severity, message }) => `${severity}: ${message}`);
}

/** Compiled code is kept between processes: importing the SDK is most of an operation's time. */
const FAST: Readonly<Record<string, string>> = { NODE_COMPILE_CACHE: join(tmpdir(), "engine-tests-compile-cache") };

function recorded(
  session: EngineSession,
  recording: Recording,
): Pick<EngineSession, "preview" | "up" | "refresh" | "destroy"> {
  const wrap =
    (operation: "preview" | "up" | "refresh" | "destroy") =>
    async (options?: OperationOptions): Promise<EngineResult> => {
      const result = await session[operation](options);
      await recording.add(operation, result, await session.stackExport());
      return result;
    };
  return { preview: wrap("preview"), up: wrap("up"), refresh: wrap("refresh"), destroy: wrap("destroy") };
}

async function holdAgainstGolden(name: string, kind: EngineKind, recording: Recording): Promise<void> {
  const file = join(goldenFolder(), `${name.replaceAll(/[^a-z0-9]+/gi, "-").toLowerCase()}.json`);
  if (process.env["UPDATE_GOLDEN"] === "1") {
    assert.equal(kind, "pulumi", "only the real CLI writes golden files; put pulumi on the path");
    await mkdir(goldenFolder(), { recursive: true });
    await writeFile(file, recording.toText());
    return;
  }
  const isThere = await access(file).then(
    () => true,
    () => false,
  );
  assert.ok(isThere, `${file} is missing; record it with UPDATE_GOLDEN=1 and the real CLI on the path`);
  assert.deepEqual(recording.toJson(), JSON.parse(await readFile(file, "utf8")));
}

/** The golden files stay with the sources; this module may run from a folder of compiled code. */
function goldenFolder(): string {
  return join(process.cwd(), "test", "engine", "golden");
}
