/**
 * Environment of what an agent starts: a few inherited variables, and the project's own.
 *
 * Invariant: the agent's own environment may hold secrets of whoever started it; nothing but the named variables
 * goes on.
 */

/** Marks every process of a local fleet; deleting the fleet ends what carries it. */
export const FLEET = "ARCHIPELAGO_FLEET";

/** Marks every process that belongs to a host; a reboot ends what carries it. */
export const HOST_ROOT = "ARCHIPELAGO_HOST_ROOT";
/** Marks the processes of one start of a copy or one operation. */
export const INSTANCE = "ARCHIPELAGO_INSTANCE";

const INHERITED = ["PATH", "HOME", "USER", "LANG", "LC_ALL", "TZ", "TMPDIR", FLEET] as const;

/** Variables that pass from the agent to what it starts. */
export function inheritedEnvironment(from: NodeJS.ProcessEnv = process.env): Record<string, string> {
  const entries: [string, string][] = [];
  for (const name of INHERITED) {
    const value = from[name];
    if (value !== undefined) entries.push([name, value]);
  }
  return Object.fromEntries(entries);
}
