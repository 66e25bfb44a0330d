/**
 * Rules of a window file: one host update with its islands, windows and pool as one document, without Pulumi. The
 * fields are those of the components' arguments.
 *
 * Not for: reading files and resolving paths (providers/cli/window-file.ts). schemas/window-file.schema.json says the
 * same for editors; a test holds both together.
 */
import type { HostUpdateSpec, Mistake, StageSpec, WindowSpec } from "../model";
import { islandRule, normalizeIsland } from "./island";
import { normalizePool, poolFields } from "./pool";
import { name, named, object, optional, required, text, type Rule } from "./rules";
import { balanceRule, normalizeRebalance, validateBalance } from "./rebalance";
import { normalizeUpdate, runFields, stagesRule, updateRule, validateRun, validateUpdate } from "./update";
import { normalizeWindow, readWindow, windowRule } from "./window";
import { readDependencies, validateDependencies, type DeclaredDependencies } from "./workload";

const DEFAULT_POOL_NAME = "reserve";

const version: Rule<1> = (value, field, mistakes) => {
  if (value === 1) return 1;
  mistakes.push({ field, value, rule: "must be 1", remedy: "this is the version of the file's format" });
  return undefined;
};

const islandsRule = named(islandRule<string>(text), "shop");
const windowsRule = named(windowRule, "saturdays");
const purposeFields = {
  update: optional(updateRule<string>(text), undefined),
  rebalance: optional(balanceRule, undefined),
  ...runFields<string>(text),
};
const documentRule = object({
  v: required(version, "write v: 1"),
  name: required(name, "name the update: it tells its runs from others in the store"),
  islands: required(islandsRule, "declare the islands whose hosts are updated"),
  windows: required(windowsRule, "declare at least one window"),
  pool: optional(object({ name: optional(name, DEFAULT_POOL_NAME), ...poolFields }), undefined),
  after: optional(stagesRule(name), undefined),
  ...purposeFields,
});
const purposeRule = object(purposeFields);
type CheckedDocument = NonNullable<ReturnType<typeof documentRule>>;
type CheckedPurpose = NonNullable<ReturnType<typeof purposeRule>>;

/**
 * Resolves a parsed window file. Paths in it stay as they are written.
 * @param mistakes all mistakes are added here; the result is undefined when there is one
 */
export function resolveWindowFile(document: unknown, mistakes: Mistake[]): HostUpdateSpec | undefined {
  const before = mistakes.length;
  const checked = documentRule(document, "", mistakes);
  // What one part says is judged whatever is wrong with another: nobody wants to be told in turns.
  const purpose = checked ?? readPurpose(document);
  if (purpose) validatePurpose(purpose, mistakes);
  validateDependencies(declaredWorkloads(document), mistakes);
  return checked === undefined || mistakes.length > before ? undefined : specOf(checked);
}

/** Windows of a parsed window file as far as their fields are right, also where other parts of it are wrong. */
export function resolveWindows(document: unknown): readonly WindowSpec[] {
  return Object.entries(recordOf(recordOf(document)["windows"])).flatMap(
    ([key, written]) => readWindow(key, written) ?? [],
  );
}

/** What is done, where the fields that say it are right. */
function readPurpose(document: unknown): CheckedPurpose | undefined {
  const known = Object.entries(recordOf(document)).filter(([key]) => key in purposeFields);
  return purposeRule(Object.fromEntries(known), "", []);
}

/** Workloads of all islands with whom they name. */
function declaredWorkloads(document: unknown): readonly DeclaredDependencies[] {
  return Object.entries(recordOf(recordOf(document)["islands"])).flatMap(([key, island]) => {
    const workloads = recordOf(island)["workloads"];
    if (!Array.isArray(workloads)) return [];
    return workloads.flatMap(
      (written: unknown, index) => readDependencies(written, `islands.${key}.workloads[${String(index)}]`) ?? [],
    );
  });
}

function recordOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {};
}

/** One of update and rebalance. */
function validatePurpose(checked: CheckedPurpose, mistakes: Mistake[]): void {
  const { update, rebalance } = checked;
  if (update && !rebalance) {
    validateUpdate({ ...checked, update }, mistakes);
    return;
  }
  validateRun(checked, mistakes);
  if (rebalance && !update) {
    validateBalance(rebalance, "rebalance.", mistakes);
    return;
  }
  const rule = update ? "must not be given together with rebalance" : "must be given";
  const remedy = update
    ? "make a file of its own for each"
    : "say what the update is: { probe, expect, command, undo }, or give rebalance: {} to move load alone";
  mistakes.push({ field: "update", value: update && "both", rule, remedy });
}

function specOf(checked: CheckedDocument): HostUpdateSpec {
  const { islands, windows, pool } = checked;
  const parts = {
    name: checked.name,
    islands: Object.entries(islands).map(([key, island]) => normalizeIsland(key, island)),
    windows: Object.entries(windows).map(([key, window]) => normalizeWindow(key, window)),
    ...(pool ? { pool: normalizePool(pool.name, pool) } : {}),
    ...(checked.after ? { after: checked.after.map(({ update, soak }) => stageOf(update, soak)) } : {}),
  };
  const { update, rebalance } = checked;
  if (rebalance) return normalizeRebalance(parts, checked, rebalance);
  if (!update) throw new TypeError("neither an update nor a rebalance");
  return normalizeUpdate(parts, { ...checked, update });
}

function stageOf(update: string, soakMs: number): StageSpec {
  return { name: update, urn: windowFileUrn(update), soakMs };
}

/** What the runs of a window file's update are known by, together with its name. */
export function windowFileUrn(update: string): string {
  return `window-file:${update}`;
}
