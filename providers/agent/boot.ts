/**
 * Which boot of the host this is: an id that changes at every reboot, also of a host that is only a process.
 *
 * Not for: carrying a reboot out (reboot.ts).
 */
import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import type { AgentConfig } from "./agent-config";
import { readRecord, writeRecord, type HostFolder } from "./host-folder";

interface BootRecord {
  readonly bootId: string;
}

/** The boot this agent runs in. On Linux hosts the kernel tells; a local host keeps its own. */
export async function readBootId(config: AgentConfig, folder: HostFolder): Promise<string> {
  if (config.platform === "linux") return (await readFile("/proc/sys/kernel/random/boot_id", "utf8")).trim();
  const record = (await readRecord(folder.bootRecord)) as BootRecord | undefined;
  return record?.bootId ?? (await beginBoot(folder));
}

/** Begins another boot of a local host. */
export async function beginBoot(folder: HostFolder): Promise<string> {
  const record: BootRecord = { bootId: randomUUID() };
  await writeRecord(folder.bootRecord, record);
  return record.bootId;
}
