/**
 * The agent as a service of systemd, and away again.
 *
 * Invariants
 * 1. The unit ends the agent alone when it stops: copies of workloads and updates under way outlive it.
 * 2. After `uninstall` the file system is as it was before `enroll` and `install`; a host with copies on it is refused.
 */
import { execFile } from "node:child_process";
import { readdir, symlink } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { messageOf, MistakeError } from "../../../sdk/model";
import { readAgentConfig } from "../agent-config";
import { removeCpuGroups } from "../cpu-groups";
import { hostFolder } from "../host-folder";
import { exists, hostLayout, makeFolder, removeHostFiles, UNIT, writeHostFile } from "./host-layout";

export interface InstallOptions {
  /** @default "/" */
  readonly root?: string;
  /** Node and the agent's program, absolute, as the host will have them. */
  readonly program: readonly [string, string];
  /** Whether systemd starts it now, where it runs. @default true */
  readonly start?: boolean;
}

const SYSTEMCTL_MS = 60_000;

/** Installs the unit, to be started with the machine, and starts it. @throws MistakeError for a host that is not enrolled */
export async function install({ root = "/", program, start = true }: InstallOptions): Promise<string> {
  const layout = hostLayout(root);
  if (!(await exists(layout.config))) {
    throw MistakeError.of(
      "host",
      layout.config,
      "must be enrolled first",
      "run `archipelago-agent enroll --token ...`",
    );
  }
  await writeHostFile(layout, layout.unit, renderUnit(program), 0o644);
  await makeFolder(layout, join(layout.wanted, ".."), 0o755);
  await symlink(`../${UNIT}`, layout.wanted).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  });
  if (layout.root === "/" && (await isSystemdRunning())) {
    await systemctl("daemon-reload");
    if (start) await systemctl("restart", UNIT);
  }
  return layout.unit;
}

/**
 * Ends the service and removes everything that enrolment, installation and the agent have made.
 * @returns the name that the host was enrolled by
 * @throws MistakeError while copies of workloads are on the host, unless forced
 */
export async function uninstall({
  root = "/",
  force = false,
}: {
  readonly root?: string;
  readonly force?: boolean;
}): Promise<string | undefined> {
  const layout = hostLayout(root);
  // A broken configuration must not keep anybody from removing it.
  const name = await readAgentConfig(layout.config).then(
    ({ host }) => host,
    () => undefined,
  );
  const copies = (await readdir(hostFolder(layout.state).replicas).catch(() => [])).filter((name) =>
    name.endsWith(".json"),
  );
  if (copies.length > 0 && !force) {
    throw MistakeError.of(
      "host",
      copies.map((name) => name.slice(0, -".json".length)).join(", "),
      "must have no copies of workloads on it",
      "move them off first, or use --force, which leaves their processes running with nobody in charge",
    );
  }
  const isLive = layout.root === "/" && (await isSystemdRunning());
  if (isLive && (await exists(layout.unit))) await systemctl("disable", "--now", UNIT);
  // Copies that are left behind are held back by nobody's shares.
  if (layout.root === "/") removeCpuGroups(layout.state);
  await removeHostFiles(layout);
  if (isLive) await systemctl("daemon-reload");
  return name;
}

/**
 * Runs as root because updates do; what no update needs is taken away. Not taken: devices, the file system and new
 * privileges, which package managers and boot loaders use.
 */
function renderUnit([node, program]: readonly [string, string]): string {
  return `[Unit]
Description=Archipelago agent: keeps copies of workloads and carries out host updates
Wants=network-online.target
After=network-online.target

[Service]
ExecStart=${quote(node)} ${quote(program)} serve --config /etc/archipelago/agent.json
Restart=always
RestartSec=1
# Copies and updates outlive the agent; the next one finds them.
KillMode=process
TimeoutStopSec=30
OOMScoreAdjust=-900
LimitNOFILE=65536
UMask=0077
LockPersonality=yes
ProtectHostname=yes
ProtectKernelLogs=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
RestrictRealtime=yes
SystemCallArchitectures=native

[Install]
WantedBy=multi-user.target
`;
}

function quote(word: string): string {
  return `"${word.replaceAll("%", "%%").replace(/["\\$]/g, (character) => (character === "$" ? "$$" : `\\${character}`))}"`;
}

function isSystemdRunning(): Promise<boolean> {
  return exists("/run/systemd/system");
}

async function systemctl(...args: readonly string[]): Promise<void> {
  await promisify(execFile)("systemctl", [...args], { timeout: SYSTEMCTL_MS }).catch((error: unknown) => {
    throw MistakeError.of(
      "systemd",
      `systemctl ${args.join(" ")}`,
      `must succeed (${messageOf(error).trim()})`,
      "see `journalctl -xe`",
    );
  });
}
