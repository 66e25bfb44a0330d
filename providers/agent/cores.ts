/**
 * Cores that copies are pinned to: seen in the kernel's affinity mask, and given to copies that come.
 *
 * Not for: how much of a core a copy may use (cpu-groups.ts), and NUMA nodes: cores count, not which of them are near.
 */
import { readFileSync } from "node:fs";
import { DriverError } from "../../sdk/model";

/** Cores that a process may run on, ascending; undefined when it is gone. */
export function readCores(pid: number | "self"): readonly number[] | undefined {
  try {
    const status = readFileSync(`/proc/${String(pid)}/status`, "latin1");
    const list = /^Cpus_allowed_list:\s*(\S+)$/m.exec(status)?.[1];
    return list === undefined ? undefined : parseCoreList(list);
  } catch {
    return undefined;
  }
}

/** `0-2,5` as numbers. */
export function parseCoreList(list: string): readonly number[] {
  return list.split(",").flatMap((part) => {
    const [first = 0, last = first] = part.split("-").map(Number);
    return Array.from({ length: last - first + 1 }, (_, index) => first + index);
  });
}

/** Cores of a process that is bound to fewer than the agent itself may use; undefined for one that is not, or is gone. */
export function readPinnedCores(pid: number): readonly number[] | undefined {
  const own = readCores("self");
  const cores = readCores(pid);
  return own && cores && cores.length < own.length ? cores : undefined;
}

/**
 * What a command begins with so that it runs on so many cores: those that the fewest pinned copies have, the first of equals.
 * @param taken cores of the copies that are pinned here
 * @throws DriverError refused when the host has fewer
 */
export function pinTo(
  count: number,
  allowed: readonly number[],
  taken: readonly number[],
  copy: string,
): readonly string[] {
  if (count > allowed.length) {
    throw new DriverError("refused", copy, `must run on ${String(count)} cores of its own`, {
      remedy: `this host has ${String(allowed.length)}; choose a larger one`,
    });
  }
  const uses = new Map<number, number>();
  for (const core of taken) uses.set(core, (uses.get(core) ?? 0) + 1);
  const chosen = allowed.toSorted((a, b) => (uses.get(a) ?? 0) - (uses.get(b) ?? 0) || a - b).slice(0, count);
  return ["taskset", "--cpu-list", chosen.toSorted((a, b) => a - b).join(",")];
}
