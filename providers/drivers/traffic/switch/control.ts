/**
 * The control API of the switch: routes, their arguments, and who may call them.
 *
 * Not for: what they do (traffic-switch.ts).
 *
 * Reads: `services`; `owner?service=` (agents ask it at the deadline of a hand-over); `traffic?since=`;
 * `calls?since=`; `rates`; `ports`. Mutating calls: `set-backend`, `remove-backend`, `refuse`, `park`, `cut-over`, `unpark`.
 */
import { DriverError } from "../../../../sdk/model";
import type { HealthCheck, Json } from "../../../../sdk/model";
import type { MutationRoute, ReadRoute } from "../../../agent/control-server";
import type { BackendRecord } from "./service-record";
import type { TrafficSwitch } from "./traffic-switch";

/** Arguments of the mutating calls, as the driver sends them. */
export interface SwitchCalls {
  readonly "set-backend": { readonly service: string; readonly backend: BackendRecord };
  readonly "remove-backend": { readonly service: string; readonly replica: string };
  readonly refuse: { readonly service: string; readonly paths: readonly string[] };
  readonly park: { readonly service: string; readonly token: string; readonly deadline: number };
  readonly "cut-over": {
    readonly service: string;
    readonly token: string;
    readonly to: Omit<BackendRecord, "weight">;
  };
  readonly unpark: { readonly service: string; readonly token: string };
}

/** Reads of the control server. */
export function createSwitchReads(trafficSwitch: TrafficSwitch): Readonly<Record<string, ReadRoute>> {
  return {
    // Agents ask for it at the deadline of a hand-over.
    services: { roles: ["client", "agent"], answer: async () => toJson(await trafficSwitch.observe()) },
    owner: {
      roles: ["client", "agent"],
      answer: async (args) => toJson(await trafficSwitch.owner(readText(args, "service"))),
    },
    traffic: { answer: (args) => answer(() => trafficSwitch.trafficSince(Number(args["since"] ?? 0))) },
    calls: { answer: (args) => answer(() => trafficSwitch.callsSince(Number(args["since"] ?? 0))) },
    rates: { roles: ["client", "agent"], answer: () => answer(() => trafficSwitch.rates()) },
    ports: { roles: ["client", "agent"], answer: () => answer(() => trafficSwitch.servicePorts()) },
  };
}

/** Mutating calls of the control server. */
export function createSwitchMutations(
  trafficSwitch: TrafficSwitch,
): Readonly<Record<keyof SwitchCalls, MutationRoute>> {
  const route = (apply: (args: Readonly<Record<string, unknown>>, owner: string) => Promise<Json>): MutationRoute => ({
    // Epochs are those of a run's lease: a former runner of the same run is refused, another run is not concerned.
    resource: (_args, context) => `run/${context.owner}`,
    apply: (args, { owner }) => apply(asRecord(args, "arguments"), owner),
  });
  return {
    "set-backend": route(async (args) => {
      const backend = asRecord(args["backend"], "backend");
      await trafficSwitch.setBackend(readText(args, "service"), {
        ...readTarget(backend),
        weight: readNumber(backend, "weight"),
        ...(backend["closeUpgradesAt"] === undefined
          ? {}
          : { closeUpgradesAt: readNumber(backend, "closeUpgradesAt") }),
      });
      return null;
    }),
    "remove-backend": route(async (args) => {
      await trafficSwitch.removeBackend(readText(args, "service"), readText(args, "replica"));
      return null;
    }),
    refuse: route(async (args, owner) => {
      await trafficSwitch.refuse(readText(args, "service"), owner, readPaths(args, "paths"));
      return null;
    }),
    park: route(async (args) => {
      const service = readText(args, "service");
      await trafficSwitch.park(service, {
        service,
        token: readText(args, "token"),
        deadline: readNumber(args, "deadline"),
      });
      return null;
    }),
    "cut-over": route(async (args) => {
      const to = readTarget(asRecord(args["to"], "to"));
      await trafficSwitch.cutOver(readText(args, "service"), readText(args, "token"), to);
      return null;
    }),
    unpark: route(async (args) =>
      toJson(await trafficSwitch.unpark(readText(args, "service"), readText(args, "token"))),
    ),
  };
}

function readTarget(record: Readonly<Record<string, unknown>>): Omit<BackendRecord, "weight"> {
  const health = asRecord(record["health"], "health");
  const check: HealthCheck = {
    path: readText(health, "path"),
    intervalMs: readNumber(health, "intervalMs"),
    timeoutMs: readNumber(health, "timeoutMs"),
  };
  return { replica: readText(record, "replica"), address: readText(record, "address"), health: check };
}

function readText(record: Readonly<Record<string, unknown>>, field: string): string {
  const value = record[field];
  if (typeof value === "string" && value !== "") return value;
  throw new DriverError("refused", "switch", `${field} must be a text`);
}

function readPaths(record: Readonly<Record<string, unknown>>, field: string): readonly string[] {
  const value = record[field];
  const isPath = (path: unknown): path is string => typeof path === "string" && /^\/[^?#\s]*$/.test(path);
  if (Array.isArray(value) && value.every(isPath)) return value;
  throw new DriverError("refused", "switch", `${field} must be a list of paths, each beginning with "/"`);
}

function readNumber(record: Readonly<Record<string, unknown>>, field: string): number {
  const value = record[field];
  if (typeof value === "number" && Number.isFinite(value)) return value;
  throw new DriverError("refused", "switch", `${field} must be a number`);
}

function asRecord(value: unknown, field: string): Readonly<Record<string, unknown>> {
  if (typeof value === "object" && value !== null) return value as Readonly<Record<string, unknown>>;
  throw new DriverError("refused", "switch", `${field} must be an object`);
}

/** A throwing read becomes a rejection. */
function answer(read: () => unknown): Promise<Json> {
  return Promise.resolve().then(() => toJson(read()));
}

/** What the switch answers with is plain data. */
function toJson(value: unknown): Json {
  return value as Json;
}
