/**
 * A spec as it travels between program, engine and provider: long lists of workloads go as texts, for the engine's
 * format spends more on every field than planning does (5,000 workloads: 4 s of CPU for a preview, as texts 0.3 s).
 *
 * Not for: specs of journals and bundles, which hold workloads as they are.
 *
 * Invariants
 * 1. Unpacking gives the workloads in their order, whatever was packed.
 * 2. What may not be known yet is never within a text: that text as a whole would be unknown.
 * 3. A list of up to {@link LONGEST_PLAIN} workloads stays as it is: its changes show field by field.
 */
import type { HostUpdateSpec, IslandSpec, WorkloadPolicy } from "./policy";

/** Longest list of workloads of an island that is not packed, and the most that one text holds. */
export const LONGEST_PLAIN = 100;

/** A spec in which an item of a list of workloads may be a text: a JSON array of some, one after the other. */
export type PackedSpec = Omit<HostUpdateSpec, "islands"> & { readonly islands: readonly PackedIsland[] };
type PackedIsland = Omit<IslandSpec, "workloads"> & { readonly workloads: readonly (WorkloadPolicy | string)[] };

/** What packing asks of a spec, whose parts may be of a kind that is not known yet. */
interface Packable<W> {
  readonly islands: readonly { readonly workloads: readonly W[] }[];
}

/** What packing makes of a spec. */
export type Packed<S extends Packable<unknown>> = Omit<S, "islands"> & {
  readonly islands: readonly (Omit<S["islands"][number], "workloads"> & {
    readonly workloads: readonly (S["islands"][number]["workloads"][number] | string)[];
  })[];
};

/**
 * Packs the long lists of a spec.
 * @param isKnown whether all of a workload is known; others stay as they are
 */
export function packSpec<S extends Packable<unknown>>(
  spec: S,
  isKnown: (workload: S["islands"][number]["workloads"][number]) => boolean,
): Packed<S> {
  const islands = spec.islands.map((island: S["islands"][number]) => ({
    ...island,
    workloads: island.workloads.length <= LONGEST_PLAIN ? island.workloads : packList(island.workloads, isKnown),
  }));
  return { ...spec, islands };
}

function packList<W>(workloads: readonly W[], isKnown: (workload: W) => boolean): readonly (W | string)[] {
  const packed: (W | string)[] = [];
  let pending: W[] = [];
  const end = (): void => {
    if (pending.length > 0) packed.push(JSON.stringify(pending));
    pending = [];
  };
  for (const workload of workloads) {
    if (isKnown(workload)) {
      pending.push(workload);
      if (pending.length === LONGEST_PLAIN) end();
    } else {
      end();
      packed.push(workload);
    }
  }
  end();
  return packed;
}

/** The spec that was packed. */
export function unpackSpec(spec: PackedSpec): HostUpdateSpec {
  const islands = spec.islands.map((island) => ({
    ...island,
    workloads: island.workloads.flatMap((item) =>
      typeof item === "string" ? (JSON.parse(item) as readonly WorkloadPolicy[]) : [item],
    ),
  }));
  return { ...spec, islands };
}
