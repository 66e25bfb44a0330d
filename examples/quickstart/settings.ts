/** What both stacks of the quickstart share: places, workloads, versions. */
import * as path from "node:path";
import type { WorkloadArgs } from "pulumi-archipelago";

/** Root of the package: the quickstart works in a clone. */
export const root = path.dirname(require.resolve("pulumi-archipelago/package.json"));
/** Everything that the quickstart makes lies here. */
export const folder = path.join(root, ".archipelago", "quickstart");
export const inventory = path.join(folder, "fleet", "inventory.json");
/** Journals and reports; they stay when the fleet goes. */
export const store = `file:${path.join(folder, "store")}`;
export const history = path.join(folder, "history.csv");
export const hostImage = path.join(folder, "host-image");

export const oldVersion = "1.0.0";
export const newVersion = "2.0.0";
/** The archive that is installed, with its checksum beside it; every version has the same program. */
export const archive = path.join(folder, "packages", "tool.tar.gz");

const scripts = path.join(root, "examples", "quickstart", "update");
const compiler = path.join(root, "node_modules", "typescript", "bin", "tsc");
/** Installs a version on a host. */
export function applyVersion(version: string): string {
  return `sh '${scripts}/apply.sh' '${archive}' '${version}' '${process.execPath}' '${compiler}'`;
}
/** Takes it back. */
export function undoVersion(version: string): string {
  return `sh '${scripts}/undo.sh' '${version}'`;
}
export const applyCommand = applyVersion(newVersion);

/** The window benchmark takes fewer in its short form. */
export const hosts = Number(process.env["QUICKSTART_HOSTS"] ?? 6);
/** The window benchmark runs on both. */
export const traffic = process.env["QUICKSTART_TRAFFIC"] === "haproxy" ? "haproxy" : "embedded";
export const zones = ["zone-a", "zone-b", "zone-c"];

/** Names of workloads without traffic. */
export const jobs = ["reports"];

/** Four workloads, thirteen copies. */
export const workloads: WorkloadArgs[] = [
  {
    name: "front",
    criticality: "critical",
    copies: hosts,
    budget: { maxUnavailable: 1 },
    request: { cpu: "50 millicores", memory: "64 MiB" },
    command: program("front"),
  },
  {
    name: "pricing",
    criticality: "critical",
    copies: 1,
    // A single copy, and not one moment without it: the new one serves before the old one goes.
    budget: { maxUnavailable: 0 },
    request: { cpu: "50 millicores", memory: "64 MiB" },
    command: program("pricing"),
  },
  {
    name: "ledger",
    criticality: "critical",
    // A single writer: handed over with its state, never doubled.
    copies: "exclusive",
    maxPause: "2 seconds",
    request: { cpu: "50 millicores", memory: "64 MiB" },
    command: program("ledger"),
  },
  {
    name: "reports",
    criticality: "sheddable",
    copies: hosts - 1,
    budget: { maxUnavailable: 2 },
    request: { cpu: "20 millicores", memory: "64 MiB" },
    command: program("reports"),
  },
];

function program(name: string): string[] {
  return [process.execPath, path.join(root, "examples", "quickstart", "workloads", `${name}.mjs`)];
}
