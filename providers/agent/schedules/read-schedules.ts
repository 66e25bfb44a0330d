/**
 * Jobs that this host starts by the clock, from the crontabs and timers at the paths that the agent's configuration names.
 *
 * Invariant: only reads, only what is named; a file that cannot be read has no jobs.
 */
import { readdir, readFile, stat } from "node:fs/promises";
import * as path from "node:path";
import type { HostSchedule } from "../../../sdk/model";
import { parseCrontab } from "./crontab";
import { parseTimer } from "./systemd-timer";

/** More are no host's own. */
const MOST_FILES = 500;
const MOST_BYTES = 1 << 20;
/** cron itself leaves out files with other names in its folders. */
const CRONTAB_NAME = /^[\w-]+$/;
/** Crontabs of single users have no column for one. */
const OF_USERS = /(^|\/)(spool\/cron|crontabs)(\/|$)/;

/** Reads all. @param paths files, or folders of such files; timers are files named `*.timer` */
export async function readSchedules(host: string, paths: readonly string[]): Promise<readonly HostSchedule[]> {
  const files = (await Promise.all(paths.map(listFiles))).flat().slice(0, MOST_FILES);
  const zone = new Intl.DateTimeFormat().resolvedOptions().timeZone;
  const found = await Promise.all(
    files.map(async (file) => {
      const text = await readText(file);
      const jobs = file.endsWith(".timer")
        ? parseTimer(text, path.basename(file))
        : parseCrontab(text, !OF_USERS.test(file));
      return jobs.map((job): HostSchedule => ({ host, source: file, timezone: zone, ...job }));
    }),
  );
  return found.flat();
}

async function listFiles(named: string): Promise<readonly string[]> {
  try {
    if (!(await stat(named)).isDirectory()) return [named];
    const names = await readdir(named);
    return names
      .filter((name) => CRONTAB_NAME.test(name) || name.endsWith(".timer"))
      .sort()
      .map((name) => path.join(named, name));
  } catch {
    return [];
  }
}

async function readText(file: string): Promise<string> {
  try {
    const found = await stat(file);
    return found.isFile() && found.size <= MOST_BYTES ? await readFile(file, "utf8") : "";
  } catch {
    return "";
  }
}
