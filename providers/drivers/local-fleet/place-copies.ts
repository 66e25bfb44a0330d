/**
 * Where the first copies of a local fleet start: spread over the zones in turn, in each zone the first host that has
 * room. Pure.
 *
 * Not for: moves; those are the planner's.
 */
import { MistakeError, type LocalFleetSpec, type LocalHostSpec, type LocalWorkloadSpec } from "../../../sdk/model";

/** One copy to start. */
export interface CopyPlacement {
  readonly replica: string;
  readonly workload: string;
  readonly host: string;
}

/**
 * Places every copy of every workload on the member hosts.
 * @throws MistakeError when a copy fits nowhere
 */
export function placeCopies(spec: LocalFleetSpec): readonly CopyPlacement[] {
  const members = spec.hosts.filter(({ role }) => role === "member");
  const zones = [...new Set(members.map(({ zone }) => zone))].sort();
  const used = new Map<string, { cpuMillis: number; memoryBytes: number; copies: number }>();
  const usedOn = (host: LocalHostSpec) => used.get(host.id) ?? { cpuMillis: 0, memoryBytes: 0, copies: 0 };
  const placements: CopyPlacement[] = [];
  // Zones go on in turn across workloads, so that single copies do not all meet in the first zone.
  let turn = 0;
  for (const workload of spec.workloads) {
    for (let index = 0; index < workload.copies; index += 1, turn += 1) {
      const host = chooseHost(workload, members, zones, turn, usedOn);
      if (!host) throw tooLarge(workload, spec);
      const before = usedOn(host);
      used.set(host.id, {
        cpuMillis: before.cpuMillis + workload.request.cpuMillis,
        memoryBytes: before.memoryBytes + workload.request.memoryBytes,
        copies: before.copies + 1,
      });
      placements.push({ replica: `${workload.name}-${String(index)}`, workload: workload.name, host: host.id });
    }
  }
  return placements;
}

function chooseHost(
  workload: LocalWorkloadSpec,
  members: readonly LocalHostSpec[],
  zones: readonly string[],
  turn: number,
  usedOn: (host: LocalHostSpec) => {
    readonly cpuMillis: number;
    readonly memoryBytes: number;
    readonly copies: number;
  },
): LocalHostSpec | undefined {
  for (let step = 0; step < zones.length; step += 1) {
    const zone = zones[(turn + step) % zones.length];
    // Fewest copies first, so that one host's update touches few copies; the order of the spec breaks ties.
    const candidates = members
      .filter((host) => host.zone === zone)
      .toSorted((a, b) => usedOn(a).copies - usedOn(b).copies);
    const found = candidates.find((host) => {
      const { cpuMillis, memoryBytes } = usedOn(host);
      return (
        cpuMillis + workload.request.cpuMillis <= host.cpuMillis &&
        memoryBytes + workload.request.memoryBytes <= host.memoryBytes
      );
    });
    if (found) return found;
  }
  return undefined;
}

function tooLarge(workload: LocalWorkloadSpec, spec: LocalFleetSpec): MistakeError {
  return MistakeError.of(
    `workloads.${workload.name}.request`,
    workload.request,
    `leaves no host of ${spec.name} with room for all ${String(workload.copies)} copies`,
    "lower the request or copies, or add hosts",
  );
}
