/**
 * What happened in a scenario, in a form that is the same at every engine, on every machine, at every time.
 */
import type { EngineDiagnostic, EngineResource, EngineResult } from "./engine-session";
import { nameOf } from "./engine-session";
import type { FixtureProject } from "./fixture-project";
import { FIXTURE_PROVIDER_TEXT } from "./programs/thing";

/** The operations of a scenario, one after another. */
export class Recording {
  readonly #project: FixtureProject;
  readonly #operations: unknown[] = [];

  constructor(project: FixtureProject) {
    this.#project = project;
  }

  /** Adds an operation, the provider's calls in it, and the state after it. */
  async add(operation: string, result: EngineResult, state: readonly EngineResource[]): Promise<void> {
    const record = {
      operation,
      exitCode: result.exitCode,
      calls: await this.#project.takeCalls(),
      steps: inOrder(operation, result.steps).map(({ op, name, inputs }) => ({
        op,
        name,
        ...(inputs ? { inputs } : {}),
      })),
      messages: result.diagnostics
        .filter((diagnostic) => !isStackFrame(diagnostic))
        .map(renderDiagnostic)
        .sort(),
      outputs: result.outputs,
      state: [...state].sort((a, b) => (a.urn < b.urn ? -1 : 1)).map(renderResource),
    };
    this.#operations.push(JSON.parse(this.#neutral(JSON.stringify(record))));
  }

  /** The operations as JSON-able data. */
  toJson(): unknown {
    return this.#operations;
  }

  /** The operations as a file's text, keys sorted. */
  toText(): string {
    const sorted = JSON.stringify(
      this.#operations,
      (_key, value: unknown) =>
        typeof value === "object" && value !== null && !Array.isArray(value)
          ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
          : value,
      1,
    );
    return `${sorted}\n`;
  }

  /** Without the provider's text, paths, colours and stack traces. */
  #neutral(json: string): string {
    return json
      .replaceAll(JSON.stringify(FIXTURE_PROVIDER_TEXT), '"<provider>"')
      .replaceAll(this.#project.dir, "<project>")
      .replaceAll(/\\u001b\[[0-9;]*m/g, "")
      .replaceAll(/(?:\\n {4}at [^"]*?)(?=")/g, "\\n    at <stack>");
  }
}

/** A refresh takes all resources at the same time: the order in which the CLI tells of them is chance. */
function inOrder(operation: string, steps: EngineResult["steps"]): EngineResult["steps"] {
  return operation === "refresh" ? steps.toSorted((a, b) => (a.name < b.name ? -1 : 1)) : steps;
}

/** What a process prints comes line by line, stack traces too. */
function isStackFrame({ severity, message }: EngineDiagnostic): boolean {
  return severity === "info" && /^\s+at /.test(message);
}

function renderDiagnostic({ severity, message, urn, ephemeral }: EngineDiagnostic): string {
  return `${urn === undefined ? "" : `${nameOf(urn)}: `}${severity}${ephemeral ? " (status)" : ""}: ${message}`;
}

function renderResource(resource: EngineResource): object {
  const { urn, parent, dependencies, type: _type, name: _name, ...rest } = resource;
  return {
    ...rest,
    urn: urn.split("::").slice(2).join("::"),
    ...(parent === undefined ? {} : { parent: nameOf(parent) }),
    ...(dependencies ? { dependencies: dependencies.map(nameOf) } : {}),
  };
}
