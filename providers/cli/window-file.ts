/**
 * A window file: a host update in YAML or JSON, for the command line without Pulumi. Its rules are those of the
 * components (sdk/arguments).
 *
 * Invariants
 * 1. Relative paths in it are relative to the file, wherever a command is called.
 * 2. Its runs are known by its `name`, so that the file may lie elsewhere tomorrow.
 */
import { readFile } from "node:fs/promises";
import * as path from "node:path";
import { isMap, LineCounter, parseDocument, type Document } from "yaml";
import { resolveWindowFile, resolveWindows, windowFileUrn } from "../../sdk/arguments";
import { messageOf, MistakeError, type HostUpdateSpec, type IslandSpec, type Mistake } from "../../sdk/model";
import { validateWindow } from "../calendar";
import { resolveSignal } from "../runner/resolve-signal";
import { findMistakes } from "../runner/validate-spec";
import { runFamily } from "../runner/run-family";

/** What a window file says. */
export interface WindowFile {
  /** Absolute path. */
  readonly path: string;
  readonly spec: HostUpdateSpec;
  /** Name that its runs share. */
  readonly family: string;
}

/**
 * Reads a window file.
 * @throws MistakeError with every mistake, each with its line
 */
export async function readWindowFile(file: string): Promise<WindowFile> {
  const absolute = path.resolve(file);
  const lines = new LineCounter();
  const document = parseDocument(await readText(absolute), { lineCounter: lines, prettyErrors: true });
  const [broken] = document.errors;
  if (broken) {
    const [problem = broken.message] = broken.message.split("\n");
    throw MistakeError.of("window file", file, `must be YAML or JSON: ${problem}`, "correct it there");
  }
  const mistakes: Mistake[] = [];
  const parsed: unknown = document.toJS();
  const written = resolveWindowFile(parsed, mistakes);
  const spec = written && resolvePaths(written, path.dirname(absolute));
  if (spec) mistakes.push(...findMistakes(spec).map(asWritten(spec)));
  else mistakes.push(...resolveWindows(parsed).flatMap(validateWindow).map(ofWindow));
  if (!spec || mistakes.length > 0) {
    const placed = mistakes.map((mistake) => ({ mistake, line: lineOf(document, lines, mistake.field) }));
    placed.sort((a, b) => (a.line ?? 0) - (b.line ?? 0));
    throw new MistakeError(
      `window file ${file}`,
      placed.map(({ mistake, line }) =>
        line === undefined ? mistake : { ...mistake, field: `line ${String(line)}: ${mistake.field}` },
      ),
    );
  }
  return { path: absolute, spec, family: runFamily(spec.name, windowFileUrn(spec.name)) };
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    const isMissing = (error as NodeJS.ErrnoException).code === "ENOENT";
    const rule = isMissing ? "must be a file, and there is none" : `must be readable (${messageOf(error)})`;
    throw MistakeError.of("window file", file, rule, isMissing ? "correct the path" : "check who may read it");
  }
}

function resolvePaths(spec: HostUpdateSpec, folder: string): HostUpdateSpec {
  const { approval, events, killSwitchFile, prices } = spec;
  return {
    ...spec,
    ...(approval?.file === undefined ? {} : { approval: { ...approval, file: path.resolve(folder, approval.file) } }),
    ...(events?.file === undefined ? {} : { events: { ...events, file: path.resolve(folder, events.file) } }),
    ...(prices?.file === undefined ? {} : { prices: { ...prices, file: path.resolve(folder, prices.file) } }),
    ...(killSwitchFile === undefined ? {} : { killSwitchFile: path.resolve(folder, killSwitchFile) }),
    islands: spec.islands.map((island) => resolveIsland(island, folder)),
    ...(spec.store === undefined ? {} : { store: resolveStore(spec.store, folder) }),
  };
}

function resolveIsland(island: IslandSpec, folder: string): IslandSpec {
  const { source, metrics, signals, users } = island;
  return {
    ...island,
    source: source.kind === "agents" ? { ...source, inventory: path.resolve(folder, source.inventory) } : source,
    ...(users ? { users: { ...users, accessLog: path.resolve(folder, users.accessLog) } } : {}),
    ...(signals ? { signals: signals.map((signal) => resolveSignal(signal, folder)) } : {}),
    metrics: metrics.kind === "recorded" ? { ...metrics, file: path.resolve(folder, metrics.file) } : metrics,
  };
}

/** `file:store` becomes absolute; `file:~/store` and other schemes stay. */
function resolveStore(url: string, folder: string): string {
  const relative = /^file:(?!\/|~)(.+)$/.exec(url)?.[1];
  return relative === undefined ? url : `file:${path.resolve(folder, relative)}`;
}

/** Islands of a spec are a list, and fields of windows begin with the window's name; in the file both are keys. */
function asWritten(spec: HostUpdateSpec): (mistake: Mistake) => Mistake {
  return (mistake) => {
    const [, index, rest = ""] = /^islands\[(\d+)\](.*)$/.exec(mistake.field) ?? [];
    const island = spec.islands[Number(index ?? Number.NaN)];
    return island ? { ...mistake, field: `islands.${island.name}${rest}` } : ofWindow(mistake);
  };
}

function ofWindow(mistake: Mistake): Mistake {
  return { ...mistake, field: `windows.${mistake.field}` };
}

/** The line of a field; of what surrounds it where the field itself is missing. */
function lineOf(document: Document, lines: LineCounter, field: string): number | undefined {
  const steps = field.split(/[.[\]]+/).filter((step) => step !== "");
  for (let length = steps.length; length > 0; length -= 1) {
    const offset = offsetOf(document, steps.slice(0, length));
    if (offset !== undefined) return lines.linePos(offset).line;
  }
  return undefined;
}

/** Where a field's key stands in the text; a list's item where it begins. */
function offsetOf(document: Document, steps: readonly string[]): number | undefined {
  const keys = steps.map((step) => (/^\d+$/.test(step) ? Number(step) : step));
  const parent = document.getIn(keys.slice(0, -1), true);
  const key = keys.at(-1);
  if (isMap(parent)) {
    const pair = parent.items.find((item) => String(item.key) === String(key));
    return pair && rangeOf(pair.key);
  }
  return rangeOf(document.getIn(keys, true));
}

function rangeOf(node: unknown): number | undefined {
  return (node as { range?: readonly number[] } | undefined)?.range?.[0];
}
