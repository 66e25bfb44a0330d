/**
 * The reserve of one try at a schedule, wave by wave: all of it before the first cordon, or, where it follows the
 * forecast, no more than each wave needs, and given back as soon as the rest of the run does without.
 *
 * Not for: how many hosts the run needs at most (reserve.ts), and giving back at the end of a run (failback.ts).
 *
 * Invariants
 * 1. A host is reserved before the first cordon of the wave that puts copies on it, and released after its last copy
 *    has left it.
 * 2. A wave is never narrower than it would be with the whole reserve at hand.
 * 3. Copies that leave the reserve go to hosts that need no update any more, so that they move no oftener than at the
 *    end of the run.
 */
import { peakQuantile, type StepRange } from "./capacity";
import type { Kept } from "./cell-loads";
import { longestMove } from "./durations";
import { expectedFailback, FailbackLanes } from "./failback-lanes";
import type { Placement } from "./placement";
import { longestOfMoves, type ScheduleContext, type Timeline } from "./schedule";
import { needsRelief, planRelief, RELIEF_LEVELS } from "./relief";
import { searchWave, type SearchOptions } from "./wave-search";

/** What a try at the next wave came to. */
export interface WaveAttempt {
  /** Hosts that it updates; 0: none can be planned. */
  readonly width: number;
  /** True where a larger reserve could not make it wider. */
  readonly isWidest: boolean;
}

/** What the track needs of the waves' planning. */
export interface TrackedWaves<A extends WaveAttempt> {
  readonly context: ScheduleContext;
  readonly placement: Placement;
  readonly timeline: Timeline;
  /** Plans the next wave from the placement as it is, with the reserve as it is; the placement is in it then. */
  attempt(): A;
  /** Settings of a search in the next wave. */
  searchOptions(): SearchOptions;
  /** Steps of demand in which the rest of the run can lie. */
  restRange(): StepRange;
  /** End of the time in which the next wave can lie, and a relief after it. */
  soonStep(): number;
  /** Time that the rest of the run takes at least, ms. */
  readonly restMs: number;
}

/** How the reserve is held. */
export interface ReserveOptions {
  /** Sites that the run holds already. */
  readonly held: readonly number[];
  /** Sites that it may reserve, best first. */
  readonly extra: readonly number[];
  /** True where it follows what each wave needs. */
  readonly follows: boolean;
  /** True where waves look no further than the next one, so that room for a rise is made when it comes near. @default false */
  readonly relieves?: boolean;
  /** Waves before which none are given back: what was given back then was needed again. @default 0 */
  readonly keptWaves?: number;
  /** Hosts that are kept started beside those in use. @default 0 */
  readonly warm?: number;
  /** Sites beside `extra` that may be kept so. @default none */
  readonly spare?: readonly number[];
}

/** The rest of a run must be this much longer than a wave that gives hosts back, for that holds all up. */
const RELEASE_PAYS_FROM = 4;
/** Where demand of the rest is higher than now's by more than this factor, what is released would be needed again. */
const NO_HIGHER = 1.1;
/** Tries at giving hosts back that may fail in one schedule: each plans a wave twice. */
const FAILED_RELEASES = 6;

/** The reserve over the waves of one try. */
export class ReserveTrack {
  /** Reserved now: those that copies may use, then the warm ones. */
  private inUse: readonly number[];
  private warm: readonly number[] = [];
  private unused: readonly number[];
  private readonly ever = new Set<number>();
  private failedReleases = 0;
  /** By site: how many waves were planned when it was given back. */
  private readonly givenBack = new Map<number, number>();

  constructor(
    private readonly placement: Placement,
    private readonly options: ReserveOptions,
  ) {
    const { held, extra, spare = [], warm = 0 } = options;
    // Of what the run holds, hosts without copies are those that it keeps warm.
    this.warm = held.filter((site) => placement.copiesAt(site).length === 0).slice(0, warm);
    this.inUse = held.filter((site) => !this.warm.includes(site));
    this.unused = [...extra, ...spare];
    for (const site of held) this.ever.add(site);
    this.use(options.follows ? this.inUse : [...held, ...extra]);
  }

  /** Sites that are reserved now. */
  get current(): readonly number[] {
    return [...this.inUse, ...this.warm];
  }

  /** Sites that were reserved at any time. */
  get all(): readonly number[] {
    return [...this.ever];
  }

  /** Waves that were planned when a host was given back that was needed again, the last time; absent: none was. */
  regrets: number | undefined;

  /** True where the next wave may have to begin with reserving. */
  get mayGrow(): boolean {
    return this.unused.length > 0;
  }

  /** The next wave, and the sites that it has to reserve; a wave that gives hosts back may have been put before it. */
  next<A extends WaveAttempt>(waves: TrackedWaves<A>): { readonly attempt: A; readonly reserve: readonly number[] } {
    if (!this.options.follows) {
      const attempt = waves.attempt();
      return { attempt, reserve: this.reserveAll() };
    }
    this.relieve(waves);
    // With no host to take or to give, nothing is tried twice.
    if (this.current.length + this.unused.length === 0)
      return { attempt: waves.attempt(), reserve: this.reserveMore(0) };
    const before = this.placement.keep();
    const found = this.follow(waves, before);
    before.drop();
    return found;
  }

  private follow<A extends WaveAttempt>(
    waves: TrackedWaves<A>,
    before: Kept,
  ): { readonly attempt: A; readonly reserve: readonly number[] } {
    const kept = this.grow(waves, before);
    if (kept.more > 0 || kept.attempt.width === 0)
      return { attempt: kept.attempt, reserve: this.reserveMore(kept.more) };
    const slim = this.giveBack(waves, before, kept.attempt);
    return { attempt: slim ?? kept.attempt, reserve: this.reserveMore(0) };
  }

  /** Makes room for a rise of demand that comes near, with as few more hosts as do. */
  private relieve(waves: TrackedWaves<WaveAttempt>): void {
    const { context, timeline, placement } = waves;
    if (this.options.relieves !== true || (this.options.warm ?? 0) > 0 || !isBegun(waves)) return;
    const options = { context, placement, timeline, search: waves.searchOptions(), untilStep: waves.soonStep() };
    if (!needsRelief(options)) return;
    const before = placement.keep();
    const place = timeline.waves.length;
    const most = this.unused.length;
    for (let count = 0; count <= most; count = count === most ? most + 1 : Math.min(most, Math.max(1, 2 * count))) {
      for (const level of RELIEF_LEVELS) {
        const reserve = this.unused.slice(0, count);
        this.use(reserve);
        if (planRelief(options, reserve, level)) {
          before.drop();
          this.reserveMore(count);
          return;
        }
        timeline.cutAt(place);
        before.restore();
      }
    }
    before.drop();
  }

  /** The next wave with as few more hosts as make it as wide as all of them would. */
  private grow<A extends WaveAttempt>(
    waves: TrackedWaves<A>,
    before: Kept,
  ): { readonly attempt: A; readonly more: number } {
    const free = [...this.warm, ...this.unused];
    const attemptWith = (more: number): A => {
      before.restore();
      this.use(free.slice(0, more));
      return waves.attempt();
    };
    const first = waves.attempt();
    if (first.isWidest || free.length === 0) return { attempt: first, more: 0 };
    const goal = attemptWith(free.length).width;
    let [fewer, enough] = [0, free.length];
    if (first.width >= goal) enough = 0;
    while (enough - fewer > 1) {
      const middle = Math.floor((fewer + enough) / 2);
      if (attemptWith(middle).width >= goal) enough = middle;
      else fewer = middle;
    }
    return { attempt: attemptWith(enough), more: enough };
  }

  /**
   * The next wave after one that gives hosts back, where it is no narrower for that; else undefined, and the placement
   * is in the wave that was found with all of them.
   */
  private giveBack<A extends WaveAttempt>(waves: TrackedWaves<A>, before: Kept, { width }: A): A | undefined {
    if (!this.isWorthGivingBack(waves)) return undefined;
    const wave = this.placement.keep();
    const slim = this.tryGivingBack(waves, before, width);
    if (!slim) wave.restore();
    wave.drop();
    return slim;
  }

  private tryGivingBack<A extends WaveAttempt>(waves: TrackedWaves<A>, before: Kept, width: number): A | undefined {
    const { timeline } = waves;
    const held = this.inUse;
    const place = timeline.waves.length;
    for (let count = held.length; count >= 1; count = Math.floor(count / 2)) {
      if (this.failedReleases >= FAILED_RELEASES) break;
      before.restore();
      const leaving = this.emptiest(count);
      if (this.release(waves, leaving)) {
        const attempt = waves.attempt();
        if (attempt.width >= width) {
          this.inUse = held.filter((site) => !leaving.includes(site));
          this.unused = [...leaving, ...this.unused];
          for (const site of leaving) this.givenBack.set(site, place);
          return attempt;
        }
      }
      this.failedReleases++;
      timeline.cutAt(place);
    }
    return undefined;
  }

  /** Hosts are given back when the forecast falls and the run goes on for long enough. */
  private isWorthGivingBack(waves: TrackedWaves<WaveAttempt>): boolean {
    const { context, timeline, restMs } = waves;
    const { keptWaves = 0, warm = 0 } = this.options;
    if (this.inUse.length === 0 || !isBegun(waves) || timeline.waves.length < keptWaves) return false;
    if (this.warm.length < warm) return false;
    const { durations, problem, totals, quantile } = context;
    const takesMs = longestMove(context).p50Ms + durations.release.p50Ms;
    if (restMs < RELEASE_PAYS_FROM * takesMs) return false;
    const rest = waves.restRange();
    const now = { from: rest.from, to: rest.from + 1 };
    return totals.every(
      (total) =>
        peakQuantile(problem, total, rest, quantile) <= NO_HIGHER * peakQuantile(problem, total, now, quantile),
    );
  }

  /** Appends a wave in which all copies leave `sites`, which are released then; false where one finds no room. */
  private release(waves: TrackedWaves<WaveAttempt>, sites: readonly number[]): boolean {
    const { context, placement, timeline } = waves;
    const { problem } = context;
    const tasks = sites.flatMap((site) => placement.copiesAt(site).map((copy) => ({ copy })));
    const range = timeline.rangeOfNext(
      expectedFailback(context, tasks.length, sites.length, longestOfMoves(context, tasks)),
    );
    if (placement.beginWave(range, new Set(sites), waves.restRange().to)) return false;
    const search = { ...waves.searchOptions(), index: timeline.nextIndex, failback: true, isReady: () => false };
    const found = searchWave(problem, placement, tasks, search);
    if ("stuck" in found) return false;
    const lanes = new FailbackLanes(context, placement, "failback");
    lanes.addAll(found.moves);
    lanes.append(timeline, sites, range);
    placement.setReserved(sites, false);
    return true;
  }

  /** Reserved hosts with the fewest copies. */
  private emptiest(count: number): readonly number[] {
    const load = new Map(this.inUse.map((site) => [site, this.placement.copiesAt(site).length]));
    return [...this.inUse].sort((a, b) => (load.get(a) ?? 0) - (load.get(b) ?? 0) || b - a).slice(0, count);
  }

  private reserveAll(): readonly number[] {
    const more = this.unused;
    this.inUse = [...this.inUse, ...more];
    this.unused = [];
    for (const site of more) this.ever.add(site);
    return more;
  }

  /** Takes `more` hosts into use, the warm ones first, and keeps as many warm as are asked for. */
  private reserveMore(more: number): readonly number[] {
    const started = new Set(this.warm);
    const free = [...this.warm, ...this.unused];
    const warm = this.options.warm ?? 0;
    this.inUse = [...this.inUse, ...free.slice(0, more)];
    this.warm = free.slice(more, more + warm);
    this.unused = free.slice(more + warm);
    const begun = free.slice(0, more + warm).filter((site) => !started.has(site));
    for (const site of begun) {
      this.ever.add(site);
      const place = this.givenBack.get(site);
      if (place !== undefined) this.regrets = Math.max(this.regrets ?? 0, place);
    }
    return begun;
  }

  private use(sites: readonly number[]): void {
    this.placement.setReserved(sites, true);
  }
}

/** True once a host of the run was updated, or is by the waves so far: what comes first is the canary. */
function isBegun({ timeline, context }: TrackedWaves<WaveAttempt>): boolean {
  return timeline.waves.length > 0 || (context.input.progress?.updatedHosts.length ?? 0) > 0;
}
