/**
 * Silences of one run in one Alertmanager: what is there, and making it what it should be.
 *
 * Not for: which hosts are at work (silence-hosts.ts).
 *
 * Invariants
 * 1. Only silences that this run has created are changed or ended; each carries the run as its creator.
 * 2. Every silence has an end: without a run that looks after it, alerts come back by themselves.
 * 3. Making it so twice changes nothing the second time.
 */
import type { SilenceTarget } from "../../sdk/model";
import type { Clock } from "../clock";
import { createHttpJsonClient, type HttpJsonClient } from "../http-json";

/** Stands for the host in the values of matchers. */
const HOST_PLACEHOLDER = "$host";

/** A host whose alerts are silenced, and until when. */
export interface SilencedHost {
  readonly host: string;
  /** Milliseconds since the epoch. */
  readonly endsAtMs: number;
}

/** A silence that some run has created. */
export interface HeldSilence {
  readonly id: string;
  /** Name and address of the Alertmanager. */
  readonly source: string;
  /** Run id. */
  readonly owner: string;
  /** What it is for, for people. */
  readonly comment: string;
  readonly expiresAt: number;
}

/** What is needed from outside. */
export interface AlertmanagerOptions {
  readonly targets: readonly SilenceTarget[];
  readonly clock: Clock;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Bound of one call. @default 5 s */
  readonly timeoutMs?: number;
}

/** Silences of runs in one Alertmanager. All calls throw DriverError. */
export interface Silences {
  /** Name and address, for people. */
  readonly subject: string;
  /** Those that this package's runs have created and that are not over. */
  list(signal: AbortSignal): Promise<readonly HeldSilence[]>;
  /** Silences these hosts for the run and no other; a silence that ends sooner is made longer. */
  makeSo(run: string, hosts: readonly SilencedHost[], signal: AbortSignal): Promise<void>;
}

interface Matcher {
  readonly name: string;
  readonly value: string;
  readonly isRegex: boolean;
  readonly isEqual?: boolean;
}

interface StoredSilence {
  readonly id: string;
  readonly status: { readonly state: "active" | "pending" | "expired" };
  readonly matchers: readonly Matcher[];
  readonly endsAt: string;
  readonly createdBy: string;
  readonly comment: string;
}

const ENVIRONMENT_PREFIX = "ARCHIPELAGO_ALERTMANAGER";
const CALL_LIMIT_MS = 5_000;
/** Creator of a silence, followed by the run. */
const CREATOR = "archipelago run ";
/** An end this much sooner than wanted is left: nothing is written for a few seconds' difference. */
const CLOSE_ENOUGH_MS = 30_000;

/** One for each Alertmanager that the targets name; nothing is asked yet. */
export function openSilences({ targets, ...options }: AlertmanagerOptions): readonly Silences[] {
  const urls = [...new Set(targets.map(({ url }) => url))];
  return urls.map((url) => {
    const labels = targets.filter((target) => target.url === url).map(({ matchers }) => matchers);
    return createSilences(url, labels, options);
  });
}

/** @param labels of alerts; each set of them makes a silence for a host */
function createSilences(
  url: string,
  labels: readonly SilenceTarget["matchers"][],
  { clock, environment, timeoutMs = CALL_LIMIT_MS }: Omit<AlertmanagerOptions, "targets">,
): Silences {
  const client = createHttpJsonClient({
    url,
    name: "Alertmanager",
    environmentPrefix: ENVIRONMENT_PREFIX,
    environment,
    clock,
    timeoutMs,
  });
  return {
    subject: client.subject,
    list: async (signal) =>
      (await readSilences(client, signal)).map(({ id, createdBy, comment, endsAt }) => ({
        id,
        source: client.subject,
        owner: createdBy.slice(CREATOR.length),
        comment,
        expiresAt: Date.parse(endsAt),
      })),
    makeSo: async (run, hosts, signal) => {
      const own = (await readSilences(client, signal)).filter(({ createdBy }) => createdBy === `${CREATOR}${run}`);
      const wanted = hosts.flatMap((silenced) =>
        labels.map((set) => ({ ...silenced, matchers: matchersOf(set, silenced.host) })),
      );
      const kept = new Set<string>();
      for (const { host, endsAtMs, matchers } of wanted) {
        const same = own.find((silence) => keyOf(silence.matchers) === keyOf(matchers));
        if (same) kept.add(same.id);
        if (same && Date.parse(same.endsAt) >= endsAtMs - CLOSE_ENOUGH_MS) continue;
        const json = {
          ...(same ? { id: same.id } : {}),
          matchers,
          startsAt: new Date(clock.now()).toISOString(),
          endsAt: new Date(endsAtMs).toISOString(),
          createdBy: `${CREATOR}${run}`,
          comment: `${host} is being updated by run ${run}; ended when it takes work again`,
        };
        await client.call({ method: "POST", path: "/api/v2/silences", json }, signal);
      }
      for (const { id } of own) {
        if (kept.has(id)) continue;
        await client.call({ method: "DELETE", path: `/api/v2/silence/${encodeURIComponent(id)}` }, signal);
      }
    },
  };
}

async function readSilences(client: HttpJsonClient, signal: AbortSignal): Promise<readonly StoredSilence[]> {
  const answer = await client.call({ method: "GET", path: "/api/v2/silences" }, signal);
  return (Array.isArray(answer) ? (answer as readonly StoredSilence[]) : []).filter(
    ({ createdBy, status }) => createdBy.startsWith(CREATOR) && status.state !== "expired",
  );
}

/** Values are regular expressions that match the whole label, as everywhere in Prometheus. */
function matchersOf(matchers: SilenceTarget["matchers"], host: string): readonly Matcher[] {
  const literal = host.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  return Object.entries(matchers).map(([name, value]) => ({
    name,
    value: value.replaceAll(HOST_PLACEHOLDER, () => literal),
    isRegex: true,
    isEqual: true,
  }));
}

function keyOf(matchers: readonly Matcher[]): string {
  return matchers
    .map(({ name, value, isRegex, isEqual = true }) => JSON.stringify([name, value, isRegex, isEqual]))
    .sort()
    .join();
}
