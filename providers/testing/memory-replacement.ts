/**
 * The in-memory fleet's ReplacementDriver: another machine in a host's place, back again, and the end of the old one.
 *
 * Not for: what runs on machines; a host is emptied before.
 */
import { DriverError } from "../../sdk/model";
import type { Operation, ReplacementDriver, ReplacementSpec } from "../drivers/contracts";
import type { CallGate, EffectMode } from "./call-gate";
import { bootIdOf, endOperation, findHost, type HostRecord, type MutableOperation } from "./fleet-records";
import type { FleetState } from "./fleet-state";

/** Creates the driver of replacements. */
export function createMemoryReplacement(state: FleetState, gate: CallGate): ReplacementDriver {
  const target = (name: string, id: string) =>
    ({ call: `replacement.${name}`, subjects: [id], host: id, isOfPlatform: true }) as const;
  return {
    start: (id, spec, context) =>
      gate.mutate(target("start", id), context, (mode) => {
        const host = findHost(state.hosts, id);
        refuseReplacement(state, host);
        return replace(state, host, spec, context, mode);
      }),
    restore: (id, context) =>
      gate.mutate(target("restore", id), context, () => {
        const host = findHost(state.hosts, id);
        if (!isKeptFor(host, context.owner)) return { ...beginOperation(state, host, context.key, true) };
        refuseCopies(state, host);
        return restore(state, host, context.key);
      }),
    discard: (id, context) =>
      gate.mutate(target("discard", id), context, () => {
        const host = findHost(state.hosts, id);
        if (!isKeptFor(host, context.owner)) return;
        host.replaced = undefined;
        state.log({ kind: "replacement", host: id, what: "discarded" });
      }),
  };
}

function refuseReplacement(state: FleetState, host: HostRecord): void {
  const { id, offers } = host.spec;
  if (!offers.includes("replacement")) throw new DriverError("unsupported", id, "its machine cannot be replaced");
  if (host.replaced) throw new DriverError("conflict", id, `${host.replaced.owner} keeps the machine that it replaced`);
  refuseCopies(state, host);
}

function refuseCopies(state: FleetState, { spec: { id } }: HostRecord): void {
  const [copy] = state.copiesOn(id);
  if (copy) throw new DriverError("conflict", id, `replica ${copy.spec.replica} still runs on it`);
}

/** True when a machine is kept for this owner; false when none is. */
function isKeptFor({ spec, replaced }: HostRecord, owner: string): boolean {
  if (replaced && replaced.owner !== owner) throw new DriverError("conflict", spec.id, `${replaced.owner} replaced it`);
  return replaced !== undefined;
}

function replace(
  state: FleetState,
  host: HostRecord,
  { image, timeoutMs }: ReplacementSpec,
  { key, owner }: { readonly key: string; readonly owner: string },
  mode: EffectMode,
): Operation {
  const operation = beginOperation(state, host, key);
  const made = state.spec.images?.[image];
  if (made === undefined) {
    endOperation(operation, state.clock.now(), { reason: `there is no image ${image}` });
    return { ...operation };
  }
  const { version: before, pendingVersion, disk } = host;
  const version = typeof made === "string" ? made : made({ id: host.spec.id, version: before });
  state.powerOff(host, false);
  host.replaced = { owner, bootId: bootIdOf(host), version: before, pendingVersion, disk };
  host.disk = new Map();
  host.lastDone = undefined;
  // What it is made of is there once it has booted.
  host.pendingVersion = mode === "partial" ? `${version}-broken` : version;
  state.log({ kind: "replacement", host: host.spec.id, what: "started" });
  const giveUp = state.changeAfter(timeoutMs, () => {
    if (operation.state === "running") endOperation(operation, state.clock.now(), { reason: "deadline" });
  });
  state.boot(host, false, () => {
    giveUp();
    if (operation.state !== "running") return;
    endOperation(operation, state.clock.now(), mode === "partial" ? { reason: "its first start failed" } : {});
  });
  return { ...operation };
}

function restore(state: FleetState, host: HostRecord, key: string): Operation {
  const operation = beginOperation(state, host, key);
  const { replaced } = host;
  if (host.power !== "off") state.powerOff(host, false);
  if (replaced) {
    state.setVersion(host, replaced.version);
    host.pendingVersion = replaced.pendingVersion;
    host.disk = replaced.disk;
    host.replaced = undefined;
  }
  host.lastDone = undefined;
  state.log({ kind: "replacement", host: host.spec.id, what: "restored" });
  state.boot(host, false);
  // The boot of the machine that was taken out may still have been under way: the host counts, not the boot.
  state.changeAfter(host.spec.bootMs, () => {
    if (state.isReachable(host)) endOperation(operation, state.clock.now(), {});
  });
  return { ...operation };
}

function beginOperation(state: FleetState, host: HostRecord, key: string, isDone = false): MutableOperation {
  const operation: MutableOperation = { key, state: "running", output: "", startedAt: state.clock.now() };
  host.operations.set(key, operation);
  if (isDone) endOperation(operation, state.clock.now(), {});
  return operation;
}
