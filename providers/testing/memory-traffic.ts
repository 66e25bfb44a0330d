/**
 * The in-memory fleet's TrafficDriver: backends and weights, and the switch's half of a hand-over.
 *
 * Invariant: a hand-over is decided at the switch alone: cut over before the deadline, or reverted.
 */
import { DriverError } from "../../sdk/model";
import type { Service } from "../../sdk/model";
import type { HandOverToken, TrafficDriver } from "../drivers/contracts";
import type { CallGate } from "./call-gate";
import type { BackendRecord, HandOverRecord, ServiceRecord } from "./fleet-records";
import type { FleetState } from "./fleet-state";

/** Creates the driver of the switch. */
export function createMemoryTraffic(state: FleetState, gate: CallGate): TrafficDriver {
  const target = (call: string, service: string, replica?: string) => ({
    call: `traffic.${call}`,
    subjects: replica === undefined ? [service] : [service, replica],
  });

  return {
    fence: "enforced",
    observe: (signal) =>
      gate.read({ call: "traffic.observe", subjects: ["switch"] }, signal, () =>
        [...state.services.values()].map((service) => renderService(state, service)),
      ),
    setBackend: (name, backend, context) =>
      gate.mutate(target("setBackend", name, backend.replica), context, () => {
        const service = findService(state, name);
        const known = service.backends.get(backend.replica);
        if (known?.address === backend.address) known.weight = backend.weight;
        else service.backends.set(backend.replica, createBackend(state, backend));
      }),
    removeBackend: (name, replica, context) =>
      gate.mutate(target("removeBackend", name, replica), context, () => {
        const service = findService(state, name);
        const backend = service.backends.get(replica);
        if (!backend) return;
        const underWay = state.load.inFlight(service, backend);
        if (underWay > 0) state.load.noteFailed(service, underWay, `backend ${replica} was removed`);
        service.backends.delete(replica);
      }),
    refuse: (name, paths, context) =>
      gate.mutate(target("refuse", name), context, () => {
        const service = findService(state, name);
        const held = service.refused;
        if (held && held.owner !== context.owner) {
          throw new DriverError("conflict", name, `${held.owner} refuses paths of it`);
        }
        service.refused = paths.length === 0 ? undefined : { owner: context.owner, paths: [...paths].sort() };
      }),
    park: (name, token, context) =>
      gate.mutate(target("park", name), context, () => {
        park(state, findService(state, name), token);
      }),
    cutOver: (name, token, to, context) =>
      gate.mutate(target("cutOver", name, to.replica), context, () => {
        const service = findService(state, name);
        const handOver = service.handOvers.get(token);
        if (handOver?.state === "cut-over" && service.owner === to.replica) return;
        if (handOver?.state !== "parked") throw new DriverError("expired", name, `hand-over ${token} is over`);
        handOver.state = "cut-over";
        service.backends.set(to.replica, createBackend(state, { ...to, weight: 1 }));
        service.owner = to.replica;
      }),
    unpark: (name, token, context) =>
      gate.mutate(target("unpark", name), context, () => {
        const service = findService(state, name);
        const handOver = service.handOvers.get(token);
        if (!handOver) throw new DriverError("not-found", name, `there was no hand-over ${token}`);
        if (handOver.result) return handOver.result;
        return endParking(state, service, handOver);
      }),
  };
}

function park(state: FleetState, service: ServiceRecord, token: HandOverToken): void {
  if (!service.workload.exclusive) {
    throw new DriverError("unsupported", service.name, "only requests of an exclusive service can be parked");
  }
  if (token.deadline <= state.clock.now()) {
    throw new DriverError("expired", service.name, `hand-over ${token.token} is over`);
  }
  if (service.park?.token === token.token) return;
  if (service.park) {
    throw new DriverError("conflict", service.name, `it is parked by hand-over ${service.park.token}`);
  }
  if (service.handOvers.has(token.token)) {
    throw new DriverError("expired", service.name, `hand-over ${token.token} is over`);
  }
  const handOver: HandOverRecord = { token: token.token, state: "parked", result: undefined };
  service.handOvers.set(token.token, handOver);
  service.park = {
    token: token.token,
    expiresAt: token.deadline,
    sinceMs: state.clock.now(),
    waiting: 0,
    isEnding: false,
  };
  state.log({ kind: "parked", service: service.name, token: token.token });
  state.changeAfter(token.deadline - state.clock.now(), () => {
    if (service.park?.token === token.token && !service.park.isEnding) endParking(state, service, handOver);
  });
}

/** Lets requests go to the owner now, or as soon as it is active; without a cut-over the hand-over is reverted. */
function endParking(
  state: FleetState,
  service: ServiceRecord,
  handOver: HandOverRecord,
): { readonly pauseMs: number; readonly parkedRequests: number } {
  handOver.state = handOver.state === "cut-over" ? "ended" : "reverted";
  if (!service.park) return { pauseMs: 0, parkedRequests: 0 };
  const result = { pauseMs: state.clock.now() - service.park.sinceMs, parkedRequests: service.park.waiting };
  handOver.result = result;
  service.park.isEnding = true;
  return result;
}

function createBackend(
  state: FleetState,
  backend: { readonly replica: string; readonly address: string; readonly weight: number },
): BackendRecord {
  return {
    replica: backend.replica,
    address: backend.address,
    weight: backend.weight,
    servingSinceMs: state.clock.now(),
    drained: undefined,
  };
}

/** A service as a driver shows it. */
export function renderService(state: FleetState, service: ServiceRecord): Service {
  return {
    name: service.name,
    exclusive: service.workload.exclusive,
    ...(service.owner === undefined ? {} : { owner: service.owner }),
    backends: [...service.backends.values()].map((backend) => {
      const copy = state.copyAt(backend.replica, backend.address);
      return {
        replica: backend.replica,
        address: backend.address,
        weight: backend.weight,
        inFlight: state.load.inFlight(service, backend),
        healthy: copy !== undefined && (copy.state === "healthy" || copy.state === "quiesced"),
      };
    }),
    ...(service.refused ? { refused: service.refused } : {}),
    ...(service.park
      ? { parked: { token: service.park.token, expiresAt: service.park.expiresAt, waiting: service.park.waiting } }
      : {}),
  };
}

function findService(state: FleetState, name: string): ServiceRecord {
  const service = state.services.get(name);
  if (!service) throw new DriverError("not-found", name, "there is no such service");
  return service;
}
