/**
 * What both engines need of a project: its name, its program, and how that is run.
 */
import { createRequire } from "node:module";
import { readFile, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";

/** A project as `Pulumi.yaml` describes it. */
export interface Project {
  readonly name: string;
  /** Folder of `Pulumi.yaml`. */
  readonly dir: string;
  /** The program's file, or the folder that holds it. */
  readonly main: string;
  /** Folder in which program and provider run. */
  readonly programDir: string;
  /** What the SDK's runner is told to run in that folder; "." leaves it to `package.json`. */
  readonly entry: string;
  /** Whether the SDK's own TypeScript loader is used. */
  readonly typescript: boolean;
  /** All of `Pulumi.yaml`. */
  readonly settings: object;
}

/**
 * Reads `Pulumi.yaml`.
 * @param main instead of the one in the file
 * @throws Error when it is missing, is not a Node.js project, or names a program that is not there
 */
export async function readProject(projectDir: string, main?: string): Promise<Project> {
  const dir = resolve(projectDir);
  const file = join(dir, "Pulumi.yaml");
  const settings = parseYaml(await readFile(file, "utf8")) as ProjectSettings;
  const runtime = typeof settings.runtime === "string" ? { name: settings.runtime } : settings.runtime;
  if (runtime.name !== "nodejs") throw new Error(`${file}: runtime ("${runtime.name}") must be "nodejs"`);
  const path = resolve(dir, main ?? settings.main ?? ".");
  const isFolder = (await stat(path)).isDirectory();
  return {
    name: settings.name,
    dir,
    main: path,
    programDir: isFolder ? path : dirname(path),
    entry: isFolder ? "." : basename(path),
    typescript: runtime.options?.typescript ?? true,
    settings,
  };
}

interface ProjectSettings {
  readonly name: string;
  readonly main?: string;
  readonly runtime: string | { readonly name: string; readonly options?: { readonly typescript?: boolean } };
}

/** The YAML reader that the SDK brings, so that both read the same. */
function parseYaml(text: string): unknown {
  const sdkRequire = createRequire(require.resolve("@pulumi/pulumi/package.json"));
  return (sdkRequire("js-yaml") as { load(text: string): unknown }).load(text);
}
