/**
 * The kill switch: while it is on, no run begins anything disruptive. One document for all runs of a store, and besides
 * it a file and an environment variable, for when the store cannot be reached by who wants to stop.
 *
 * Not for: stopping what is under way (a step is driven to a safe state) and recovery, which stays allowed.
 *
 * Invariants
 * 1. What cannot be understood counts as on: a damaged document or an unreadable file never lets a run go on.
 * 2. A store that does not answer leaves the last answer standing. Without the store no step can store its intent
 *    either, so nothing begins unseen.
 */
import { stat, readFile } from "node:fs/promises";
import { isKind, KILL_SWITCH_NAME, messageOf } from "../../sdk/model";
import type { GuardVerdict, KillSwitch } from "../../sdk/model";
import type { Clock } from "../clock";
import type { RunStore } from "../journal/run-store";
import { appendAudit } from "./audit-log";

/** Begins the reason of a run that the kill switch holds. */
export const KILL_REASON = "kill switch:";
/** Any text but these stops: the reason, or just "1". */
const KILL_VARIABLE = "ARCHIPELAGO_KILL";
/** Path of a file that stops while it exists. */
const KILL_FILE_VARIABLE = "ARCHIPELAGO_KILL_FILE";

const OFF_WORDS: ReadonlySet<string> = new Set(["", "0", "false", "off", "no"]);

/** Time for which an answer is believed: the steps of a wave ask all at once. */
const BELIEVED_MS = 1000;

/** Longest reason that is read of a file. */
const WHY_LENGTH = 200;

/** Environment variables, as a parameter. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** Turns the store's kill switch on; on again, with the new reason, when it is on already. */
export async function setKillSwitch(store: RunStore, by: string, why: string): Promise<KillSwitch> {
  const killed: KillSwitch = { v: 1, by, why, at: await store.now() };
  await store.putDocument(KILL_SWITCH_NAME, JSON.stringify(killed));
  await appendAudit(store, { who: by, what: "kill-on", subject: "store", why });
  return killed;
}

/** Turns it off. @returns what was on; undefined when it was off already, and then nothing was changed */
export async function liftKillSwitch(store: RunStore, by: string, why: string): Promise<KillSwitch | undefined> {
  const killed = await readKillSwitch(store);
  if (!killed) return undefined;
  await store.deleteDocument(KILL_SWITCH_NAME);
  await appendAudit(store, { who: by, what: "kill-off", subject: "store", why });
  return killed;
}

/** The store's kill switch; undefined when it is off. @throws StoreError */
export async function readKillSwitch(store: Pick<RunStore, "getDocument">): Promise<KillSwitch | undefined> {
  const content = await store.getDocument(KILL_SWITCH_NAME);
  return content === undefined ? undefined : parseKillSwitch(content);
}

/** Where one can be told to stop. */
export interface KillSources {
  readonly store: RunStore;
  readonly clock: Clock;
  /** @default none */
  readonly file?: string | undefined;
  readonly environment: Environment;
}

/** Reads the kill switch, wherever it is, again and again, at little cost. */
export class KillSwitchWatch {
  private seen: GuardVerdict | undefined;
  private seenAt: number | undefined;

  constructor(private readonly sources: KillSources) {}

  /** What stops all runs now, at most a second old. */
  async current(): Promise<GuardVerdict | undefined> {
    const nowMs = this.sources.clock.monotonic();
    if (this.seenAt !== undefined && nowMs - this.seenAt < BELIEVED_MS) return this.seen;
    try {
      this.seen = await this.read();
    } catch (error) {
      if (!isKind(error, "StoreError")) throw error;
    }
    this.seenAt = nowMs;
    return this.seen;
  }

  private async read(): Promise<GuardVerdict | undefined> {
    const { store, file, environment } = this.sources;
    return (
      killedByVariable(environment) ??
      (await killedByFile(file)) ??
      (await killedByFile(environment[KILL_FILE_VARIABLE])) ??
      describeKilled(await readKillSwitch(store))
    );
  }
}

function describeKilled(killed: KillSwitch | undefined): GuardVerdict | undefined {
  if (!killed) return undefined;
  const since = Number.isFinite(killed.at) ? ` at ${new Date(killed.at).toISOString()}` : "";
  return verdictOf(
    "store",
    `turned on by ${killed.by}${since}: ${killed.why}`,
    'lift it with `archipelago kill off --why "..."`; then the run can be carried on',
  );
}

function killedByVariable(environment: Environment): GuardVerdict | undefined {
  const text = environment[KILL_VARIABLE]?.trim();
  if (text === undefined || OFF_WORDS.has(text.toLowerCase())) return undefined;
  return verdictOf(
    KILL_VARIABLE,
    `the environment variable ${KILL_VARIABLE} is "${text.slice(0, WHY_LENGTH)}"`,
    "unset it and carry the run on",
  );
}

async function killedByFile(path: string | undefined): Promise<GuardVerdict | undefined> {
  if (path === undefined || path === "") return undefined;
  const remedy = "remove the file and carry the run on";
  try {
    await stat(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    return verdictOf(path, `whether the file ${path} exists cannot be told (${messageOf(error)})`, "make it readable");
  }
  const why = await readFile(path, "utf8").catch(() => "");
  const text = why.trim().slice(0, WHY_LENGTH);
  return verdictOf(path, `the file ${path} exists${text === "" ? "" : `: ${text}`}`, remedy);
}

function verdictOf(subject: string, reason: string, remedy: string): GuardVerdict {
  return { action: "hold", rule: "kill-switch", subject, reason: `${KILL_REASON} ${reason}`, remedy };
}

/** Who, when and why; a document that says nothing of it is a kill switch all the same. */
function parseKillSwitch(content: string): KillSwitch {
  try {
    const found = JSON.parse(content) as Partial<KillSwitch> | null;
    if (found?.v === 1 && typeof found.by === "string" && typeof found.why === "string") {
      return { v: 1, by: found.by, why: found.why, at: typeof found.at === "number" ? found.at : Number.NaN };
    }
  } catch {
    // Invariant 1.
  }
  return { v: 1, by: "somebody", why: "its document cannot be read", at: Number.NaN };
}
