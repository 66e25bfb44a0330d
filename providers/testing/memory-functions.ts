/**
 * The in-memory fleet's FunctionDriver: endpoints that become ready, then warm, then serve as copies do.
 *
 * Not for: their traffic (load-model.ts).
 */
import { DriverError } from "../../sdk/model";
import type { FunctionEndpoint } from "../../sdk/model";
import type { DeploySpec, FunctionDriver } from "../drivers/contracts";
import type { CallGate, EffectMode } from "./call-gate";
import { createStartSpec } from "./fleet-records";
import type { EndpointRecord } from "./fleet-records";
import type { FleetState } from "./fleet-state";
import { WriteLog } from "./write-log";

/** A call of a warm function. */
const WARM_CALL_MS = 20;

/** Creates the driver of the functions. */
export function createMemoryFunctions(state: FleetState, gate: CallGate): FunctionDriver {
  const target = (call: string, endpoint: string, name?: string) => ({
    call: `functions.${call}`,
    subjects: name === undefined ? [endpoint] : [endpoint, name],
  });
  return {
    fence: "enforced",
    fenceOff: (context) => gate.mutate(target("fenceOff", "functions"), context, () => undefined),
    offered: (signal) => gate.read(target("offered", "functions"), signal, () => [...state.functions.keys()].sort()),
    list: (signal) =>
      gate.read(target("list", "functions"), signal, () => [...state.endpoints.values()].map(renderEndpoint)),
    deploy: (spec, context) =>
      gate.mutate(target("deploy", spec.endpoint, spec.function), context, (mode) => {
        deploy(state, spec, context.owner, mode);
      }),
    invoke: (id, signal) =>
      gate.read(target("invoke", id), signal, () => {
        const endpoint = state.endpoints.get(id);
        if (!endpoint) throw new DriverError("not-found", id, "there is no such endpoint");
        const coldMs = Math.max(0, endpoint.warmAtMs - state.clock.now());
        return { isHealthy: endpoint.copy.state === "healthy" && coldMs === 0, tookMs: WARM_CALL_MS + coldMs };
      }),
    remove: (id, context) =>
      gate.mutate(target("remove", id), context, () => {
        const endpoint = state.endpoints.get(id);
        if (endpoint) state.removeEndpoint(endpoint);
      }),
  };
}

/** An endpoint as a driver shows it. */
export function renderEndpoint({ spec, owner, copy }: EndpointRecord): FunctionEndpoint {
  return {
    id: copy.spec.replica,
    function: spec.name,
    workload: copy.workload.name,
    owner,
    state: copy.state === "healthy" ? "ready" : copy.state === "starting" ? "deploying" : "failed",
    address: copy.address,
    health: copy.workload.health,
  };
}

function deploy(state: FleetState, { endpoint: id, ...spec }: DeploySpec, owner: string, mode: EffectMode): void {
  const found = state.functions.get(spec.function);
  const workload = state.workloads.get(spec.workload);
  if (!found || !workload) throw new DriverError("not-found", spec.function, "there is no such function");
  if (state.endpoints.has(id)) return;
  const endpoint: EndpointRecord = {
    spec: found,
    owner,
    warmAtMs: state.clock.now() + 2 * found.coldStartMs,
    copy: {
      spec: createStartSpec(workload, id),
      workload,
      host: `functions/${found.name}`,
      address: `${id}.functions:443`,
      state: "starting",
      isStopping: false,
      log: WriteLog.empty,
      token: undefined,
    },
  };
  state.addEndpoint(endpoint);
  state.changeAfter(found.coldStartMs, () => {
    if (state.endpoints.get(id) !== endpoint || endpoint.copy.state !== "starting") return;
    state.setReplicaState(endpoint.copy, mode === "partial" ? "unhealthy" : "healthy");
  });
}
