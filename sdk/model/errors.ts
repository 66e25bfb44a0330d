/**
 * Errors of the project: classes with data, recognised by `kind` so that they survive two copies of the package and
 * a process border. Message = field or subject (value) rule; remedy.
 *
 * Not for: a blocked plan, which is a result with reasons (plan.ts), not an exception.
 */

/** One mistake in what a user wrote. */
export interface Mistake {
  /** Path of the field, such as `update.command` or `workloads[2].budget.maxUnavailable`. */
  readonly field: string;
  /** The value as written; secrets never come here. */
  readonly value: unknown;
  /** What must hold: "must be ...". */
  readonly rule: string;
  /** What to do about it. */
  readonly remedy: string;
}

/** Base class: `kind` names the class in data, `remedy` says what a person can do. */
export class ArchipelagoError extends Error {
  readonly kind: string = "ArchipelagoError";
  readonly remedy: string | undefined;

  constructor(message: string, options: { readonly remedy?: string; readonly cause?: unknown } = {}) {
    super(
      options.remedy ? `${message}; ${options.remedy}` : message,
      "cause" in options ? { cause: options.cause } : undefined,
    );
    this.name = new.target.name;
    this.remedy = options.remedy;
  }
}

/** Mistakes in the arguments, all of them at once. */
export class MistakeError extends ArchipelagoError {
  override readonly kind = "MistakeError";
  readonly mistakes: readonly Mistake[];

  constructor(subject: string, mistakes: readonly Mistake[]) {
    super(
      mistakes.length === 1 && subject === ""
        ? renderMistake(mistakes[0] as Mistake)
        : `${subject}: ${String(mistakes.length)} mistake${mistakes.length === 1 ? "" : "s"} in the arguments\n` +
            mistakes.map((mistake) => `  - ${renderMistake(mistake)}`).join("\n"),
    );
    this.mistakes = mistakes;
  }

  /** A single mistake. */
  static of(field: string, value: unknown, rule: string, remedy: string): MistakeError {
    return new MistakeError("", [{ field, value, rule, remedy }]);
  }
}

/** One mistake as a line: `field (value) rule; remedy`. */
export function renderMistake(mistake: Mistake): string {
  return `${mistake.field} (${renderValue(mistake.value)}) ${mistake.rule}; ${mistake.remedy}`;
}

/** The platform refused or failed a call. `code` is stable, `output` what the host printed. */
export class DriverError extends ArchipelagoError {
  override readonly kind = "DriverError";
  readonly code: DriverErrorCode;
  readonly subject: string;
  readonly output: string | undefined;

  constructor(
    code: DriverErrorCode,
    subject: string,
    message: string,
    options: { readonly remedy?: string; readonly cause?: unknown; readonly output?: string } = {},
  ) {
    super(`${subject}: ${message}`, options);
    this.code = code;
    this.subject = subject;
    this.output = options.output;
  }
}

/**
 * - `unreachable`: no answer; whether the call took effect is unknown. Retried.
 * - `timeout`: no answer in time; whether the call took effect is unknown. Retried with the same key.
 * - `stale-epoch`: a newer owner exists. Never retried; the run loses its lease.
 * - `refused`: the platform understood and said no. Not retried.
 * - `failed`: it was tried and failed.
 * - `not-found`, `conflict`, `unauthorized`, `expired` (a token or a park is over), `unsupported`.
 */
export type DriverErrorCode =
  | "unreachable"
  | "timeout"
  | "stale-epoch"
  | "refused"
  | "failed"
  | "not-found"
  | "conflict"
  | "unauthorized"
  | "expired"
  | "unsupported";

/** The lease is gone: another owner has it, or it can no longer be proven. Effects stop at once. */
export class LeaseLostError extends ArchipelagoError {
  override readonly kind = "LeaseLostError";
  readonly resource: string;
  constructor(resource: string, message: string, cause?: unknown) {
    super(`lease on ${resource}: ${message}`, {
      remedy:
        "the run has not ended: it stands where it was left, and whoever takes its lease next carries it on, a runner by " +
        "itself or `pulumi up` again; `archipelago status` says who has it",
      ...(cause === undefined ? {} : { cause }),
    });
    this.resource = resource;
  }
}

/** Another owner holds a host or pool. */
export class LeaseHeldError extends ArchipelagoError {
  override readonly kind = "LeaseHeldError";
  readonly resource: string;
  readonly owner: string;
  readonly expiresAt: number;
  constructor(resource: string, owner: string, expiresAt: number) {
    super(`${resource} is held by ${owner} until ${new Date(expiresAt).toISOString()}`, {
      remedy: "wait for that run to end, or cancel it",
    });
    this.resource = resource;
    this.owner = owner;
    this.expiresAt = expiresAt;
  }
}

/** The journal or store cannot be read or written. */
export class StoreError extends ArchipelagoError {
  override readonly kind = "StoreError";
  readonly code: "corrupt" | "full" | "unavailable" | "denied" | "conflict" | "version";
  constructor(
    code: StoreError["code"],
    message: string,
    options: { readonly remedy?: string; readonly cause?: unknown } = {},
  ) {
    super(message, options);
    this.code = code;
  }
}

/**
 * A metric that no model can use.
 * - `empty`: no value at all. `all-gaps`: only NaN. `not-finite`: an infinite value. `grid`: its step is not a
 *   positive number of ms. `too-short`: no room for a single origin of a backtest.
 */
export class SeriesError extends ArchipelagoError {
  override readonly kind = "SeriesError";
  readonly code: "empty" | "all-gaps" | "not-finite" | "grid" | "too-short";
  /** Id of the series. */
  readonly series: string;
  constructor(code: SeriesError["code"], series: string, message: string, remedy: string) {
    super(`series ${series}: ${message}`, { remedy });
    this.code = code;
    this.series = series;
  }
}

/** The run stopped at a step border because it was told to (Ctrl-C, pause, kill switch). State is kept. */
export class InterruptedError extends ArchipelagoError {
  override readonly kind = "InterruptedError";
  constructor(reason: string, remedy = "run `pulumi up` again to carry it on") {
    super(reason, { remedy });
  }
}

/** The run failed: names host, step, output and what to do. */
export class RunFailedError extends ArchipelagoError {
  override readonly kind = "RunFailedError";
  readonly failure: RunFailure;
  constructor(failure: RunFailure) {
    super(renderFailure(failure), { remedy: failure.remedy });
    this.failure = failure;
  }
}

/** Why a run failed, as data: kept in the journal and said again until `attempt` changes. */
export interface RunFailure {
  /** Host, pool or workload concerned. */
  readonly subject: string;
  /** Kind of the step that failed, such as `update` or `validate`. */
  readonly step: string;
  readonly reason: string;
  /** Last lines of what the command printed. */
  readonly output?: string;
  /** What was undone, and what could not be. */
  readonly undone: readonly string[];
  readonly notUndone: readonly string[];
  readonly remedy: string;
}

/** A failure as lines of text without its remedy. */
export function renderFailure(failure: RunFailure): string {
  const lines = [`${failure.subject}: step ${failure.step} failed: ${failure.reason}`];
  if (failure.output?.trim())
    lines.push(
      "  output:",
      ...failure.output
        .trimEnd()
        .split("\n")
        .map((line) => `    ${line}`),
    );
  if (failure.undone.length > 0) lines.push(`  undone: ${failure.undone.join(", ")}`);
  if (failure.notUndone.length > 0) lines.push(`  NOT undone: ${failure.notUndone.join(", ")}`);
  return lines.join("\n");
}

/** The message of anything thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** True when `error` is of the given class, also across two copies of the package. */
export function isKind(error: unknown, kind: string): boolean {
  return typeof error === "object" && error !== null && "kind" in error && error.kind === kind;
}

function renderValue(value: unknown): string {
  if (value === undefined) return "missing";
  const text = typeof value === "string" ? `"${value}"` : jsonOf(value);
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}

/** JSON of a value; a message must not fail over functions, big integers and loops, which have none. */
function jsonOf(value: unknown): string {
  try {
    const json = JSON.stringify(value) as string | undefined;
    return json ?? String(value);
  } catch {
    return String(value);
  }
}
