/**
 * The in-memory fleet's WorkloadDriver: copies, and the agents' half of a hand-over.
 *
 * Invariant: at a hand-over's deadline the copy that may have to step down asks the switch first; the old owner
 * resumes only after that, so that never two copies accept writes.
 */
import { DriverError } from "../../sdk/model";
import type { AllottedRate, HandOverToken, StartSpec, StateReference, WorkloadDriver } from "../drivers/contracts";
import type { CallGate, EffectMode } from "./call-gate";
import { createCopy } from "./fleet-records";
import type { HostRecord, ReplicaRecord } from "./fleet-records";
import type { FleetState } from "./fleet-state";
import { WriteLog } from "./write-log";

/** How long after the deadline an old owner resumes; the new copy has asked by then. */
const RESUME_AFTER_DEADLINE_MS = 20;
/** A simulated process ends this long after its last request. */
const STOP_MS = 50;
/** Time in which a copy's memory goes to another host while it runs. */
const PRE_COPY_MS = 3000;
/** Size of one write in a snapshot. */
const BYTES_PER_WRITE = 64;

interface StoredState {
  readonly reference: StateReference;
  readonly log: WriteLog;
}

/** Creates the driver of the workloads. */
export function createMemoryWorkloads(state: FleetState, gate: CallGate): WorkloadDriver {
  const snapshots = new Map<string, StoredState>();
  const notNowLeft = new Map<string, number>();

  const target = (call: string, host: string, replica: string) =>
    ({ call: `workloads.${call}`, subjects: [host, replica], host }) as const;

  return {
    fence: "enforced",
    list: (signal) =>
      gate.read({ call: "workloads.list", subjects: ["workloads"] }, signal, () =>
        state
          .allCopies()
          .filter((copy) => state.isReachable(state.hosts.get(copy.host) as HostRecord))
          .map((copy) => state.renderReplica(copy)),
      ),
    survey: (signal) =>
      gate.read({ call: "workloads.survey", subjects: ["workloads"] }, signal, () => {
        const hosts = [...state.hosts.values()];
        const answering = hosts.filter((host) => state.isReachable(host));
        return {
          replicas: state
            .allCopies()
            .filter((copy) => answering.includes(state.hosts.get(copy.host) as HostRecord))
            .map((copy) => state.renderReplica(copy)),
          silent: hosts
            .filter((host) => !answering.includes(host))
            .map(({ spec }) => ({ host: spec.id, reason: "it does not answer" })),
        };
      }),
    describe: (host, replica, signal) =>
      gate.read(target("describe", host, replica), signal, () => findCopy(state, host, replica).spec),
    start: (host, spec, context) =>
      gate.mutate(target("start", host, spec.replica), context, (mode) =>
        state.renderReplica(start(state, host, spec, mode === "partial")),
      ),
    stop: (host, replica, graceMs, context) =>
      gate.mutate(target("stop", host, replica), context, () => stop(state, host, replica, graceMs)),
    hook: (host, replica, path, context) =>
      gate.mutate(target("hook", host, replica), context, () => {
        const copy = findCopy(state, host, replica);
        const id = `${copy.workload.name}${path}`;
        const left = notNowLeft.get(id) ?? copy.workload.notNow[path] ?? 0;
        notNowLeft.set(id, Math.max(0, left - 1));
        return left > 0 ? "notNow" : "ok";
      }),
    quiesce: (host, replica, token, context) =>
      gate.mutate(target("quiesce", host, replica), context, () => {
        const copy = findCopy(state, host, replica);
        refuseOver(state, token);
        if (copy.state !== "healthy" && copy.state !== "quiesced") throw wrongState(copy, "quiesced");
        copy.token = token;
        state.setReplicaState(copy, "quiesced");
        askSwitchAtDeadline(state, copy, token, RESUME_AFTER_DEADLINE_MS);
      }),
    snapshot: (host, replica, context) =>
      gate.mutate(target("snapshot", host, replica), context, async () => {
        const copy = findCopy(state, host, replica);
        if (copy.state !== "quiesced") throw wrongState(copy, "snapshotted before it is quiesced");
        await state.clock.sleep(copy.workload.transferMs);
        const reference = {
          id: `${host}/${replica}/${copy.log.hash().slice(0, 12)}`,
          sha256: copy.log.hash(),
          bytes: copy.log.size * BYTES_PER_WRITE,
        };
        snapshots.set(reference.id, { reference, log: copy.log });
        return reference;
      }),
    restore: (host, replica, from, token, context) =>
      gate.mutate(target("restore", host, replica), context, async (mode) => {
        const copy = findCopy(state, host, replica);
        const stored = snapshots.get(from.state.id);
        if (!stored) throw new DriverError("not-found", from.host, `there is no snapshot ${from.state.id}`);
        refuseOver(state, token);
        if (copy.state !== "standby") throw wrongState(copy, "restored");
        await state.clock.sleep(Math.max(copy.workload.transferMs, timeAtRate(stored.reference.bytes, from)));
        return state.change(() => {
          copy.log = mode === "partial" ? stored.log.firstHalf() : stored.log;
          copy.token = token;
          askSwitchAtDeadline(state, copy, token, 0);
          return { sha256: copy.log.hash() };
        });
      }),
    migrate: (host, replica, to, context, rate) =>
      gate.mutate(target("migrate", host, replica), context, (mode) => migrate(state, host, replica, to, rate, mode)),
    activate: (host, replica, context) =>
      gate.mutate(target("activate", host, replica), context, () => {
        const copy = findCopy(state, host, replica);
        const isReady = copy.state === "standby" || copy.state === "quiesced" || copy.state === "healthy";
        if (!isReady) throw wrongState(copy, "activated");
        state.setReplicaState(copy, "healthy");
      }),
  };
}

async function migrate(
  state: FleetState,
  from: string,
  replica: string,
  to: string,
  rate: AllottedRate | undefined,
  mode: EffectMode,
): Promise<{ readonly pauseMs: number }> {
  if (state.copyOn(to, replica)) return { pauseMs: 0 };
  const copy = findCopy(state, from, replica);
  const target = state.hosts.get(to);
  const pauseMs = copy.workload.blackoutMs;
  const isOffered = [from, to].every((id) => state.hosts.get(id)?.spec.offers.includes("live-migration") === true);
  if (!target || !isOffered || pauseMs === null) {
    throw new DriverError("unsupported", replica, `it cannot be moved from ${from} to ${to} while it runs`);
  }
  if (copy.state !== "healthy") throw wrongState(copy, "moved while it runs");
  const { memoryBytes } = copy.spec.request;
  await state.clock.sleep(Math.max(PRE_COPY_MS, timeAtRate(memoryBytes, rate ?? {})) + pauseMs);
  if (mode === "partial") throw new DriverError("failed", replica, "it wrote faster than its memory was copied");
  return state.change(() => {
    const isStill = state.copyOn(from, replica) === copy && copy.state === "healthy";
    if (!isStill || !state.isReachable(target))
      throw new DriverError("failed", replica, `${to} could not take it over`);
    state.migrate(copy, to);
    return { pauseMs };
  });
}

/** Time that so many bytes need at an allotted rate, ms. */
function timeAtRate(bytes: number, { bytesPerSecond }: AllottedRate): number {
  return bytesPerSecond === undefined ? 0 : Math.ceil((1000 * bytes) / bytesPerSecond);
}

function start(state: FleetState, hostId: string, spec: StartSpec, isBroken: boolean): ReplicaRecord {
  const running = state.copyOn(hostId, spec.replica);
  if (running) return running;
  const host = state.hosts.get(hostId);
  const workload = state.workloads.get(spec.workload);
  if (!host) throw new DriverError("not-found", hostId, "there is no such host");
  if (!workload) throw new DriverError("failed", hostId, `workload ${spec.workload} cannot be started here`);
  const elsewhere = state.allCopies().find((copy) => copy.spec.replica === spec.replica);
  if (elsewhere) {
    const text = `${spec.replica} runs on ${elsewhere.host} too`;
    state.log({ kind: "double-effect", call: "workloads.start", subject: hostId, text });
  }
  const copy = createCopy(host, workload, spec, "starting");
  state.addCopy(copy);
  state.changeAfter(workload.startMs, () => {
    if (copy.state !== "starting") return;
    state.setReplicaState(copy, isBroken ? "unhealthy" : spec.standby ? "standby" : "healthy");
  });
  return copy;
}

async function stop(state: FleetState, host: string, replica: string, graceMs: number): Promise<void> {
  const copy = state.copyOn(host, replica);
  if (!copy) return;
  copy.isStopping = true;
  state.load.refresh();
  const waitMs = state.load.drainTimeOf(copy) + STOP_MS;
  await state.clock.sleep(Math.min(waitMs, graceMs));
  state.change(() => {
    // A reboot may have ended it meanwhile.
    if (state.copyOn(host, replica) === copy) state.removeCopy(copy, `copy ${replica} was stopped`);
  });
}

/** At the deadline a party without news asks the switch who the owner is, and acts on the answer. */
function askSwitchAtDeadline(state: FleetState, copy: ReplicaRecord, token: HandOverToken, delayMs: number): void {
  state.changeAfter(token.deadline - state.clock.now() + delayMs, () => {
    const isGone = state.copyOn(copy.host, copy.spec.replica) !== copy;
    if (isGone || copy.token?.token !== token.token) return;
    copy.token = undefined;
    const isOwner = isOwnerAtSwitch(state, token.service, copy);
    if (isOwner && (copy.state === "quiesced" || copy.state === "standby")) state.setReplicaState(copy, "healthy");
    if (!isOwner && copy.state === "healthy") state.setReplicaState(copy, "standby");
  });
}

function isOwnerAtSwitch(state: FleetState, service: string, copy: ReplicaRecord): boolean {
  const record = state.services.get(service);
  const owner = record?.owner === undefined ? undefined : record.backends.get(record.owner);
  return owner?.replica === copy.spec.replica && owner.address === copy.address;
}

function refuseOver(state: FleetState, token: HandOverToken): void {
  if (token.deadline <= state.clock.now()) {
    throw new DriverError("expired", token.service, `hand-over ${token.token} is over`);
  }
}

function wrongState(copy: ReplicaRecord, action: string): DriverError {
  return new DriverError("conflict", copy.spec.replica, `it is ${copy.state} and cannot be ${action}`);
}

function findCopy(state: FleetState, host: string, replica: string): ReplicaRecord {
  const copy = state.copyOn(host, replica);
  if (!copy) throw new DriverError("not-found", replica, `it does not run on ${host}`);
  return copy;
}
