/** `archipelago recover`: shows what an abandoned run left, and mends it with `--yes`. */
import { formatDurationShort, isFinalPhase, LeaseHeldError, type RunState } from "../../sdk/model";
import { systemClock } from "../clock";
import type { RunEnvironment } from "../runner/environment";
import { observeLeftOver, type LeftOver } from "../runner/left-over";
import { recoverHostUpdate } from "../runner/host-update";
import { describePerson, describeProcess } from "./caller";
import { defineCommand, UsageError } from "./command";
import { EXIT_CODES, exitCodeOf } from "./exit-codes";
import { watchInterrupts } from "./interrupts";
import { STORE_OPTIONS } from "./store";
import type { Terminal } from "./terminal";
import { chooseUpdate, openLatest } from "./update";

/** A fleet that takes longer to answer is not there. */
const OBSERVE_LIMIT_MS = 20_000;

/** Shows first, then mends. */
export const recoverCommand = defineCommand({
  name: "recover",
  summary: "show what an abandoned run left, and mend it with --yes",
  about: `Shows what the runs of an update hold: marks on hosts, reserve, leases, parked requests, silenced alerts, steps that were
begun and not ended. Nothing is changed without --yes. With it the wave under way is undone, or driven to a safe
state where there is no way back, and everything is given back; the run is then armed again, or has failed. A run that another process works on is left alone. To carry on instead, use "start".`,
  positionals: [{ name: "RUN", isOptional: true, completes: "runs" }],
  options: {
    ...STORE_OPTIONS,
    yes: { about: "mend what is shown" },
    why: { value: "TEXT", about: "reason, for the journal" },
  },
  examples: [
    ["archipelago recover kernel", "what is left over, and what would be done"],
    ["archipelago recover kernel --yes --why 'the runner is gone'", "mend it"],
  ],
  async run({ options, positionals: [word], isJson, terminal }) {
    const update = await chooseUpdate(options, word);
    const { family, latest } = update;
    if (!latest) throw new UsageError(`${family} has no run: there is nothing to recover`);
    const environment = await openLatest(update, latest);
    try {
      const before = await look(environment, family, latest);
      if (!isJson) terminal.print(renderLeftOver(latest, before, terminal));
      if (before.owner) {
        if (options.yes) throw new LeaseHeldError(`run ${latest.id}`, before.owner.owner, before.owner.expiresAt);
        if (isJson) terminal.printJson(toJson(latest, before, undefined));
        return EXIT_CODES.done;
      }
      if (!options.yes || !hasSomething(latest, before)) {
        if (isJson) terminal.printJson(toJson(latest, before, undefined));
        else if (hasSomething(latest, before)) terminal.print(`\nMend it with: archipelago recover ${family} --yes`);
        return EXIT_CODES.done;
      }
      const after = await mend(environment, family, latest, options.why ?? "", terminal);
      const left = await look(environment, family, after);
      if (isJson) terminal.printJson(toJson(after, left, before));
      else terminal.print(`\n${renderMended(after, left)}`);
      return left.marks.length + left.machines.length > 0 || after.phase === "failed"
        ? EXIT_CODES.failed
        : (exitCodeOf(after.phase) ?? 0);
    } finally {
      await environment.close();
    }
  },
});

async function look(environment: RunEnvironment, family: string, run: RunState): Promise<LeftOver> {
  const signal = AbortSignal.timeout(OBSERVE_LIMIT_MS);
  return observeLeftOver(environment, family, run, systemClock.now(), signal);
}

async function mend(
  environment: RunEnvironment,
  family: string,
  run: RunState,
  why: string,
  terminal: Terminal,
): Promise<RunState> {
  const interrupts = watchInterrupts(() => {
    terminal.note("stopping at the next step border; Ctrl-C again ends at once");
  });
  const { progress } = terminal;
  const caller = { family, owner: describeProcess(), engine: "archipelago", progress, signal: interrupts.signal };
  const reason = `recovered by ${describePerson()}${why === "" ? "" : `: ${why}`}`;
  try {
    return (await recoverHostUpdate(environment, caller, run.id, reason)).run ?? run;
  } finally {
    interrupts.close();
    progress.status("");
  }
}

/** True when there is something to mend: what is held, or a run that nobody carries on. */
function hasSomething(run: RunState, { marks, machines, parked, steps, silences }: LeftOver): boolean {
  const isHalf = !isFinalPhase(run.phase) && run.phase !== "armed";
  const isHeld = marks.length > 0 || machines.length > 0 || parked.length > 0 || silences.length > 0;
  return isHalf || isHeld || (steps.length > 0 && !isFinalPhase(run.phase));
}

function renderLeftOver(run: RunState, left: LeftOver, { colours }: Terminal): string {
  const nowMs = systemClock.now();
  const until = (expiresAt: number): string =>
    expiresAt > nowMs ? `lapses in ${formatDurationShort(expiresAt - nowMs)}` : "has lapsed";
  const lines = [colours.bold(`${run.id}: ${run.phase} (${run.phaseReason})`)];
  if (left.owner) lines.push(`  ${left.owner.owner} works on it: it is not abandoned`);
  const rows = [
    ...left.marks.map(({ host, kind, owner, expiresAt }) => `${kind} on ${host} by ${owner}, ${until(expiresAt)}`),
    ...left.machines.map(({ host, owner }) => `the machine that ${owner} replaced is still kept beside ${host}`),
    ...left.parked.map(
      ({ service, waiting, expiresAt }) => `${String(waiting)} requests parked at ${service}, ${until(expiresAt)}`,
    ),
    ...left.silences.map(({ source, comment, expiresAt }) => `${source}: ${comment}, ${until(expiresAt)}`),
    ...left.leases.map(({ resource, owner, expiresAt }) => `lease on ${resource} by ${owner}, ${until(expiresAt)}`),
    ...left.steps.map(({ step, status }) => `step ${step.id} is ${status}`),
    ...left.silent.map((host) => `${host} does not answer: what it holds is not known`),
    ...left.unknown.map((why) => `silenced alerts are not known: ${why}`),
  ];
  lines.push(...(rows.length === 0 ? ["  nothing is left over"] : rows.map((row) => `  ${row}`)));
  return lines.join("\n");
}

function renderMended(run: RunState, left: LeftOver): string {
  const rest = [
    ...left.marks.map(({ host, kind }) => `${kind} on ${host}`),
    ...left.machines.map(({ host }) => `the machine that was replaced, beside ${host}`),
    ...left.silences.map(({ source, comment }) => `silence at ${source} (${comment})`),
  ];
  const held = rest.length === 0 ? "nothing is held any more" : `still held: ${rest.join(", ")}`;
  const next =
    run.phase === "armed" ? "\nIt may start again while its window is open; to end it: archipelago cancel" : "";
  return `${run.id}: ${run.phase}: ${run.phaseReason}\n${held}${next}`;
}

function toJson(run: RunState, left: LeftOver, before: LeftOver | undefined): object {
  return {
    v: 1,
    run: run.id,
    phase: run.phase,
    reason: run.phaseReason,
    isMended: before !== undefined,
    left: leftJson(left),
    ...(before ? { before: leftJson(before) } : {}),
  };
}

function leftJson({ owner, marks, machines, leases, parked, silences, steps, silent }: LeftOver): object {
  const iso = (held: { readonly expiresAt: number }): object => ({
    ...held,
    expiresAt: new Date(held.expiresAt).toISOString(),
  });
  return {
    ...(owner ? { owner: iso(owner) } : {}),
    marks: marks.map(iso),
    machines,
    leases: leases.map(iso),
    parked: parked.map(iso),
    silences: silences.map(iso),
    steps: steps.map(({ step, status }) => ({ id: step.id, kind: step.kind, status })),
    silent,
  };
}
