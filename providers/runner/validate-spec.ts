/**
 * Mistakes in a resolved spec that arguments cannot show one by one: calendars that never open, names that two islands
 * share.
 *
 * Not for: the arguments themselves (sdk/arguments).
 */
import type { HostUpdateSpec, IslandSpec, Mistake } from "../../sdk/model";
import { validateWindow, validateWindows } from "../calendar";

/** All mistakes of a spec. */
export function findMistakes(spec: HostUpdateSpec): readonly Mistake[] {
  return [...validateWindows(spec.windows), ...findDuplicates(spec), ...spec.islands.flatMap(findInSignals)];
}

/** Patterns of signals are those of windows. */
function findInSignals({ signals = [] }: IslandSpec, island: number): Mistake[] {
  return signals.flatMap(({ times }, index) => {
    if (times.kind !== "pattern") return [];
    const { kind: _, ...pattern } = times;
    const field = `islands[${String(island)}].signals[${String(index)}]`;
    return validateWindow({ name: field, ...pattern, freezes: [] });
  });
}

/** Names that two islands of the update share. A copy belongs to one workload of one island. */
function findDuplicates({ islands }: HostUpdateSpec): Mistake[] {
  const islandOf = new Map<string, string>();
  return islands.flatMap((island, i) => {
    const isAgain = islands.findIndex(({ name }) => name === island.name) < i;
    if (isAgain) return [duplicate(`islands[${String(i)}]`, island.name, "another island has this name", "rename one")];
    return island.workloads.flatMap(({ name }, w): Mistake[] => {
      const other = islandOf.get(name);
      if (other === undefined) {
        islandOf.set(name, island.name);
        return [];
      }
      const field = `islands[${String(i)}].workloads[${String(w)}].name`;
      return [
        duplicate(field, name, `island ${other} has it already`, `leave it out of ${other} or of ${island.name}`),
      ];
    });
  });
}

function duplicate(field: string, value: string, reason: string, remedy: string): Mistake {
  return { field, value, rule: `must be unique: ${reason}`, remedy };
}
