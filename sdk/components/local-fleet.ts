/** A local fleet: hosts that are agent processes of this machine, with a switch and real workloads. */
import * as path from "node:path";
import * as pulumi from "@pulumi/pulumi";
import {
  byteSize,
  cpu,
  list,
  name as nameRule,
  named,
  normalizeProcess,
  object,
  oneOf,
  optional,
  required,
  text,
  wholeNumber,
  workloadsRule,
  type Rule,
  type WorkloadArgs,
} from "../arguments";
import type { LocalFleetSpec, LocalHostSpec, LocalWorkloadSpec, Mistake, TrafficEngine } from "../model";
import { parseArguments } from "./argument-error";
import { LocalFleetProcesses } from "./maintenance-run";

/** Arguments of {@link LocalFleet}. */
export interface LocalFleetArgs {
  /** Folder of the fleet. @default ".archipelago/<name>" below the program's folder */
  directory?: string;
  /** Number of hosts that run work, spread over the zones in turn. */
  hosts: number;
  /** Standby hosts, started only as a reserve. @default 0 */
  standby?: number;
  /** @default ["zone-a"] */
  zones?: string[];
  /** What one host offers. @default 1 core, 1 GiB */
  hostSize?: { cpu?: string; memory?: string };
  /** Workloads that the fleet starts; `command` is needed here. */
  workloads: WorkloadArgs[];
  /** Port at the switch of each service, by workload. Left out: any free one. Workloads in `jobs` get none. */
  servicePorts?: { [workload: string]: number };
  /** Names of workloads without traffic. @default [] */
  jobs?: string[];
  /** Folder that every host's root folder starts as a copy of. */
  hostImage?: string;
  /** Folders by the names of images: what `update.image` names, and a replaced host's root folder starts as a copy of. @default none */
  images?: { [name: string]: string };
  /** What about this fleet is made up; reports repeat it. */
  disclosures?: string[];
  /** What moves requests: this package's own switch, or an HAProxy (Debian package haproxy). @default "embedded" */
  traffic?: TrafficEngine;
  /**
   * File of an access log that the embedded switch writes, for `users` of islands: JSON lines, 64 MiB and as much of
   * before in `<file>.1`; users are hashed, queries cut off. @default none is written
   */
  accessLog?: string;
}

const DEFAULT_SIZE = { cpu: 1000, memory: 2 ** 30 } as const;

const TRAFFIC_ENGINES: readonly TrafficEngine[] = ["embedded", "haproxy"];
const NO_PORTS: Readonly<Record<string, number>> = {};
const NO_TEXTS: readonly string[] = [];

const ports: Rule<Readonly<Record<string, number>>> = (value, field, mistakes) => {
  const isPort = (port: unknown): boolean =>
    Number.isInteger(port) && (port as number) >= 0 && (port as number) <= 65_535;
  if (typeof value === "object" && value !== null && Object.values(value).every(isPort))
    return value as Record<string, number>;
  mistakes.push({ field, value, rule: "must be ports by workload", remedy: "write it like { front: 8080 }" });
  return undefined;
};

const argsRule = object({
  directory: optional(text, undefined),
  hosts: required(wholeNumber(1, 64), "say how many hosts"),
  standby: optional(wholeNumber(0, 64), 0),
  zones: optional(list(nameRule, 1), ["zone-a"]),
  hostSize: optional(
    object({ cpu: optional(cpu, DEFAULT_SIZE.cpu), memory: optional(byteSize, DEFAULT_SIZE.memory) }),
    DEFAULT_SIZE,
  ),
  workloads: required(workloadsRule, "name the workloads to start"),
  servicePorts: optional(ports, NO_PORTS),
  jobs: optional(list(nameRule), NO_TEXTS),
  hostImage: optional(text, undefined),
  images: optional(named(text, "an image"), undefined),
  disclosures: optional(list(text), NO_TEXTS),
  traffic: optional(oneOf(TRAFFIC_ENGINES), "embedded"),
  accessLog: optional(text, undefined),
});
type CheckedFleet = NonNullable<ReturnType<typeof argsRule>>;

/**
 * Hosts that are processes of this machine: the embedded platform, for trying out and for tests. A preview starts
 * nothing; deleting it ends every process it started.
 *
 * @example
 * const fleet = new archipelago.LocalFleet("quickstart", {
 *   hosts: 6, standby: 1, zones: ["zone-a", "zone-b", "zone-c"],
 *   workloads: [{ name: "front", copies: 6, command: ["node", "/srv/front.mjs"] }],
 * });
 * export const inventory = fleet.inventory;
 */
export class LocalFleet extends pulumi.ComponentResource {
  /** Path of the inventory, for `ResourceIsland.hosts.agents`. */
  readonly inventory: pulumi.Output<string>;
  /** Ids of the hosts. */
  readonly hosts: pulumi.Output<readonly string[]>;
  /** URL of each service at the switch. */
  readonly endpoints: pulumi.Output<Readonly<Record<string, string>>>;

  /** @throws ArgumentError with every mistake in `args` */
  constructor(name: string, args: LocalFleetArgs, options?: pulumi.ComponentResourceOptions) {
    super("archipelago:index:LocalFleet", name, {}, options);
    const checked = parseArguments(`LocalFleet "${name}"`, args, argsRule, validateFleet);
    const processes = new LocalFleetProcesses(`${name}-processes`, normalizeFleet(name, checked), { parent: this });
    this.inventory = processes.inventory;
    this.hosts = processes.hosts;
    this.endpoints = processes.endpoints;
    this.registerOutputs({ inventory: processes.inventory, endpoints: processes.endpoints });
  }
}

function validateFleet(fleet: CheckedFleet, mistakes: Mistake[]): void {
  if (fleet.accessLog !== undefined && fleet.traffic !== "embedded") {
    mistakes.push({
      field: "accessLog",
      value: fleet.accessLog,
      rule: "is written by the embedded switch only",
      remedy: "leave it out; HAProxy has a log of its own",
    });
  }
  const known = fleet.workloads.map(({ name }) => name);
  fleet.workloads.forEach((workload, index) => {
    const at = `workloads[${String(index)}]`;
    if (!workload.command) {
      mistakes.push({
        field: `${at}.command`,
        value: undefined,
        rule: "must be given in a LocalFleet, which starts it",
        remedy: 'write it like ["node", "server.mjs"]',
      });
    }
    if (workload.port !== 0) {
      mistakes.push({
        field: `${at}.port`,
        value: workload.port,
        rule: "cannot be fixed where many copies share one machine",
        remedy: "leave it out and read PORT; use servicePorts for the switch",
      });
    }
  });
  for (const [field, names] of [
    ["jobs", fleet.jobs],
    ["servicePorts", Object.keys(fleet.servicePorts)],
  ] as const) {
    for (const name of names) {
      if (!known.includes(name))
        mistakes.push({
          field: `${field}.${name}`,
          value: name,
          rule: "is not a workload of this fleet",
          remedy: `known: ${known.join(", ")}`,
        });
    }
  }
}

function normalizeFleet(name: string, fleet: CheckedFleet): LocalFleetSpec {
  return {
    name,
    directory: path.resolve(fleet.directory ?? path.join(".archipelago", name)),
    hosts: [
      ...Array.from({ length: fleet.hosts }, (_, index) => normalizeHost("host", "member", index, fleet)),
      ...Array.from({ length: fleet.standby }, (_, index) => normalizeHost("standby", "standby", index, fleet)),
    ],
    workloads: fleet.workloads.map((workload) => normalizeFleetWorkload(workload, fleet)),
    ...(fleet.hostImage === undefined ? {} : { hostImage: path.resolve(fleet.hostImage) }),
    ...(fleet.images === undefined
      ? {}
      : {
          images: Object.fromEntries(
            Object.entries(fleet.images).map(([image, folder]) => [image, path.resolve(folder)] as const),
          ),
        }),
    disclosures: fleet.disclosures,
    ...(fleet.accessLog === undefined ? {} : { accessLog: path.resolve(fleet.accessLog) }),
    ...(fleet.traffic === "embedded" ? {} : { traffic: fleet.traffic }),
  };
}

function normalizeHost(prefix: string, role: LocalHostSpec["role"], index: number, fleet: CheckedFleet): LocalHostSpec {
  return {
    id: `${prefix}-${String(index).padStart(2, "0")}`,
    zone: fleet.zones[index % fleet.zones.length] ?? "zone-a",
    role,
    cpuMillis: fleet.hostSize.cpu,
    memoryBytes: fleet.hostSize.memory,
  };
}

function normalizeFleetWorkload(workload: CheckedFleet["workloads"][number], fleet: CheckedFleet): LocalWorkloadSpec {
  const servicePort = fleet.servicePorts[workload.name];
  return {
    name: workload.name,
    copies: typeof workload.copies === "number" ? workload.copies : 1,
    exclusive: workload.copies === "exclusive",
    process: normalizeProcess(workload, workload.command ?? []),
    request: { cpuMillis: workload.request?.cpu ?? 0, memoryBytes: workload.request?.memory ?? 0 },
    ...(fleet.jobs.includes(workload.name) ? {} : { service: workload.name }),
    ...(servicePort === undefined ? {} : { servicePort }),
  };
}
