/**
 * Plays one wave with drawn durations, as the executor carries it out: compiled once, played many times.
 *
 * Not for: judging what happened (simulated-run.ts).
 */
import { LimitedQueue } from "../../providers/plan/limited-queue";
import { linksBetween, type Fleet, type PlanStep, type Wave } from "../../sdk/model";

/** Standard normal deviate of the 95th percentile. */
const Z95 = 1.645;

/** A wave with numbers for names. */
export interface CompiledWave {
  readonly wave: Wave;
  readonly p50Ms: Float64Array;
  readonly spread: Float64Array;
  /** Steps that each waits for, as indexes. */
  readonly after: readonly Int32Array[];
  /** Lane of each step, -1: none. */
  readonly lane: Int32Array;
  readonly laneHosts: readonly string[];
  /** Steps of each lane, in order. */
  readonly laneSteps: readonly Int32Array[];
  /** Lanes that each lane waits for. */
  readonly laneAfter: readonly Int32Array[];
  /** Lanes that each lane holds up until it is through. */
  readonly laneBlocks: readonly (readonly number[])[];
  readonly uses: readonly Int32Array[];
  readonly places: Int32Array;
  /** Lanes beside those with places that may start new copies, by limit; absent: none. */
  readonly ahead?: Int32Array;
  /** What new copies of each lane carry a second over links, and what those carry at most. */
  readonly transfers: readonly LaneTransfers[];
  readonly bandwidths: Float64Array;
  /** By step: 1 for those that go before the lane has a place, and for soaks. */
  readonly isAhead: Uint8Array;
  readonly isSoak: Uint8Array;
  /** By step: it takes no longer than this. */
  readonly mostMs: Float64Array;
  /** Duration of each step in the run that is being played. */
  readonly lastTimes: Float64Array;
}

/** Links by number, with the rate of a lane's transfers over each. */
interface LaneTransfers {
  readonly links: Int32Array;
  readonly rates: Float64Array;
}

/** Compiles a wave. */
export function compileWave(wave: Wave, fleet: Pick<Fleet, "hosts" | "network">): CompiledWave {
  const index = new Map(wave.steps.map(({ id }, at) => [id, at]));
  const after = wave.steps.map((step) => Int32Array.from(step.after.flatMap((id) => index.get(id) ?? [])));
  const fromOf = new Map(wave.moves.map(({ id, from }) => [id, from]));
  const laneHosts = lanesInOrder(wave, fromOf);
  const laneOf = new Map(laneHosts.map((host, lane) => [host, lane]));
  const hostOfStep = (step: PlanStep): string | undefined =>
    "move" in step
      ? fromOf.get(step.move)
      : "host" in step
        ? step.host
        : step.kind === "soak"
          ? step.hosts[0]
          : undefined;
  const lane = Int32Array.from(wave.steps, (step) => laneOf.get(hostOfStep(step) ?? "") ?? -1);
  const laneSteps = groupSteps(lane, laneHosts.length);
  const names = Object.keys(wave.lanes?.limits ?? {});
  const numberOf = new Map(names.map((name, at) => [name, at]));
  const uses = laneHosts.map((host) =>
    Int32Array.from(wave.lanes?.uses[host]?.flatMap((name) => numberOf.get(name) ?? []) ?? []),
  );
  const laneAfter = laneSteps.map((steps, at) =>
    Int32Array.from(
      new Set(
        Array.from(steps).flatMap((step) =>
          Array.from(after[step] ?? [], (before) => lane[before] ?? -1).filter((other) => other >= 0 && other !== at),
        ),
      ),
    ),
  );
  return {
    wave,
    p50Ms: Float64Array.from(wave.steps, ({ expected }) => expected.p50Ms),
    spread: Float64Array.from(wave.steps, ({ expected: { p50Ms, p95Ms } }) =>
      p50Ms > 0 ? Math.log(Math.max(p95Ms, p50Ms) / p50Ms) / Z95 : 0,
    ),
    after,
    lane,
    laneHosts,
    laneSteps,
    laneAfter,
    laneBlocks: blocksOf(laneAfter),
    uses,
    places: Int32Array.from(names, (name) => wave.lanes?.limits[name] ?? 1),
    ...(wave.lanes?.ahead ? { ahead: Int32Array.from(names, (name) => wave.lanes?.ahead?.[name] ?? 0) } : {}),
    ...transfersOf(wave, fleet, laneOf),
    isAhead: Uint8Array.from(wave.steps, ({ kind }) =>
      wave.lanes?.ahead !== undefined && (kind === "start-copy" || kind === "admit") ? 1 : 0,
    ),
    isSoak: Uint8Array.from(wave.steps, ({ kind }) => (kind === "soak" ? 1 : 0)),
    // A drain is over at its deadline, one way or the other.
    mostMs: Float64Array.from(wave.steps, (step) =>
      step.kind === "drain" ? step.deadlineMs : Number.POSITIVE_INFINITY,
    ),
    lastTimes: new Float64Array(wave.steps.length),
  };
}

/** What the new copies of each lane carry over links. Hand-overs come later, are few and are left out. */
function transfersOf(
  wave: Wave,
  fleet: Pick<Fleet, "hosts" | "network">,
  laneOf: ReadonlyMap<string, number>,
): Pick<CompiledWave, "transfers" | "bandwidths"> {
  const hosts = new Map(fleet.hosts.map((host) => [host.id, host]));
  const fromOf = new Map(wave.moves.map(({ id, from }) => [id, from]));
  const numbers = new Map<string, number>();
  const bandwidths: number[] = [];
  const rates = Array.from(laneOf, () => new Map<number, number>());
  for (const step of wave.steps) {
    if (step.kind !== "start-copy" || step.bytesPerSecond === undefined) continue;
    const [from, to] = [hosts.get(fromOf.get(step.move) ?? ""), hosts.get(step.host)];
    const own = rates[laneOf.get(from?.id ?? "") ?? -1];
    if (!from || !to || !own) continue;
    for (const { name, bytesPerSecond } of linksBetween(fleet, from, to)) {
      const link = numbers.get(name) ?? bandwidths.push(bytesPerSecond) - 1;
      numbers.set(name, link);
      own.set(link, (own.get(link) ?? 0) + step.bytesPerSecond);
    }
  }
  return {
    transfers: rates.map((own) => ({ links: Int32Array.from(own.keys()), rates: Float64Array.from(own.values()) })),
    bandwidths: Float64Array.from(bandwidths),
  };
}

/** Hosts with lanes, in the order of their first steps. */
function lanesInOrder({ lanes, steps }: Wave, fromOf: ReadonlyMap<string, string>): readonly string[] {
  const hosts = new Set<string>();
  for (const step of steps) {
    const host = "move" in step ? fromOf.get(step.move) : "host" in step ? step.host : undefined;
    if (host !== undefined && lanes?.uses[host] !== undefined) hosts.add(host);
  }
  return [...hosts];
}

/** Lanes that each lane holds up, from those that each waits for. */
function blocksOf(laneAfter: readonly Int32Array[]): readonly (readonly number[])[] {
  const blocks: number[][] = laneAfter.map(() => []);
  laneAfter.forEach((others, lane) => {
    for (const other of others) blocks[other]?.push(lane);
  });
  return blocks;
}

/** Steps by lane in one pass: a filter for each lane would take as long as lanes times steps. */
function groupSteps(lane: Int32Array, count: number): readonly Int32Array[] {
  const lists: number[][] = Array.from({ length: count }, () => []);
  lane.forEach((at, step) => lists[at]?.push(step));
  return lists.map((list) => Int32Array.from(list));
}

/** How a wave went. */
export interface PlayedWave {
  readonly endMs: number;
  /** End of each step, ms since the epoch. */
  readonly ends: Float64Array;
  /** By lane. */
  readonly laneStart: Float64Array;
  readonly laneEnd: Float64Array;
}

/** What ends next in a lane. */
type LaneEvent = { readonly lane: number; readonly endMs: number; readonly what: "ahead" | "placed" | "through" };

/** Carries a wave out as the executor does: what may begin does, lanes in the order of the list. */
export function playWave(wave: CompiledWave, startMs: number, normal: () => number): PlayedWave {
  const steps = wave.p50Ms.length;
  const ends = new Float64Array(steps);
  for (let at = 0; at < steps; at++) {
    const spread = wave.spread[at] as number;
    const drawn = (wave.p50Ms[at] as number) * (spread === 0 ? 1 : Math.exp(spread * normal()));
    wave.lastTimes[at] = Math.min(drawn, wave.mostMs[at] as number);
  }
  let endMs = startMs;
  const finish = (step: number, notBefore: number): number => {
    let begin = notBefore;
    for (const before of wave.after[step] as Int32Array) begin = Math.max(begin, ends[before] as number);
    const end = begin + (wave.lastTimes[step] as number);
    ends[step] = end;
    endMs = Math.max(endMs, end);
    return end;
  };
  const isAhead = (step: number): boolean => wave.isAhead[step] === 1;
  const lanes = wave.laneHosts.length;
  const laneStart = new Float64Array(lanes);
  const laneEnd = new Float64Array(lanes);
  // Of the steps of no lane the reserve comes before all lanes, and its release after them.
  const ownsNone = (step: number): boolean => (wave.lane[step] as number) < 0;
  const isAtEnd = (step: number): boolean => wave.wave.steps[step]?.kind === "release";
  for (let step = 0; step < steps; step++) if (ownsNone(step) && !isAtEnd(step)) finish(step, startMs);
  const placed = new LimitedQueue(wave.uses, wave.places);
  const begun = new LimitedQueue(
    wave.uses,
    wave.places.map((places, use) => places + (wave.ahead?.[use] ?? 0)),
  );
  const blockers = wave.laneAfter.map(({ length }) => length);
  blockers.forEach((count, lane) => {
    if (count === 0) begun.add(lane);
  });
  const running: LaneEvent[] = [];
  let nowMs = lanes > 0 ? endMs : startMs;
  const carried = new Float64Array(wave.bandwidths.length);
  /** A run lets each copy begin when its links have room; here a lane's copies wait for each other, which takes longer. */
  const hasLinks = (lane: number): boolean => {
    const { links, rates } = wave.transfers[lane] as LaneTransfers;
    for (let at = 0; at < links.length; at++) {
      const link = links[at] as number;
      const before = carried[link] as number;
      if (before > 1 && before + (rates[at] as number) > (wave.bandwidths[link] as number) * (1 + 1e-9)) return false;
    }
    return true;
  };
  const carry = (lane: number, by: number): void => {
    const { links, rates } = wave.transfers[lane] as LaneTransfers;
    links.forEach((link, at) => (carried[link] = (carried[link] as number) + by * (rates[at] as number)));
  };
  let unplaced = lanes;
  for (;;) {
    placed.begin((lane) => {
      unplaced--;
      laneStart[lane] = nowMs;
      let end = nowMs;
      let through = nowMs;
      for (const step of wave.laneSteps[lane] as Int32Array) {
        if (isAhead(step)) continue;
        through = Math.max(through, finish(step, nowMs));
        // A host that soaks works again and holds no place; what waits for it waits for its soak.
        if (wave.isSoak[step] !== 1) end = Math.max(end, ends[step] as number);
      }
      laneEnd[lane] = end;
      insertByEnd(running, { lane, endMs: end, what: "placed" });
      insertByEnd(running, { lane, endMs: through, what: "through" });
    });
    if (unplaced === 0) break;
    begun.begin((lane) => {
      carry(lane, 1);
      let end = nowMs;
      for (const step of wave.laneSteps[lane] as Int32Array)
        if (isAhead(step)) end = Math.max(end, finish(step, nowMs));
      insertByEnd(running, { lane, endMs: end, what: "ahead" });
    }, hasLinks);
    const next = running.shift();
    if (!next) throw new Error(`wave ${String(wave.wave.index)}: ${String(unplaced)} lanes never begin`);
    nowMs = next.endMs;
    if (next.what === "ahead") {
      carry(next.lane, -1);
      placed.add(next.lane);
    } else if (next.what === "placed") {
      placed.giveBack(next.lane);
      begun.giveBack(next.lane);
    } else {
      for (const other of wave.laneBlocks[next.lane] as readonly number[]) {
        blockers[other] = (blockers[other] as number) - 1;
        if (blockers[other] === 0) begun.add(other);
      }
    }
  }
  for (let step = 0; step < steps; step++) if (ownsNone(step) && isAtEnd(step)) finish(step, startMs);
  return { endMs, ends, laneStart, laneEnd };
}

function insertByEnd<T extends { readonly endMs: number }>(sorted: T[], item: T): void {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((sorted[middle] as T).endMs <= item.endMs) low = middle + 1;
    else high = middle;
  }
  sorted.splice(low, 0, item);
}
