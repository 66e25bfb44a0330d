/**
 * The runs of a store as rows for people and as JSON for programs. Pure.
 *
 * Not for: reading stores (status.ts).
 *
 * Invariant: fields of the JSON are added, never renamed or removed, while `v` is 1. Times are ISO 8601.
 */
import {
  formatDurationShort,
  renderOpening,
  type KillSwitch,
  type Opening,
  type Phase,
  type RunnerHeartbeat,
  type RunRequest,
  type RunState,
} from "../../sdk/model";
import type { RunSummary } from "../runner/list-runs";
import { renderTable } from "./table";
import type { Colours, Paint } from "./terminal";

/** All that `archipelago status` knows. */
export interface StoreStatus {
  readonly url: string;
  /** The store's time. */
  readonly nowMs: number;
  readonly runs: readonly RunSummary[];
  /** Runners that were seen lately. */
  readonly runners: readonly RunnerHeartbeat[];
  /** Why nothing disruptive may begin on this store; absent: it may. */
  readonly killSwitch?: KillSwitch;
}

/** Runners are shown until this long after their last sign of life, in beats. */
const BEATS_UNTIL_GONE = 3;

/** The JSON of a store's status. */
export function statusJson({ url, nowMs, runs, runners, killSwitch }: StoreStatus): object {
  return {
    v: 1,
    store: url,
    at: iso(nowMs),
    runs: runs.map((run) => runJson(run, nowMs)),
    runners: runners.map((runner) => ({
      runner: runner.runner,
      host: runner.host,
      pid: runner.pid,
      seenAt: iso(runner.at),
      isGone: isGone(runner, nowMs),
      runs: runner.runs,
    })),
    ...(killSwitch ? { killSwitch: killSwitchJson(killSwitch) } : {}),
  };
}

/** A switch whose document is damaged is on all the same, with no time. */
function killSwitchJson({ by, why, at }: KillSwitch): object {
  return { by, why, ...(Number.isFinite(at) ? { at: iso(at) } : {}) };
}

/** The JSON of one run: the same in every command. */
export function runJson(run: RunSummary, nowMs: number): object {
  const { wave, opening, lease, request } = run;
  return {
    family: run.family,
    run: run.run,
    name: run.name,
    ...(run.phase ? { phase: run.phase } : {}),
    reason: run.reason,
    hosts: run.hosts,
    updated: run.updated,
    isOpen: run.isOpen,
    ...(wave ? { wave: { index: wave.index, kind: wave.kind, hosts: wave.hosts } } : {}),
    ...(opening ? { opening: openingJson(opening) } : {}),
    ...(lease && lease.expiresAt > nowMs ? { owner: { name: lease.owner, until: iso(lease.expiresAt) } } : {}),
    ...(request ? { request: { ...request, at: iso(request.at) } } : {}),
    ...(run.state?.failure ? { failure: run.state.failure } : {}),
    ...(run.problem === undefined ? {} : { problem: run.problem }),
  };
}

/** A store's status as text. */
export function renderStatus(status: StoreStatus, columns: number, colours: Colours): string {
  const { nowMs, runs, runners, killSwitch, url } = status;
  const lines = [colours.dim(`${url}  ${iso(nowMs).slice(0, 19).replace("T", " ")} UTC`)];
  if (killSwitch) {
    const since = Number.isFinite(killSwitch.at) ? ` for ${formatDurationShort(nowMs - killSwitch.at)}` : "";
    lines.push(colours.red(`KILL SWITCH on${since} by ${killSwitch.by}: ${killSwitch.why}`));
  }
  lines.push("");
  if (runs.length === 0) lines.push("no runs yet");
  else {
    const rows = runs.map((run) => [
      run.run,
      paintPhase(run.phase, colours)(run.phase ?? "unreadable"),
      run.state ? `${String(run.updated)}/${String(run.hosts)}` : "-",
      describeWave(run),
      describeNow(run, nowMs),
    ]);
    lines.push(renderTable(["RUN", "PHASE", "HOSTS", "WAVE", "NOW"], rows, columns));
    for (const { run, problem } of runs) if (problem !== undefined) lines.push("", colours.red(`${run}: ${problem}`));
  }
  const seen = runners.filter((runner) => !isGone(runner, nowMs));
  lines.push("", seen.length === 0 ? colours.dim("no runner was seen") : renderRunners(seen, nowMs));
  return lines.join("\n");
}

/** Everything about one run as text. */
export function renderRun(run: RunSummary, nowMs: number, colours: Colours): string {
  const { state, opening, lease, request } = run;
  const rows: [string, string][] = [["phase", paintPhase(run.phase, colours)(run.phase ?? "unreadable")]];
  if (run.problem !== undefined) rows.push(["problem", colours.red(run.problem)]);
  if (run.reason !== "") rows.push(["why", run.reason]);
  if (state) {
    rows.push(["update", state.plan.envelope.update]);
    rows.push(["hosts", `${String(run.updated)} of ${String(run.hosts)} updated`]);
    rows.push(["attempt", String(state.attempt)], ["envelope", state.digest.slice(0, 12)]);
    rows.push(["began", state.startedAt === undefined ? "not yet" : ago(state.startedAt, nowMs)]);
    if (state.endedAt !== undefined) rows.push(["ended", ago(state.endedAt, nowMs)]);
  }
  if (opening && !isEnded(run.phase)) rows.push([run.isOpen ? "open" : "opens", renderOpening(opening, zoneOf(state))]);
  if (!isEnded(run.phase)) {
    rows.push(["owner", lease && lease.expiresAt > nowMs ? lease.owner : "no process works on it"]);
  }
  if (request) rows.push(["asked", describeWish(request, nowMs)]);
  const lines = [colours.bold(run.run), ...rows.map(([label, text]) => `  ${label.padEnd(9)} ${text}`)];
  if (state) lines.push(...renderProgress(state, nowMs, colours));
  return lines.join("\n");
}

/** Steps and decisions that are shown of a run. */
const LAST_DECISIONS = 5;

function renderProgress(state: RunState, nowMs: number, colours: Colours): readonly string[] {
  const lines: string[] = [""];
  for (const wave of state.waves) {
    const ids = new Set(wave.steps.map(({ id }) => id));
    const steps = state.steps.filter(({ step }) => ids.has(step.id));
    const done = steps.filter(({ status }) => status === "done").length;
    const isDone = state.wavesDone.includes(wave.index);
    const mark = isDone ? colours.green("done") : colours.yellow("open");
    lines.push(
      `  wave ${String(wave.index)} ${wave.kind} ${wave.hosts.join(", ")}: ${mark}, ${String(done)} of ${String(ids.size)} steps`,
    );
    if (isDone) continue;
    for (const { step, status, intentAt, reason } of steps.filter(({ status: is }) => is !== "done")) {
      lines.push(`    ${step.id}: ${status} ${ago(intentAt, nowMs)}${reason === undefined ? "" : `: ${reason}`}`);
    }
  }
  for (const { at, text } of state.decisions.slice(-LAST_DECISIONS)) lines.push(`  ${ago(at, nowMs)}: ${text}`);
  const { failure } = state;
  if (failure) {
    lines.push("", colours.red(`  ${failure.subject}: step ${failure.step} failed: ${failure.reason}`));
    if (failure.notUndone.length > 0) lines.push(`    NOT undone: ${failure.notUndone.join(", ")}`);
    lines.push(`    what to do: ${failure.remedy}`);
  }
  return lines;
}

function renderRunners(runners: readonly RunnerHeartbeat[], nowMs: number): string {
  return runners
    .map(({ host, pid, at, runs }) => {
      const work = runs.length === 0 ? "idle" : `works on ${runs.join(", ")}`;
      return `runner on ${host} (process ${String(pid)}): seen ${ago(at, nowMs)}, ${work}`;
    })
    .join("\n");
}

/** Colour of a phase, so that what needs a person stands out. */
function paintPhase(phase: Phase | undefined, colours: Colours): Paint {
  switch (phase) {
    case "done":
      return colours.green;
    case "running":
    case "recovering":
      return colours.blue;
    case "paused":
    case "expired":
      return colours.yellow;
    case "failed":
    case undefined:
      return colours.red;
    case "armed":
    case "cancelled":
    case "skipped":
      return (text) => text;
  }
}

/** True when a runner has missed several beats. */
function isGone({ at, everyMs }: RunnerHeartbeat, nowMs: number): boolean {
  return nowMs - at > BEATS_UNTIL_GONE * everyMs;
}

/** What happens now, or what comes next, in one phrase. */
function describeNow(run: RunSummary, nowMs: number): string {
  const { problem, lease, request, phase, reason } = run;
  if (problem !== undefined) return "its journal cannot be read, see below";
  const asked = request && request.wish !== "resume" && !isEnded(phase) ? `${describeWish(request, nowMs)}; ` : "";
  switch (phase) {
    case "running":
    case "recovering":
      if (lease && lease.expiresAt > nowMs) return `${asked}${lease.owner}`;
      return `${asked}ABANDONED: no process works on it; see archipelago recover`;
    case "armed":
      return `${asked}${describeOpening(run)}`;
    default:
      return `${asked}${reason}`;
  }
}

function isEnded(phase: Phase | undefined): boolean {
  return phase === "done" || phase === "failed" || phase === "cancelled" || phase === "skipped" || phase === "expired";
}

function describeOpening({ isOpen, opening, state, reason }: RunSummary): string {
  if (isOpen) return `window open; ${reason}`;
  return opening ? `opens ${renderOpening(opening, zoneOf(state))}` : "no opening is left";
}

function describeWish({ wish, by, why, at }: RunRequest, nowMs: number): string {
  return `${wish} asked by ${by} ${ago(at, nowMs)}${why === "" ? "" : `: ${why}`}`;
}

function describeWave({ wave }: RunSummary): string {
  return wave ? `${String(wave.index)} ${wave.hosts.join(",")}`.trim() : "-";
}

function zoneOf(state: RunState | undefined): string {
  return state?.bundle.spec.windows[0]?.timezone ?? "UTC";
}

function openingJson({ window, startMs, endMs }: Opening): object {
  return { window, startsAt: iso(startMs), endsAt: iso(endMs) };
}

function ago(ms: number, nowMs: number): string {
  return `${formatDurationShort(Math.max(0, nowMs - ms))} ago`;
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
