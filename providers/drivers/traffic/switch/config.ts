/**
 * Configuration of the traffic switch, a JSON file that a fleet writes.
 *
 * Not for: what changes while it runs (backends, weights, owners): that is in the state file, see state-file.ts.
 */
import { readFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { MistakeError } from "../../../../sdk/model";
import type { Mistake, TrafficEngine } from "../../../../sdk/model";
import { parseMetricsAddress, type MetricsAddress } from "../../../metrics/metrics-endpoint";

/** One service at the switch. */
export interface SwitchServiceConfig {
  readonly name: string;
  /** Port on 127.0.0.1; 0 lets the switch choose one, once, and keep it in its state file. */
  readonly port: number;
  /** An exclusive service sends to its owner only. */
  readonly exclusive: boolean;
}

/** Bounds of waiting and retrying; every one has a default. */
export interface SwitchLimits {
  /** Requests of one service that may wait at once, parked or without a healthy backend. */
  readonly maxWaiting: number;
  /** Longest time that a request waits to be sent. */
  readonly maxWaitMs: number;
  /** Longest silence of a backend while a request is under way. */
  readonly backendSilenceMs: number;
  /** Bytes of a request's body that are kept so that it can be sent again. */
  readonly replayBytes: number;
}

/** Bounds used where the configuration names none. */
export const DEFAULT_LIMITS: SwitchLimits = {
  maxWaiting: 1000,
  maxWaitMs: 10_000,
  backendSilenceMs: 60_000,
  replayBytes: 65_536,
};

/** The configuration, resolved: paths are absolute, limits complete. */
export interface SwitchConfig {
  /** PEM files of the fleet's CA and of the switch's own certificate and key. */
  readonly tls: { readonly ca: string; readonly certificate: string; readonly key: string };
  /** Port of the control API; 0 lets the switch choose one, once. */
  readonly controlPort: number;
  readonly stateFile: string;
  readonly services: readonly SwitchServiceConfig[];
  readonly limits: SwitchLimits;
  /** @default "embedded" */
  readonly engine: TrafficEngine;
  /** File of the access log; absent: none is written. The embedded engine alone writes one. */
  readonly accessLog?: string;
  /** Serves `GET /metrics` without TLS there; absent: not at all. */
  readonly metrics?: MetricsAddress;
}

/**
 * Reads a configuration file. Relative paths in it are relative to the file.
 * @throws MistakeError with every mistake in it
 */
export async function readSwitchConfig(file: string): Promise<SwitchConfig> {
  return parseSwitchConfig(await readFile(file, "utf8"), dirname(resolve(file)));
}

/**
 * Parses a configuration.
 * @param directory what relative paths are relative to
 * @throws MistakeError with every mistake in it
 */
export function parseSwitchConfig(text: string, directory: string): SwitchConfig {
  const mistakes: Mistake[] = [];
  const root = asRecord(parseJson(text));
  const tls = asRecord(root["tls"]);
  const readPath = (field: string, value: unknown): string => {
    if (typeof value === "string" && value !== "") return resolve(directory, value);
    mistakes.push({ field, value, rule: "must be the path of a file", remedy: "name the file" });
    return "";
  };
  const metrics = parseMetricsAddress(root["metrics"], (mistake) => mistakes.push(mistake));
  const config: SwitchConfig = {
    tls: {
      ca: readPath("tls.ca", tls["ca"]),
      certificate: readPath("tls.certificate", tls["certificate"]),
      key: readPath("tls.key", tls["key"]),
    },
    controlPort: readPort("controlPort", root["controlPort"], mistakes),
    stateFile: readPath("stateFile", root["stateFile"]),
    services: readServices(root["services"], mistakes),
    limits: readLimits(asRecord(root["limits"]), mistakes),
    engine: readEngine(root["engine"], mistakes),
    ...(root["accessLog"] === undefined ? {} : { accessLog: readPath("accessLog", root["accessLog"]) }),
    ...(metrics ? { metrics } : {}),
  };
  if (config.accessLog !== undefined && config.engine !== "embedded") {
    mistakes.push({
      field: "accessLog",
      value: config.accessLog,
      rule: "is written by the embedded engine only",
      remedy: "leave it out; HAProxy has a log of its own",
    });
  }
  if (mistakes.length > 0) throw new MistakeError("configuration of the switch", mistakes);
  return config;
}

function readServices(value: unknown, mistakes: Mistake[]): readonly SwitchServiceConfig[] {
  if (!Array.isArray(value)) {
    mistakes.push({ field: "services", value, rule: "must be a list", remedy: "give at least one service" });
    return [];
  }
  const seen = new Set<string>();
  return value.map((item: unknown, index) => {
    const entry = asRecord(item);
    const field = `services[${String(index)}]`;
    const name = typeof entry["name"] === "string" ? entry["name"] : "";
    if (!/^[a-z0-9][a-z0-9._-]*$/i.test(name) || seen.has(name)) {
      mistakes.push({
        field: `${field}.name`,
        value: entry["name"],
        rule: "must be a name of letters, digits, dots, dashes, once in the list",
        remedy: "rename the service",
      });
    }
    seen.add(name);
    return { name, port: readPort(`${field}.port`, entry["port"], mistakes), exclusive: entry["exclusive"] === true };
  });
}

function readLimits(value: Readonly<Record<string, unknown>>, mistakes: Mistake[]): SwitchLimits {
  const read = (field: keyof SwitchLimits): number => {
    const given = value[field];
    if (given === undefined) return DEFAULT_LIMITS[field];
    if (typeof given === "number" && Number.isInteger(given) && given > 0) return given;
    mistakes.push({
      field: `limits.${field}`,
      value: given,
      rule: "must be a whole number above 0",
      remedy: `leave it out for ${String(DEFAULT_LIMITS[field])}`,
    });
    return DEFAULT_LIMITS[field];
  };
  return {
    maxWaiting: read("maxWaiting"),
    maxWaitMs: read("maxWaitMs"),
    backendSilenceMs: read("backendSilenceMs"),
    replayBytes: read("replayBytes"),
  };
}

function readEngine(value: unknown, mistakes: Mistake[]): TrafficEngine {
  if (value === undefined || value === "embedded" || value === "haproxy") return value ?? "embedded";
  mistakes.push({
    field: "engine",
    value,
    rule: 'must be "embedded" or "haproxy"',
    remedy: "leave it out for embedded",
  });
  return "embedded";
}

function readPort(field: string, value: unknown, mistakes: Mistake[]): number {
  if (typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= 65_535) return value;
  mistakes.push({ field, value, rule: "must be a port from 0 to 65535", remedy: "0 lets the switch choose one" });
  return 0;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw MistakeError.of("configuration of the switch", undefined, "must be JSON", String(error));
  }
}

function asRecord(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
}
