/** The in-memory fleet's HostDriver and CapacityDriver: marks, commands, reboots, standby hosts. */
import { DriverError, SHARE_TOLERANCE } from "../../sdk/model";
import type { ProbeResult } from "../../sdk/model";
import type { CapacityDriver, CommandSpec, HostDriver, Operation } from "../drivers/contracts";
import type { CallGate, EffectMode } from "./call-gate";
import { matchesPattern } from "./faults";
import type { CommandBehaviour } from "./fleet-spec";
import { endOperation, findHost } from "./fleet-records";
import type { HostRecord, MutableOperation } from "./fleet-records";
import type { FleetState } from "./fleet-state";
import { createMemoryReplacement } from "./memory-replacement";

/** Exit code of a shell for a command that does not exist. */
const COMMAND_NOT_FOUND = 127;

/** Creates the driver of the hosts. */
export function createMemoryHosts(state: FleetState, gate: CallGate): HostDriver {
  const hostOf = (id: string): HostRecord => findHost(state.hosts, id);
  return {
    fence: "enforced",
    list: (signal) =>
      gate.read({ call: "hosts.list", subjects: ["hosts"] }, signal, () =>
        [...state.hosts.values()].map((host) => state.renderHost(host)),
      ),
    observe: (id, signal) =>
      gate.read({ call: "hosts.observe", subjects: [id] }, signal, () => state.renderHost(hostOf(id))),
    probe: (id, command, expect, signal) =>
      gate.read({ call: "hosts.probe", subjects: [id], host: id }, signal, (): ProbeResult => {
        const output = runReadOnly(state, hostOf(id), command).output.trim();
        return { output, matches: matchesPattern(expect, output) };
      }),
    check: (id, command, signal) =>
      gate.read({ call: "hosts.check", subjects: [id], host: id }, signal, () => {
        const behaviour = behaviourOf(state, hostOf(id), command.command);
        return { ok: behaviour.kind === "print", output: outputOf(behaviour) };
      }),
    cordon: (id, mark, context) =>
      gate.mutate({ call: "hosts.cordon", subjects: [id], host: id }, context, () => {
        const host = hostOf(id);
        const held = state.liveMark(host.cordon);
        if (held && held.owner !== mark.owner) {
          throw new DriverError("conflict", id, `${held.owner} holds its cordon mark`);
        }
        host.cordon = mark;
        state.log({ kind: "cordon", host: id, owner: mark.owner });
      }),
    uncordon: (id, context) =>
      gate.mutate({ call: "hosts.uncordon", subjects: [id], host: id }, context, () => {
        const host = hostOf(id);
        if (host.cordon?.owner !== context.owner) return;
        host.cordon = undefined;
        state.log({ kind: "cordon", host: id, owner: null });
      }),
    fenceOff: (id, context) =>
      gate.mutate({ call: "hosts.fenceOff", subjects: [id], host: id }, context, () => {
        gate.raiseEpoch(id, context.epoch);
      }),
    setShares: (id, shares, context) =>
      gate.mutate({ call: "hosts.setShares", subjects: [id], host: id }, context, () => {
        const host = hostOf(id);
        if (!host.spec.offers.includes("shares"))
          throw new DriverError("unsupported", id, "its shares cannot be changed");
        const sum = shares?.shares.reduce((total, { cpu }) => total + cpu, 0) ?? 0;
        if (sum > 1 + SHARE_TOLERANCE) {
          throw new DriverError("failed", id, `its shares (${String(sum)}) must be at most the whole host`);
        }
        host.shares = shares ?? undefined;
        state.log({ kind: "shares", host: id, owner: shares?.owner ?? null });
      }),
    startUpdate: (id, command, context) =>
      gate.mutate({ call: "hosts.startUpdate", subjects: [id], host: id }, context, (mode) =>
        startCommand(state, hostOf(id), command, context.key, mode),
      ),
    reboot: (id, context) =>
      gate.mutate({ call: "hosts.reboot", subjects: [id], host: id }, context, () =>
        reboot(state, hostOf(id), context.key),
      ),
    operation: (id, key, signal) =>
      gate.read({ call: "hosts.operation", subjects: [id], host: id }, signal, (): Operation | undefined => {
        const operation = hostOf(id).operations.get(key);
        return operation && { ...operation };
      }),
    replacement: createMemoryReplacement(state, gate),
  };
}

/** Creates the driver of standby capacity. */
export function createMemoryCapacity(state: FleetState, gate: CallGate): CapacityDriver {
  return {
    fence: "enforced",
    fenceOff: (context) => gate.mutate({ call: "capacity.fenceOff", subjects: ["reserve"] }, context, () => undefined),
    reserve: (ids, mark, context) =>
      gate.mutate({ call: "capacity.reserve", subjects: ids }, context, async (mode) => {
        const hosts = ids.map((id) => findStandby(state, id));
        for (const host of hosts) refuseForeign(state, host, mark.owner);
        const taken = mode === "partial" ? hosts.slice(0, 1) : hosts;
        await Promise.all(taken.map((host) => startStandby(state, host, mark)));
        if (mode === "partial") throw new DriverError("failed", ids.join(", "), "only the first host was started");
      }),
    release: (ids, context) =>
      gate.mutate({ call: "capacity.release", subjects: ids }, context, (mode) => {
        const hosts = ids.map((id) => findStandby(state, id));
        for (const host of hosts) {
          refuseForeign(state, host, context.owner);
          const [copy] = state.copiesOn(host.spec.id);
          if (copy) throw new DriverError("conflict", host.spec.id, `replica ${copy.spec.replica} still runs on it`);
        }
        for (const host of mode === "partial" ? hosts.slice(0, 1) : hosts) {
          host.reservation = undefined;
          if (host.power !== "off") state.powerOff(host, false);
        }
        if (mode === "partial") throw new DriverError("failed", ids.join(", "), "only the first host was stopped");
      }),
  };
}

function startStandby(state: FleetState, host: HostRecord, mark: { owner: string; expiresAt: number }): Promise<void> {
  host.reservation = mark;
  if (host.power === "on") return Promise.resolve();
  return new Promise((resolve) => {
    if (host.power === "off") {
      state.boot(host, false, resolve);
      return;
    }
    // Another call boots it already; it is ready when that one is.
    state.changeAfter(host.spec.bootMs, resolve);
  });
}

function refuseForeign(state: FleetState, host: HostRecord, owner: string): void {
  const held = state.liveMark(host.reservation);
  if (held && held.owner !== owner) throw new DriverError("conflict", host.spec.id, `${held.owner} holds it`);
}

function startCommand(
  state: FleetState,
  host: HostRecord,
  command: CommandSpec,
  key: string,
  mode: EffectMode,
): Operation {
  const { id, immutable } = host.spec;
  if (immutable !== null) throw new DriverError("unsupported", id, `it cannot be updated in place: ${immutable}`);
  if (host.running) throw new DriverError("conflict", id, `operation ${host.running.key} runs on it`);
  if (host.lastDone === `command ${command.command}`) {
    state.log({ kind: "double-effect", call: "hosts.startUpdate", subject: id, text: command.command });
  }
  host.lastDone = undefined;
  state.log({ kind: "command", host: id, command: command.command, key });
  const operation: MutableOperation = { key, state: "running", output: "", startedAt: state.clock.now() };
  host.operations.set(key, operation);
  const behaviour = mode === "partial" ? breakOff(host) : behaviourOf(state, host, command.command);
  const durationMs = behaviour.kind === "hang" ? Number.POSITIVE_INFINITY : (behaviour.afterMs ?? 0);
  const isLate = durationMs > command.timeoutMs;
  const cancel = state.changeAfter(Math.min(durationMs, command.timeoutMs), () => {
    host.running = undefined;
    if (isLate) {
      endOperation(operation, state.clock.now(), { reason: "deadline", output: outputOf(behaviour) });
      return;
    }
    finishCommand(state, host, operation, behaviour);
    if (operation.state === "done") host.lastDone = `command ${command.command}`;
  });
  host.running = { key, command: command.command, cancel };
  return { ...operation };
}

function finishCommand(
  state: FleetState,
  host: HostRecord,
  operation: MutableOperation,
  behaviour: CommandBehaviour,
): void {
  const output = outputOf(behaviour);
  if (behaviour.kind === "fail") {
    if (behaviour.version !== undefined) state.setVersion(host, behaviour.version);
    const reason =
      behaviour.exitCode === COMMAND_NOT_FOUND ? "command not found" : `exit code ${String(behaviour.exitCode)}`;
    endOperation(operation, state.clock.now(), { reason, exitCode: behaviour.exitCode, output });
    return;
  }
  if (behaviour.kind === "set-version" && behaviour.atReboot === true) host.pendingVersion = behaviour.version;
  else if (behaviour.kind === "set-version") {
    host.pendingVersion = undefined;
    state.setVersion(host, behaviour.version);
  }
  endOperation(operation, state.clock.now(), { exitCode: 0, output });
}

function reboot(state: FleetState, host: HostRecord, key: string): Operation {
  const id = host.spec.id;
  if (host.lastDone === "reboot") {
    state.log({ kind: "double-effect", call: "hosts.reboot", subject: id, text: "rebooted twice in a row" });
  }
  const operation: MutableOperation = { key, state: "running", output: "", startedAt: state.clock.now() };
  host.operations.set(key, operation);
  state.powerOff(host, false);
  state.boot(host, false, () => {
    host.lastDone = "reboot";
    endOperation(operation, state.clock.now(), { exitCode: 0 });
  });
  return { ...operation };
}

function runReadOnly(state: FleetState, host: HostRecord, command: string): { readonly output: string } {
  const behaviour = behaviourOf(state, host, command);
  if (behaviour.kind === "print") return { output: behaviour.output };
  const exitCode = behaviour.kind === "fail" ? behaviour.exitCode : 1;
  throw new DriverError("failed", host.spec.id, `probe ended with exit code ${String(exitCode)}`, {
    output: outputOf(behaviour),
  });
}

function behaviourOf(state: FleetState, host: HostRecord, command: string): CommandBehaviour {
  const scripted = state.spec.commands?.[command];
  if (typeof scripted === "function") return scripted({ id: host.spec.id, version: host.version });
  if (scripted) return scripted;
  if (command === "version") return { kind: "print", output: `${host.version}\n` };
  if (command === "true") return { kind: "print", output: "" };
  if (command === "false") return { kind: "fail", afterMs: 0, exitCode: 1, output: "" };
  return { kind: "fail", afterMs: 0, exitCode: COMMAND_NOT_FOUND, output: `sh: ${command}: not found\n` };
}

/** A command that a fault stops halfway. */
function breakOff(host: HostRecord): CommandBehaviour {
  return {
    kind: "fail",
    afterMs: 1000,
    exitCode: 1,
    output: "half of it is done\n",
    version: `${host.version}-broken`,
  };
}

function outputOf(behaviour: CommandBehaviour): string {
  return behaviour.output ?? "";
}

function findStandby(state: FleetState, id: string): HostRecord {
  const host = findHost(state.hosts, id);
  if (host.spec.role !== "standby") throw new DriverError("refused", id, "it is not a standby host");
  return host;
}
