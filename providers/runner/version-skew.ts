/**
 * A run and a package of another major version: it may only be recovered, never carried on.
 *
 * Not for: formats of the journal, which a package knows or cannot read at all (providers/journal).
 *
 * Invariant: what a package of the same major version planned is carried on, also from the middle of a wave.
 */
import type { RunFailure, RunState } from "../../sdk/model";
import { packageVersion } from "./environment";
import { recover } from "./recover";
import type { RunSession } from "./session";
import { enterPhase, takeOver } from "./session";

/** Why this package must not carry the run on, or undefined when it may. */
export function describeVersionSkew(session: RunSession): string | undefined {
  const planned = session.journal.state().bundle.packageVersion;
  const own = session.deps.packageVersion ?? packageVersion();
  const plannedMajor = majorOf(planned);
  const ownMajor = majorOf(own);
  if (plannedMajor === undefined || ownMajor === undefined || plannedMajor === ownMajor) return undefined;
  return `it was planned by pulumi-archipelago ${planned}, this is ${own}, which may only recover it`;
}

/**
 * Ends the run: one that waits is cancelled, one that is half done is brought to a safe state and has failed.
 * @throws as `carryOut`
 */
export async function endSkewedRun(session: RunSession, reason: string): Promise<RunState> {
  const { deps, journal } = session;
  const { bundle, phase } = journal.state();
  deps.progress.line(`run ${journal.state().id}: ${reason}`);
  if (phase === "armed") {
    await enterPhase(session, "cancelled", `${reason}; raise \`attempt\` to plan it anew`);
    return journal.state();
  }
  await takeOver(session);
  if (phase !== "recovering") {
    const failure: RunFailure = {
      subject: bundle.spec.name,
      step: "version",
      reason,
      undone: [],
      notUndone: [],
      remedy:
        `raise \`attempt\` to update the hosts that are left with this version, or carry such runs to their end with ` +
        `pulumi-archipelago ${bundle.packageVersion} before upgrading`,
    };
    await enterPhase(session, "recovering", reason, { kind: "failure", failure });
  }
  return recover(session);
}

/** Undefined for what is no version, as in tests and development. */
function majorOf(version: string): string | undefined {
  return /^(\d+)\.\d+\.\d+/.exec(version)?.[1];
}
