/**
 * What users will ask for in the next minutes, from what they are doing now: sessions as a semi-Markov chain over
 * endpoints. A session that looks at its cart is likely to check out soon; how many are at the cart now tells more of the
 * checkout's next minutes than its last minutes do.
 *
 * Not for: reading logs (providers/observe/access-log.ts), and deciding whether it helps (session-gate.ts).
 *
 * Source: semi-Markov chains of user navigation, Sarukkai, "Link Prediction and Path Analysis Using Markov Chains",
 * Computer Networks 33, 2000; expected visits by the renewal equation (Cinlar, "Introduction to Stochastic Processes",
 * chapter 10).
 *
 * Invariants
 * 1. Nothing after `nowMs` is looked at.
 * 2. Predicted loads are >= 0.
 */

/** One request of a session. */
export interface Visit {
  readonly atMs: number;
  /** Who it is, told apart from others; nothing else is known of them. */
  readonly session: string;
  readonly endpoint: string;
}

/** Requests by endpoint and minute: `loads.get(endpoint)[m]` is the number in minute m after now. */
export type MinuteLoads = ReadonlyMap<string, Float64Array>;

/** Time is cut into pieces of this length. */
const PIECE_MS = 10_000;
const PIECES_PER_MINUTE = 6;
/** A session without a request for so long has ended. */
const SESSION_GAP_MS = 10 * 60_000;
const GAP_PIECES = SESSION_GAP_MS / PIECE_MS;
/** Endpoints that are told apart; the rest is one. */
const MOST_ENDPOINTS = 24;
const OTHER = "(other)";
/** Sessions that begin are taken to go on as they did in this time. */
const ARRIVALS_MS = 10 * 60_000;

/** The chain, learned. */
export interface SessionChain {
  readonly endpoints: readonly string[];
  /** `next[e][f][k]`: probability that the request after one for e is for f, k pieces later; the rest ends there. */
  readonly next: readonly (readonly Float64Array[])[];
  /** Share of sessions that begin with each endpoint. */
  readonly first: Float64Array;
}

/** Learns from the visits before `nowMs`, in order of time. */
export function learnChain(visits: readonly Visit[], nowMs: number): SessionChain {
  const known = visits.filter(({ atMs }) => atMs < nowMs);
  const counts = new Map<string, number>();
  for (const { endpoint } of known) counts.set(endpoint, (counts.get(endpoint) ?? 0) + 1);
  const kept = [...counts].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).slice(0, MOST_ENDPOINTS);
  const endpoints = [...kept.map(([endpoint]) => endpoint), OTHER];
  const next = endpoints.map(() => endpoints.map(() => new Float64Array(GAP_PIECES + 1)));
  const left = new Float64Array(endpoints.length);
  const first = new Float64Array(endpoints.length);
  const indexOf = indexer(endpoints);
  const last = new Map<string, Visit>();
  for (const visit of known) {
    const before = last.get(visit.session);
    last.set(visit.session, visit);
    const to = indexOf(visit.endpoint);
    if (!before || visit.atMs - before.atMs > SESSION_GAP_MS) {
      first[to] = (first[to] ?? 0) + 1;
      if (before) add(left, indexOf(before.endpoint));
      continue;
    }
    const from = indexOf(before.endpoint);
    add(left, from);
    const row = next[from]?.[to];
    if (row) add(row, pieces(visit.atMs - before.atMs));
  }
  // Sessions that may still go on say nothing yet of how they end.
  for (const { atMs, endpoint } of last.values()) if (nowMs - atMs > SESSION_GAP_MS) add(left, indexOf(endpoint));
  const begun = first.reduce((sum, count) => sum + count, 0);
  return {
    endpoints,
    next: next.map((rows, e) => rows.map((row) => row.map((count) => count / Math.max(1, left[e] ?? 1)))),
    first: first.map((count) => count / Math.max(1, begun)),
  };
}

/** Requests of the next minutes: of the sessions that are on now, and of those that will begin. */
export function predictLoads(
  chain: SessionChain,
  visits: readonly Visit[],
  nowMs: number,
  minutes: number,
): MinuteLoads {
  const { endpoints, next, first } = chain;
  const horizon = minutes * PIECES_PER_MINUTE;
  const indexOf = indexer(endpoints);
  const started = countStarts(visits, nowMs) / (ARRIVALS_MS / PIECE_MS);
  // `load[f][h]`: expected requests for f in piece h; later ones follow from earlier ones.
  const load = endpoints.map((_, f) => new Float64Array(horizon).fill(started * (first[f] ?? 0)));
  for (const { atMs, endpoint } of lastVisits(visits, nowMs)) {
    const from = indexOf(endpoint);
    const age = Math.floor((nowMs - atMs) / PIECE_MS);
    let ahead = 0;
    let all = 0;
    next[from]?.forEach((row) => {
      row.forEach((share, k) => {
        all += share;
        if (k > age) ahead += share;
      });
    });
    const alive = 1 - all + ahead;
    if (!(alive > 0) || ahead === 0) continue;
    next[from]?.forEach((row, to) => {
      for (let h = 0; h < horizon && age + 1 + h <= GAP_PIECES; h++) {
        const target = load[to];
        if (target) target[h] = (target[h] ?? 0) + (row[age + 1 + h] ?? 0) / alive;
      }
    });
  }
  for (let h = 0; h < horizon; h++) {
    endpoints.forEach((_, e) => {
      const here = load[e]?.[h] ?? 0;
      if (here < 1e-9) return;
      next[e]?.forEach((row, to) => {
        const target = load[to];
        if (!target) return;
        for (let k = 1; h + k < horizon && k <= GAP_PIECES; k++)
          target[h + k] = (target[h + k] ?? 0) + here * (row[k] ?? 0);
      });
    });
  }
  return new Map(
    endpoints.map((endpoint, e) => [
      endpoint,
      Float64Array.from({ length: minutes }, (_, m) =>
        (load[e] ?? new Float64Array(horizon))
          .subarray(m * PIECES_PER_MINUTE, (m + 1) * PIECES_PER_MINUTE)
          .reduce((sum, value) => sum + value, 0),
      ),
    ]),
  );
}

/** Requests by endpoint and minute as they came, from `fromMs` on. */
export function countLoads(
  visits: readonly Visit[],
  endpoints: readonly string[],
  fromMs: number,
  minutes: number,
): MinuteLoads {
  const loads = new Map(endpoints.map((endpoint) => [endpoint, new Float64Array(minutes)]));
  const indexOf = indexer(endpoints);
  for (const { atMs, endpoint } of visits) {
    const minute = Math.floor((atMs - fromMs) / 60_000);
    if (minute < 0 || minute >= minutes) continue;
    const row = loads.get(endpoints[indexOf(endpoint)] ?? OTHER);
    if (row) add(row, minute);
  }
  return loads;
}

function countStarts(visits: readonly Visit[], nowMs: number): number {
  const last = new Map<string, number>();
  let started = 0;
  for (const { atMs, session } of visits) {
    if (atMs >= nowMs) break;
    const before = last.get(session);
    last.set(session, atMs);
    const isNew = before === undefined || atMs - before > SESSION_GAP_MS;
    if (isNew && atMs >= nowMs - ARRIVALS_MS) started++;
  }
  return started;
}

/** The latest request of every session that is on. */
function lastVisits(visits: readonly Visit[], nowMs: number): readonly Visit[] {
  const last = new Map<string, Visit>();
  for (const visit of visits) {
    if (visit.atMs >= nowMs) break;
    if (visit.atMs >= nowMs - SESSION_GAP_MS) last.set(visit.session, visit);
  }
  return [...last.values()];
}

/** At least one piece: what comes within the same one would else never be seen to follow. */
function pieces(ms: number): number {
  return Math.min(GAP_PIECES, Math.max(1, Math.round(ms / PIECE_MS)));
}

function indexer(endpoints: readonly string[]): (endpoint: string) => number {
  const indexes = new Map(endpoints.map((endpoint, index) => [endpoint, index]));
  return (endpoint) => indexes.get(endpoint) ?? endpoints.length - 1;
}

function add(counts: Float64Array, index: number): void {
  counts[index] = (counts[index] ?? 0) + 1;
}
