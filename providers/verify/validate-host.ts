/**
 * Validation of one host after its update: the probe matches what is wanted, and every check of the user's is green.
 *
 * Not for: waiting. One call is one look; who wants to wait for green calls again (the `validate` step does).
 *
 * Invariant: nothing here changes anything; probes and checks are reads of the host driver.
 */
import type { HostUpdateSpec, ValidateSpec } from "../../sdk/model";
import { isKind, messageOf } from "../../sdk/model";
import type { Platform } from "../drivers/contracts";

/** One check and how it ended. */
export interface CheckResult {
  /** `probe`, `http <url>` or `command <command>`. */
  readonly check: string;
  readonly ok: boolean;
  /** What the probe, the server or the command said; the last {@link OUTPUT_LIMIT} characters. */
  readonly output: string;
  /** What was wanted, where `ok` is false. */
  readonly wanted?: string;
}

/** Result of validating one host. */
export interface HostValidation {
  readonly host: string;
  readonly ok: boolean;
  /** The probe first, then the user's checks in their order. */
  readonly checks: readonly CheckResult[];
  /** The checks that are not green as one line for errors and reports; empty when `ok`. */
  readonly reason: string;
  /** Output of the first check that is not green; empty when `ok`. */
  readonly output: string;
}

/** What {@link validateHost} needs. */
export interface ValidateHostOptions {
  readonly platform: Platform;
  readonly spec: HostUpdateSpec;
  readonly host: string;
  /** Islands that the host belongs to; their checks are run. @default every island of the spec */
  readonly islands?: readonly string[];
  readonly signal: AbortSignal;
}

/** Enough to see what a server or a script complains about, little enough for a journal entry. */
const OUTPUT_LIMIT = 4_000;

/**
 * Validates a host: all checks are run, also after one that is not green, so that the error names them all.
 * @throws DriverError where the host gives no answer (`unreachable`, `timeout`, `unauthorized`): that says nothing
 *   about the update, so the caller retries or gives up. A probe or check that fails is a result, not an exception.
 */
export async function validateHost(options: ValidateHostOptions): Promise<HostValidation> {
  const { spec, host } = options;
  const checks = [await probeHost(options)];
  for (const check of userChecks(spec, options.islands)) {
    checks.push(check.kind === "http" ? await checkHttp(check, options.signal) : await checkCommand(check, options));
  }
  const red = checks.filter((check) => !check.ok);
  return {
    host,
    ok: red.length === 0,
    checks,
    reason: red.map((check) => `${check.check} wanted ${check.wanted ?? "success"}`).join("; "),
    output: red[0]?.output ?? "",
  };
}

/** The checks of the named islands, each once: two islands of a host often name the same health page. */
function userChecks(spec: HostUpdateSpec, islands: readonly string[] | undefined): readonly ValidateSpec[] {
  const unique = new Map<string, ValidateSpec>();
  for (const island of spec.islands) {
    if (islands !== undefined && !islands.includes(island.name)) continue;
    for (const check of island.validate) unique.set(describeCheck(check), check);
  }
  return [...unique.values()];
}

function describeCheck(check: ValidateSpec): string {
  return check.kind === "http" ? `http ${check.url}` : `command ${check.command}`;
}

async function probeHost({ platform, spec, host, signal }: ValidateHostOptions): Promise<CheckResult> {
  const wanted = `output matching "${spec.update.expect}"`;
  try {
    const result = await platform.hosts.probe(host, spec.update.probe, spec.update.expect, signal);
    return result.matches
      ? { check: "probe", ok: true, output: cut(result.output) }
      : { check: "probe", ok: false, output: cut(result.output), wanted };
  } catch (error) {
    return { check: "probe", ok: false, output: outputOfFailure(error), wanted };
  }
}

async function checkCommand(
  check: Extract<ValidateSpec, { kind: "command" }>,
  { platform, host, signal }: ValidateHostOptions,
): Promise<CheckResult> {
  const name = describeCheck(check);
  const wanted = "exit code 0";
  try {
    const command = { command: check.command, timeoutMs: check.timeoutMs };
    const result = await platform.hosts.check(host, command, signal);
    const output = cut(result.output);
    return result.ok ? { check: name, ok: true, output } : { check: name, ok: false, output, wanted };
  } catch (error) {
    return { check: name, ok: false, output: outputOfFailure(error), wanted };
  }
}

async function checkHttp(check: Extract<ValidateSpec, { kind: "http" }>, signal: AbortSignal): Promise<CheckResult> {
  const name = describeCheck(check);
  const wanted = `a 2xx answer within ${String(check.timeoutMs)} ms`;
  try {
    const response = await fetch(check.url, {
      signal: AbortSignal.any([signal, AbortSignal.timeout(check.timeoutMs)]),
      headers: { "user-agent": "archipelago-validate", connection: "close" },
    });
    const body = cut(await response.text());
    return response.ok
      ? { check: name, ok: true, output: body }
      : { check: name, ok: false, output: cut(`status ${String(response.status)}\n${body}`), wanted };
  } catch (error) {
    // A server that is down is the check's answer; only the caller's own abort is passed on.
    signal.throwIfAborted();
    return { check: name, ok: false, output: renderFetchFailure(error), wanted };
  }
}

/** The output of a check that the host ran and that failed; anything else is thrown on. */
function outputOfFailure(error: unknown): string {
  if (!isKind(error, "DriverError")) throw error;
  const { code, output } = error as { readonly code?: unknown; readonly output?: unknown };
  if (code !== "failed") throw error;
  return cut(typeof output === "string" && output.trim() !== "" ? output : messageOf(error));
}

/** `fetch failed` alone helps nobody: the reason is in its cause. */
function renderFetchFailure(error: unknown): string {
  const cause = error instanceof Error && error.cause !== undefined ? `: ${messageOf(error.cause)}` : "";
  return cut(`${messageOf(error)}${cause}`);
}

function cut(text: string): string {
  const trimmed = text.trimEnd();
  return trimmed.length > OUTPUT_LIMIT ? `...${trimmed.slice(-OUTPUT_LIMIT)}` : trimmed;
}
