/**
 * Configuration of one host's agent, a JSON file that a fleet writes or an operator puts on a Linux host.
 *
 * Not for: what changes while it runs; that is in the host's state folder (host-folder.ts).
 */
import { readFile } from "node:fs/promises";
import { cpus, totalmem } from "node:os";
import { dirname, resolve } from "node:path";
import { messageOf, MistakeError, type Mistake, type Resources } from "../../sdk/model";
import { parseMetricsAddress, type MetricsAddress } from "../metrics/metrics-endpoint";

/** The configuration, resolved: paths are absolute. */
export interface AgentConfig {
  readonly host: string;
  readonly zone: string;
  readonly rack: string;
  readonly role: "member" | "standby";
  /** `local`: a host is this process, and a reboot kills what it started. `linux`: a reboot is the machine's. */
  readonly platform: "local" | "linux";
  readonly listen: { readonly host: string; readonly port: number };
  /** Folder of the agent's own state, mode 0700. */
  readonly directory: string;
  /** Where commands and workloads run; on a local fleet it stands for the machine's file system. */
  readonly root: string;
  readonly tls: { readonly ca: string; readonly certificate: string; readonly key: string };
  /** Absent: what the machine has. */
  readonly capacity?: Resources;
  /** Control URL of the traffic switch: whom to ask who owns a service. */
  readonly switch?: { readonly url: string };
  /** Of enrolled hosts: where certificates are renewed and revocations read. */
  readonly enrolment?: { readonly url: string; readonly checkEveryMs?: number };
  /** Serves `GET /metrics` without TLS there; absent: not at all. */
  readonly metrics?: MetricsAddress;
  /** Crontabs, timers and folders of them that are read for what the host starts by the clock. Absent: none. */
  readonly schedules?: readonly string[];
  /** Why no command may change the host, such as a read-only image: updates are refused, and plans told why. Absent: they may. */
  readonly immutable?: string;
  /** Given to every workload. */
  readonly environment: Readonly<Record<string, string>>;
}

/** What the host has: as configured, or the whole machine. */
export function capacityOf({ capacity }: AgentConfig): Resources {
  return capacity ?? { cpuMillis: cpus().length * 1000, memoryBytes: totalmem() };
}

/**
 * Reads a configuration. Relative paths in it are relative to the file.
 * @throws MistakeError with every mistake in it
 */
export async function readAgentConfig(path: string): Promise<AgentConfig> {
  const file = resolve(path);
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    throw MistakeError.of("config", path, `must be a readable file (${messageOf(error)})`, "correct --config");
  }
  return parseAgentConfig(text, dirname(file));
}

/**
 * Parses a configuration.
 * @param base what relative paths are relative to
 * @throws MistakeError with every mistake in it
 */
export function parseAgentConfig(text: string, base: string): AgentConfig {
  const mistakes: Mistake[] = [];
  const root = readRecord(parseJson(text));
  const listen = readRecord(root["listen"]);
  const tls = readRecord(root["tls"]);
  const readText = (field: string, value: unknown): string => {
    if (typeof value === "string" && value !== "") return value;
    mistakes.push({ field, value, rule: "must be a non-empty text", remedy: "add it to the agent's configuration" });
    return "";
  };
  const readPath = (field: string, value: unknown): string => resolve(base, readText(field, value));
  const readOne = <T extends string>(field: string, value: unknown, allowed: readonly T[]): T => {
    const found = allowed.find((choice) => choice === value);
    if (found !== undefined) return found;
    mistakes.push({ field, value, rule: `must be one of ${allowed.join(", ")}`, remedy: "correct it" });
    return allowed[0] as T;
  };
  const port = listen["port"];
  if (!(Number.isInteger(port) && Number(port) >= 0 && Number(port) <= 65_535)) {
    mistakes.push({ field: "listen.port", value: port, rule: "must be a port", remedy: "use 0 to 65535" });
  }
  const zone = readText("zone", root["zone"]);
  const switchUrl = readRecord(root["switch"])["url"];
  const capacity = readCapacity(root["capacity"], mistakes);
  const enrolment = readEnrolment(root["enrolment"], mistakes);
  const schedules = readSchedulePaths(root["schedules"], base, mistakes);
  const immutable = root["immutable"] === undefined ? undefined : readText("immutable", root["immutable"]);
  const metrics = parseMetricsAddress(root["metrics"], (mistake) => mistakes.push(mistake));
  const config: AgentConfig = {
    host: readText("host", root["host"]),
    zone,
    rack: typeof root["rack"] === "string" ? root["rack"] : zone,
    role: readOne("role", root["role"], ["member", "standby"]),
    platform: readOne("platform", root["platform"], ["local", "linux"]),
    listen: { host: readText("listen.host", listen["host"]), port: Number(port) },
    directory: readPath("directory", root["directory"]),
    root: readPath("root", root["root"]),
    tls: {
      ca: readPath("tls.ca", tls["ca"]),
      certificate: readPath("tls.certificate", tls["certificate"]),
      key: readPath("tls.key", tls["key"]),
    },
    ...(capacity ? { capacity } : {}),
    ...(typeof switchUrl === "string" ? { switch: { url: switchUrl } } : {}),
    ...(enrolment ? { enrolment } : {}),
    ...(metrics ? { metrics } : {}),
    ...(schedules ? { schedules } : {}),
    ...(immutable === undefined ? {} : { immutable }),
    environment: readEnvironment(root["environment"], mistakes),
  };
  if (mistakes.length > 0) throw new MistakeError("configuration of the agent", mistakes);
  return config;
}

function readCapacity(value: unknown, mistakes: Mistake[]): Resources | undefined {
  if (value === undefined) return undefined;
  const { cpuMillis, memoryBytes } = readRecord(value);
  if (typeof cpuMillis === "number" && cpuMillis > 0 && typeof memoryBytes === "number" && memoryBytes > 0) {
    return { cpuMillis, memoryBytes };
  }
  const rule = "must have cpuMillis and memoryBytes above 0";
  mistakes.push({ field: "capacity", value, rule, remedy: "leave it out for what the machine has" });
  return undefined;
}

function readEnrolment(value: unknown, mistakes: Mistake[]): AgentConfig["enrolment"] {
  if (value === undefined) return undefined;
  const { url, checkEveryMs } = readRecord(value);
  if (typeof url !== "string" || !URL.canParse(url) || new URL(url).protocol !== "https:") {
    mistakes.push({
      field: "enrolment.url",
      value: url,
      rule: "must be an https:// URL",
      remedy: "enrol the host again",
    });
    return undefined;
  }
  return { url, ...(typeof checkEveryMs === "number" && checkEveryMs > 0 ? { checkEveryMs } : {}) };
}

function readSchedulePaths(value: unknown, base: string, mistakes: Mistake[]): readonly string[] | undefined {
  if (value === undefined) return undefined;
  if (Array.isArray(value) && value.every((one): one is string => typeof one === "string" && one !== "")) {
    return value.map((one) => resolve(base, one));
  }
  const remedy =
    'list files and folders, like ["/etc/crontab", "/etc/cron.d", "/etc/systemd/system/timers.target.wants"]';
  mistakes.push({ field: "schedules", value, rule: "must be a list of paths", remedy });
  return undefined;
}

function readEnvironment(value: unknown, mistakes: Mistake[]): Readonly<Record<string, string>> {
  const entries = Object.entries(readRecord(value));
  for (const [name, content] of entries) {
    if (typeof content === "string") continue;
    mistakes.push({ field: `environment.${name}`, value: content, rule: "must be a text", remedy: "quote it" });
  }
  return Object.fromEntries(entries.map(([name, content]) => [name, String(content)]));
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw MistakeError.of("configuration of the agent", undefined, `must be JSON (${messageOf(error)})`, "correct it");
  }
}

function readRecord(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
}
