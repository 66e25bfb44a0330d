/**
 * Checks the arguments of calls where they enter the agent; behind it they have types.
 *
 * Not for: rules of single calls.
 */
import { DriverError, type HostShare, type Json, type SharesInForce } from "../../sdk/model";
import type { CommandSpec, HandOverToken, StartSpec, StateReference } from "../drivers/contracts";
import type { PeerAddress } from "./peer";

type Arguments = Json | Readonly<Record<string, string>>;

/** A text that must be there. */
export function textOf(args: Arguments, field: string): string {
  const value = fieldOf(args, field);
  if (typeof value === "string" && value !== "") return value;
  throw refused(field, "a non-empty text");
}

/** A number, also written as text in a query. */
export function numberOf(args: Arguments, field: string): number {
  const value = fieldOf(args, field);
  const number = typeof value === "string" && value.trim() !== "" ? Number(value) : value;
  if (typeof number === "number" && Number.isFinite(number)) return number;
  throw refused(field, "a number");
}

/** A command with its deadline. */
export function commandOf(args: Arguments): CommandSpec {
  const timeoutMs = numberOf(args, "timeoutMs");
  if (timeoutMs <= 0) throw refused("timeoutMs", "above 0");
  return { command: textOf(args, "command"), timeoutMs };
}

/** What to start. */
export function startSpecOf(args: Json): StartSpec {
  const spec = recordOf(args, "process");
  const health = recordOf(spec, "health");
  const request = recordOf(args, "request");
  const command = fieldOf(spec, "command");
  const environment = recordOf(spec, "environment");
  const path = fieldOf(health, "path");
  if (!Array.isArray(command) || command.length === 0 || !command.every((part) => typeof part === "string")) {
    throw refused("process.command", "a list of texts, the program first");
  }
  if (typeof path !== "string") throw refused("process.health.path", "a path, or empty for a job without HTTP");
  if (!Object.values(environment).every((value) => typeof value === "string")) {
    throw refused("process.environment", "texts by name");
  }
  return {
    replica: textOf(args, "replica"),
    workload: textOf(args, "workload"),
    standby: fieldOf(args, "standby") === true,
    ...coresOf(args),
    request: { cpuMillis: numberOf(request, "cpuMillis"), memoryBytes: numberOf(request, "memoryBytes") },
    process: {
      command,
      port: numberOf(spec, "port"),
      health: { path, intervalMs: numberOf(health, "intervalMs"), timeoutMs: numberOf(health, "timeoutMs") },
      environment: environment as Readonly<Record<string, string>>,
    },
  };
}

function coresOf(args: Json): Pick<StartSpec, "cores"> {
  if (fieldOf(args, "cores") === undefined) return {};
  const cores = numberOf(args, "cores");
  if (!Number.isInteger(cores) || cores < 1) throw refused("cores", "a whole number, at least 1");
  return { cores };
}

/** A hand-over's token. */
export function tokenOf(args: Json): HandOverToken {
  const token = recordOf(args, "token");
  return { token: textOf(token, "token"), service: textOf(token, "service"), deadline: numberOf(token, "deadline") };
}

/** Reference of a state. */
export function stateOf(args: Json): StateReference {
  const state = recordOf(args, "state");
  return { id: textOf(state, "id"), sha256: textOf(state, "sha256"), bytes: numberOf(state, "bytes") };
}

/** What a transfer may carry a second; undefined where the caller bounds it not, as earlier versions did. */
export function rateOf(args: Json): number | undefined {
  if (fieldOf(args, "bytesPerSecond") === undefined) return undefined;
  const rate = numberOf(args, "bytesPerSecond");
  if (rate <= 0) throw refused("bytesPerSecond", "above 0");
  return rate;
}

/** Shares to put in force; null ends those that are. */
export function sharesOf(args: Json): SharesInForce | null {
  if (fieldOf(args, "shares") === null) return null;
  const shares = recordOf(args, "shares");
  const list = fieldOf(shares, "shares");
  if (!Array.isArray(list)) throw refused("shares.shares", "a list");
  const islands = list.map((share) => shareOf(share as Json));
  if (new Set(islands.map(({ island }) => island)).size < islands.length) throw refused("island", "named once");
  return { owner: textOf(shares, "owner"), expiresAt: numberOf(shares, "expiresAt"), shares: islands };
}

function shareOf(share: Json): HostShare {
  const cpu = numberOf(share, "cpu");
  const workloads = fieldOf(share, "workloads");
  if (cpu < 0) throw refused("cpu", "a part of the host, at least 0");
  if (!Array.isArray(workloads) || !workloads.every((name) => typeof name === "string")) {
    throw refused("workloads", "a list of names");
  }
  return { island: textOf(share, "island"), cpu, workloads };
}

/** The agent that holds a state. */
export function sourceOf(args: Json): PeerAddress {
  const source = recordOf(args, "source");
  return { name: textOf(source, "name"), url: textOf(source, "url") };
}

function recordOf(args: Arguments, field: string): Readonly<Record<string, Json>> {
  const value = fieldOf(args, field);
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return value as Readonly<Record<string, Json>>;
  }
  throw refused(field, "an object");
}

function fieldOf(args: Arguments, field: string): Json | undefined {
  if (typeof args !== "object" || args === null || Array.isArray(args)) return undefined;
  return (args as Readonly<Record<string, Json>>)[field];
}

function refused(field: string, rule: string): DriverError {
  return new DriverError("refused", "call", `${field} must be ${rule}`, {
    remedy: "check that both sides run the same version",
  });
}
