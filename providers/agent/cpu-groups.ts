/**
 * Control groups of Linux that bound what processes use of the CPU together: one group per island, with a quota. Version 2
 * (`cpu.max`) where it has the cpu controller, version 1 (`cpu.cfs_quota_us`) elsewhere.
 *
 * Not for: which shares are in force and for how long (host-shares.ts).
 *
 * Invariants
 * 1. Groups carry a prefix of their agent's own, so that agents of several hosts on one machine never touch each other's.
 * 2. What cannot be made to hold is an error: nothing is bounded in name only.
 */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { messageOf } from "../../sdk/model";

/** Some processes and what they may use together. */
export interface CpuGroup {
  /** Unique among the groups of an agent. */
  readonly name: string;
  readonly cpuMillis: number;
  readonly pids: readonly number[];
}

/** Where groups can be made. */
export interface CpuGroups {
  /**
   * Makes exactly these groups hold, in place of those before. `released` are processes that belong to none of them any more.
   * Children of a member are members. @throws Error when the kernel refuses
   */
  apply(groups: readonly CpuGroup[], released: readonly number[]): void;
}

/** What is asked of the kernel's file system. */
export interface KernelFiles {
  exists(path: string): boolean;
  list(folder: string): readonly string[];
  read(path: string): string;
  /** @throws Error for a file that is not there: to make one would hide that there is no controller */
  write(path: string, content: string): void;
  makeFolder(path: string): void;
  removeFolder(path: string): void;
}

/** Where the hierarchy is, and how to talk to it. */
interface CgroupFiles {
  readonly kernel: KernelFiles;
  /** Where the hierarchy with the cpu controller is mounted. */
  readonly root: string;
  /** Group that processes come from and go back to: the agent's own. */
  readonly home: string;
  readonly version: 1 | 2;
}

const THIS_MACHINE: KernelFiles = {
  exists: existsSync,
  list: (folder) => readdirSync(folder),
  read: (path) => readFileSync(path, "utf8"),
  write: (path, content) => {
    writeFileSync(path, content, { flag: "r+" });
  },
  makeFolder: (path) => {
    mkdirSync(path, { recursive: true });
  },
  removeFolder: (path) => {
    rmdirSync(path);
  },
};

/** Pauses of throttled processes are shorter than this; the kernel's smallest quota is 1 ms of it. */
const PERIOD_US = 50_000;
const SMALLEST_QUOTA_US = 1_000;
/** A process may fork while it is moved: the group is empty after a few rounds. */
const EMPTY_ROUNDS = 20;

/**
 * Looks for a hierarchy with the cpu controller, and whether this process may make groups in it.
 * @param directory the agent's state folder: what its prefix is made of
 * @returns why there are none, as a text
 */
export function openCpuGroups(directory: string, kernel: KernelFiles = THIS_MACHINE): CpuGroups | string {
  const files = findCgroupFiles(kernel);
  if (files === undefined) return "the kernel offers no control groups with a cpu controller here";
  const prefix = prefixOf(directory);
  const trial = `${prefix}trial`;
  try {
    // Groups that nobody is in bound nobody: a trial is harmless, and the only proof.
    enableController(files);
    makeGroup(files, trial, 1000);
    removeGroup(files, trial);
  } catch (error) {
    return `control groups below ${files.root} cannot be made (${messageOf(error)})`;
  }
  return { apply: (groups, released) => applyGroups(files, prefix, groups, released) };
}

/** Removes what an agent that is gone has left; its processes go on unbounded. Where there are no groups it does nothing. */
export function removeCpuGroups(directory: string): void {
  const files = findCgroupFiles(THIS_MACHINE);
  if (files) applyGroups(files, prefixOf(directory), [], []);
}

/** The hierarchy of a machine that bounds CPU; undefined where there is none. */
function findCgroupFiles(kernel: KernelFiles): CgroupFiles | undefined {
  const read = (path: string): string => (kernel.exists(path) ? kernel.read(path) : "");
  const own = read("/proc/self/cgroup");
  const homeOf = (root: string, isOwn: (controllers: string) => boolean): string => {
    const line = own.split("\n").find((text) => isOwn(text.split(":")[1] ?? ""));
    const home = join(root, line?.split(":").slice(2).join(":") ?? "/");
    // In a container the kernel may tell a path that is not mounted here.
    return home.startsWith(root) && kernel.exists(join(home, "cgroup.procs")) ? home : root;
  };
  const found = read("/proc/self/mounts")
    .split("\n")
    .map((line) => line.split(" "));
  const unified = found.find(([, root = "", type]) => {
    return type === "cgroup2" && read(join(root, "cgroup.controllers")).trim().split(" ").includes("cpu");
  })?.[1];
  if (unified !== undefined) return { kernel, root: unified, version: 2, home: homeOf(unified, (name) => name === "") };
  const single = found.find(([, , type, options]) => type === "cgroup" && options?.split(",").includes("cpu"))?.[1];
  if (single === undefined) return undefined;
  return { kernel, root: single, version: 1, home: homeOf(single, (names) => names.split(",").includes("cpu")) };
}

function prefixOf(directory: string): string {
  return `archipelago-${createHash("sha256").update(directory).digest("hex").slice(0, 12)}-`;
}

function applyGroups(
  files: CgroupFiles,
  prefix: string,
  groups: readonly CpuGroup[],
  released: readonly number[],
): void {
  const wanted = new Map(groups.map((group) => [`${prefix}${folderName(group.name)}`, group]));
  for (const [name, { cpuMillis, pids }] of wanted) {
    makeGroup(files, name, cpuMillis);
    const members = new Set(membersOf(files, name));
    for (const pid of pids) if (!members.has(pid)) move(files, pid, join(files.root, name));
  }
  const freed = new Set(released);
  for (const name of files.kernel.list(files.root).filter((one) => one.startsWith(prefix))) {
    if (!wanted.has(name)) removeGroup(files, name);
    else for (const pid of membersOf(files, name)) if (freed.has(pid)) move(files, pid, files.home);
  }
}

function enableController({ kernel, root, version }: CgroupFiles): void {
  if (version === 1) return;
  const path = join(root, "cgroup.subtree_control");
  if (!kernel.read(path).trim().split(" ").includes("cpu")) kernel.write(path, "+cpu");
}

function makeGroup({ kernel, root, version }: CgroupFiles, name: string, cpuMillis: number): void {
  const folder = join(root, name);
  kernel.makeFolder(folder);
  const quota = Math.max(SMALLEST_QUOTA_US, Math.round((cpuMillis / 1000) * PERIOD_US));
  if (version === 2) {
    kernel.write(join(folder, "cpu.max"), `${String(quota)} ${String(PERIOD_US)}`);
    return;
  }
  kernel.write(join(folder, "cpu.cfs_period_us"), String(PERIOD_US));
  kernel.write(join(folder, "cpu.cfs_quota_us"), String(quota));
}

/** The bound ends first: whoever is still in the group when it cannot be removed is held back by nothing. */
function removeGroup(files: CgroupFiles, name: string): void {
  const { kernel, root, home, version } = files;
  const folder = join(root, name);
  if (version === 2) kernel.write(join(folder, "cpu.max"), "max");
  else kernel.write(join(folder, "cpu.cfs_quota_us"), "-1");
  for (let round = 1; ; round += 1) {
    for (const pid of membersOf(files, name)) move(files, pid, home);
    try {
      kernel.removeFolder(folder);
      return;
    } catch (error) {
      if (round === EMPTY_ROUNDS) throw error;
    }
  }
}

function membersOf({ kernel, root }: CgroupFiles, name: string): readonly number[] {
  return kernel
    .read(join(root, name, "cgroup.procs"))
    .split("\n")
    .filter(Boolean)
    .map(Number);
}

function move({ kernel }: CgroupFiles, pid: number, folder: string): void {
  try {
    kernel.write(join(folder, "cgroup.procs"), String(pid));
  } catch (error) {
    // It has ended meanwhile.
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

/** Islands are named by users: nothing in a name may leave the folder, and no two be alike. */
function folderName(name: string): string {
  const digest = createHash("sha256").update(name).digest("hex").slice(0, 8);
  return `${name.replaceAll(/[^A-Za-z0-9_-]/g, "_").slice(0, 40)}-${digest}`;
}
