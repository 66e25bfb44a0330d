/**
 * Requests of users from an access log: common and combined format, and JSON lines.
 *
 * Not for: what follows from them (providers/forecast/users).
 *
 * Invariants
 * 1. A line that is none of these is left out: logs hold other things as well.
 * 2. Who a session is stays here: it leaves as a number.
 */
import { open } from "node:fs/promises";
import { MistakeError, messageOf } from "../../sdk/model";
import { templateOf } from "../drivers/traffic/switch/call-stats";
import type { Visit } from "../forecast/users/session-chain";

/** The newest part of a log that is read: some hundred thousand lines. */
const MOST_BYTES = 64 * 2 ** 20;

/** Apache's and nginx's common format, with referer and agent behind it in the combined one. */
const LINE = /^(\S+) \S+ (\S+) \[([^\]]+)\] "(?:[A-Z]+) (\S+)[^"]*" \d{3} \S+(?: "[^"]*" "([^"]*)")?/;
/** `10/Oct/2026:13:55:36 +0200`. */
const TIME = /^(\d{2})\/(\w{3})\/(\d{4}):(\d{2}:\d{2}:\d{2}) ([+-]\d{2})(\d{2})$/;
const MONTHS = "JanFebMarAprMayJunJulAugSepOctNovDec";

/** Reads the newest part. @param untilMs later requests are left out @throws MistakeError when it cannot be read */
export async function readAccessLog(file: string, untilMs: number): Promise<readonly Visit[]> {
  try {
    const handle = await open(file, "r");
    try {
      const { size } = await handle.stat();
      const length = Math.min(size, MOST_BYTES);
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(length), 0, length, size - length);
      return parseAccessLog(buffer.subarray(0, bytesRead).toString("utf8"), untilMs);
    } finally {
      await handle.close();
    }
  } catch (error) {
    const rule = `must be a file that can be read (${messageOf(error)})`;
    throw MistakeError.of("users.accessLog", file, rule, "correct the path, or leave users out");
  }
}

/** Visits in order of time. */
export function parseAccessLog(text: string, untilMs: number): readonly Visit[] {
  const sessions = new Map<string, string>();
  const sessionOf = (who: string): string => {
    const known = sessions.get(who) ?? String(sessions.size + 1);
    sessions.set(who, known);
    return known;
  };
  return text
    .split("\n")
    .flatMap((line): readonly Visit[] => {
      const found = line.startsWith("{") ? parseJson(line) : parseCommon(line);
      if (!found || !(found.atMs < untilMs)) return [];
      return [{ atMs: found.atMs, session: sessionOf(found.who), endpoint: templateOf(found.target) }];
    })
    .sort((a, b) => a.atMs - b.atMs);
}

interface Parsed {
  readonly atMs: number;
  readonly who: string;
  readonly target: string;
}

function parseCommon(line: string): Parsed | undefined {
  const [, address = "", user = "-", time = "", target = "", agent = ""] = LINE.exec(line) ?? [];
  const [, day, month = "", year, clock, zoneHours, zoneMinutes] = TIME.exec(time) ?? [];
  const index = MONTHS.indexOf(month) / 3;
  if (target === "" || day === undefined || !Number.isInteger(index)) return undefined;
  const date = `${String(year)}-${String(index + 1).padStart(2, "0")}-${day}`;
  const atMs = Date.parse(`${date}T${String(clock)}${String(zoneHours)}:${String(zoneMinutes)}`);
  return Number.isNaN(atMs) ? undefined : { atMs, who: user === "-" ? `${address} ${agent}` : user, target };
}

/** Fields as nginx's and Caddy's JSON logs mostly name them. */
function parseJson(line: string): Parsed | undefined {
  let record: Readonly<Record<string, unknown>>;
  try {
    record = JSON.parse(line) as Readonly<Record<string, unknown>>;
  } catch {
    return undefined;
  }
  const first = (...names: readonly string[]): string | number | undefined => {
    for (const name of names) {
      const value = record[name];
      if (typeof value === "string" || typeof value === "number") return value;
    }
    return undefined;
  };
  const time = first("time", "timestamp", "ts", "time_iso8601");
  const atMs = typeof time === "number" ? (time < 1e11 ? time * 1000 : time) : Date.parse(time ?? "");
  const target = first("path", "uri", "url", "request_uri");
  const who = first("session", "session_id", "user", "remote_addr", "remote_ip");
  if (Number.isNaN(atMs) || typeof target !== "string" || who === undefined) return undefined;
  return { atMs, who: String(who), target };
}
