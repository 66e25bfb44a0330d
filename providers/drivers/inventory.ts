/**
 * The inventory of a fleet of agents: where they are, how to trust them, where the switch and the run store are.
 * A local fleet writes it; on Linux hosts it is written by hand or by enrolment.
 *
 * Not for: state. What runs where is discovered from the agents.
 */
import { constants } from "node:fs";
import { access, readFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import {
  didYouMean,
  messageOf,
  MistakeError,
  type FleetNetwork,
  type HostDevices,
  type Mistake,
  type Overcommit,
  type TrafficEngine,
} from "../../sdk/model";

/** File format of an inventory, JSON. Relative paths are relative to the file. */
export interface Inventory {
  readonly v: 1;
  readonly name: string;
  readonly hosts: readonly InventoryHost[];
  /** `engine` says what moves requests at that switch, for people; its own configuration decides. @default "embedded" */
  readonly switch?: { readonly url: string; readonly engine?: TrafficEngine };
  /** PEM files: the fleet's CA, and this caller's certificate and key. */
  readonly tls: { readonly ca: string; readonly certificate: string; readonly key: string };
  /** Run store URL, `file:store` is relative to the file. */
  readonly store?: string;
  /** Said in reports when load history was generated. */
  readonly disclosures?: readonly string[];
  /** Links that hosts share, such as `{ "rackBytesPerSecond": 1250000000 }`: the uplink of each rack, each way. */
  readonly network?: FleetNetwork;
  /** Present in a local fleet: how stopped standby agents are started, see providers/drivers/capacity/local. */
  readonly local?: { readonly directory: string };
}

export interface InventoryHost {
  readonly id: string;
  readonly url: string;
  readonly zone: string;
  readonly rack?: string;
  readonly role: "member" | "standby";
  /** Known before the agent answers, for standby hosts. */
  readonly capacity?: { readonly cpuMillis: number; readonly memoryBytes: number };
  /** What rules of islands and workloads ask for, such as `{ "security": "restricted" }`. A host says none of itself. */
  readonly labels?: Readonly<Record<string, string>>;
  /** Its devices by kind, such as `{ "gpu": { "count": 2, "partitions": 7 } }`. */
  readonly devices?: Readonly<Record<string, HostDevices>>;
  /** How far requests may be beyond what it has, such as `{ "cpu": 1.5 }`; each at least 1. */
  readonly overcommit?: Overcommit;
  /** What its network link carries each way: 125000000 of 1 Gbit/s. @default no bound is known */
  readonly linkBytesPerSecond?: number;
}

const INVENTORY_FIELDS: Readonly<Record<keyof Inventory, true>> = {
  v: true,
  name: true,
  hosts: true,
  switch: true,
  tls: true,
  store: true,
  disclosures: true,
  network: true,
  local: true,
};
const HOST_FIELDS: Readonly<Record<keyof InventoryHost, true>> = {
  id: true,
  url: true,
  zone: true,
  rack: true,
  role: true,
  capacity: true,
  labels: true,
  devices: true,
  overcommit: true,
  linkBytesPerSecond: true,
};

/**
 * Reads and validates an inventory; relative paths come out absolute.
 * @throws MistakeError for an unreadable file, bad JSON, wrong or duplicate hosts, missing certificates; all at once
 */
export async function loadInventory(path: string): Promise<Inventory> {
  const file = resolve(path);
  const document = await readDocument(file);
  const mistakes = validateInventory(document);
  if (mistakes.length > 0) throw new MistakeError(`inventory ${file}`, mistakes);
  const inventory = resolvePaths(document as Inventory, dirname(file));
  const unreadable = await validateCertificates(inventory.tls);
  if (unreadable.length > 0) throw new MistakeError(`inventory ${file}`, unreadable);
  return inventory;
}

async function readDocument(file: string): Promise<unknown> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    const isMissing = (error as NodeJS.ErrnoException).code === "ENOENT";
    throw MistakeError.of(
      "inventory",
      file,
      isMissing ? "must be a file, and there is none" : `must be readable (${messageOf(error)})`,
      isMissing ? "create the fleet first, or correct the path" : "check who may read it",
    );
  }
  try {
    return JSON.parse(text);
  } catch (error) {
    throw MistakeError.of("inventory", file, `must be JSON (${messageOf(error)})`, "correct it or create it again");
  }
}

function validateInventory(document: unknown): Mistake[] {
  if (!isRecord(document)) return [mistake("inventory", document, "must be an object", "see drivers/inventory.ts")];
  const mistakes: Mistake[] = [];
  refuseUnknown(mistakes, document, INVENTORY_FIELDS, "");
  if (document["v"] !== 1) mistakes.push(mistake("v", document["v"], "must be 1", "create it with this version"));
  requireText(mistakes, document, "name", "");
  const hosts = document["hosts"];
  if (Array.isArray(hosts) && hosts.length > 0) validateHosts(mistakes, hosts);
  else mistakes.push(mistake("hosts", hosts, "must be a list with at least one host", "add the fleet's hosts"));
  if (document["switch"] !== undefined) {
    const at = isRecord(document["switch"]) ? document["switch"] : {};
    requireUrl(mistakes, at, "url", "switch.");
    if (at["engine"] !== undefined && at["engine"] !== "embedded" && at["engine"] !== "haproxy") {
      mistakes.push(mistake("switch.engine", at["engine"], 'must be "embedded" or "haproxy"', "correct or remove it"));
    }
  }
  validateNetwork(mistakes, document["network"]);
  const tls = isRecord(document["tls"]) ? document["tls"] : {};
  for (const field of ["ca", "certificate", "key"]) requireText(mistakes, tls, field, "tls.");
  return mistakes;
}

function validateHosts(mistakes: Mistake[], hosts: readonly unknown[]): void {
  const seen = new Set<string>();
  for (const [index, host] of hosts.entries()) {
    const prefix = `hosts[${String(index)}].`;
    const record = isRecord(host) ? host : {};
    refuseUnknown(mistakes, record, HOST_FIELDS, prefix);
    requireText(mistakes, record, "id", prefix);
    requireText(mistakes, record, "zone", prefix);
    requireUrl(mistakes, record, "url", prefix);
    if (record["role"] !== "member" && record["role"] !== "standby") {
      mistakes.push(mistake(`${prefix}role`, record["role"], 'must be "member" or "standby"', "correct it"));
    }
    validateLabels(mistakes, record["labels"], prefix);
    validateDevices(mistakes, record["devices"], prefix);
    validateOvercommit(mistakes, record["overcommit"], prefix);
    validateCapacity(mistakes, record["capacity"], prefix);
    validateRate(mistakes, record["linkBytesPerSecond"], `${prefix}linkBytesPerSecond`);
    const id = record["id"];
    if (typeof id !== "string") continue;
    if (seen.has(id)) mistakes.push(mistake(`${prefix}id`, id, "must be unique", "rename one of the hosts"));
    seen.add(id);
  }
}

function validateLabels(mistakes: Mistake[], labels: unknown, prefix: string): void {
  if (labels === undefined) return;
  if (isRecord(labels) && Object.values(labels).every((value) => typeof value === "string" && value !== "")) return;
  mistakes.push(mistake(`${prefix}labels`, labels, "must be texts by name", 'write { "security": "restricted" }'));
}

function validateDevices(mistakes: Mistake[], devices: unknown, prefix: string): void {
  if (devices === undefined) return;
  const isCount = (value: unknown): boolean => Number.isInteger(value) && (value as number) >= 1;
  const isGood = (offered: unknown): boolean =>
    isRecord(offered) && isCount(offered["count"]) && isCount(offered["partitions"]);
  if (isRecord(devices) && Object.values(devices).every(isGood)) return;
  const rule = "must have whole numbers of cards and of partitions of each, by kind";
  mistakes.push(mistake(`${prefix}devices`, devices, rule, 'write { "gpu": { "count": 2, "partitions": 7 } }'));
}

function validateOvercommit(mistakes: Mistake[], overcommit: unknown, prefix: string): void {
  if (overcommit === undefined) return;
  const isFactor = (value: unknown): boolean => value === undefined || (typeof value === "number" && value >= 1);
  if (isRecord(overcommit) && isFactor(overcommit["cpu"]) && isFactor(overcommit["memory"])) return;
  const rule = "must have factors of 1 or more for cpu and memory";
  mistakes.push(mistake(`${prefix}overcommit`, overcommit, rule, 'write { "cpu": 1.5 }'));
}

function validateCapacity(mistakes: Mistake[], capacity: unknown, prefix: string): void {
  if (capacity === undefined) return;
  if (isRecord(capacity) && isPositive(capacity["cpuMillis"]) && isPositive(capacity["memoryBytes"])) return;
  const rule = "must have cpuMillis and memoryBytes above 0";
  const remedy = 'write { "cpuMillis": 4000, "memoryBytes": 8589934592 }';
  mistakes.push(mistake(`${prefix}capacity`, capacity, rule, remedy));
}

function validateNetwork(mistakes: Mistake[], network: unknown): void {
  if (network === undefined) return;
  if (isRecord(network)) validateRate(mistakes, network["rackBytesPerSecond"], "network.rackBytesPerSecond");
  else mistakes.push(mistake("network", network, "must be an object", 'write { "rackBytesPerSecond": 1250000000 }'));
}

function validateRate(mistakes: Mistake[], rate: unknown, field: string): void {
  if (rate === undefined || isPositive(rate)) return;
  mistakes.push(mistake(field, rate, "must be bytes a second, above 0", "write 125000000 for 1 Gbit/s"));
}

/** A slip in a field's name would leave a rule out without a word. */
function refuseUnknown(
  mistakes: Mistake[],
  record: Readonly<Record<string, unknown>>,
  fields: Readonly<Record<string, true>>,
  prefix: string,
): void {
  const known = Object.keys(fields);
  for (const [name, value] of Object.entries(record)) {
    if (name in fields) continue;
    const near = didYouMean(name, known);
    const remedy = near ? `did you mean "${near}"?` : `known fields: ${known.join(", ")}`;
    mistakes.push(mistake(`${prefix}${name}`, value, "is not a known field", remedy));
  }
}

async function validateCertificates(tls: Inventory["tls"]): Promise<Mistake[]> {
  const mistakes: Mistake[] = [];
  for (const field of ["ca", "certificate", "key"] as const) {
    const error = await access(tls[field], constants.R_OK).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    if (error === undefined) continue;
    const rule = `must be a readable PEM file (${(error as NodeJS.ErrnoException).code ?? messageOf(error)})`;
    mistakes.push(mistake(`tls.${field}`, tls[field], rule, "put the fleet's certificates there or correct the path"));
  }
  return mistakes;
}

function resolvePaths(inventory: Inventory, base: string): Inventory {
  return {
    ...inventory,
    tls: {
      ca: resolve(base, inventory.tls.ca),
      certificate: resolve(base, inventory.tls.certificate),
      key: resolve(base, inventory.tls.key),
    },
    ...(inventory.store?.startsWith("file:")
      ? { store: `file:${resolve(base, inventory.store.slice("file:".length))}` }
      : {}),
    ...(inventory.local ? { local: { directory: resolve(base, inventory.local.directory) } } : {}),
  };
}

function requireText(
  mistakes: Mistake[],
  record: Readonly<Record<string, unknown>>,
  field: string,
  prefix: string,
): void {
  const value = record[field];
  if (typeof value === "string" && value !== "") return;
  mistakes.push(mistake(`${prefix}${field}`, value, "must be a non-empty text", "add it"));
}

function requireUrl(
  mistakes: Mistake[],
  record: Readonly<Record<string, unknown>>,
  field: string,
  prefix: string,
): void {
  const value = record[field];
  if (typeof value === "string" && URL.canParse(value) && new URL(value).protocol === "https:") return;
  mistakes.push(
    mistake(`${prefix}${field}`, value, "must be an https:// URL", "agents and switch serve mutual TLS only"),
  );
}

function mistake(field: string, value: unknown, rule: string, remedy: string): Mistake {
  return { field, value, rule, remedy };
}

function isPositive(value: unknown): boolean {
  return typeof value === "number" && value > 0 && Number.isFinite(value);
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
