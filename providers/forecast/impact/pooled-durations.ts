/**
 * How long steps take, learned from earlier runs by partial pooling: what is known of this update on this kind of host
 * counts most, then of this update elsewhere, then of updates that load a host in the same way, then the guess that
 * planning would make without any run. One earlier run already helps; many leave nothing of the guess.
 *
 * Logarithms of durations are taken as normal, with a mean that is drawn at each level around that of the level above;
 * levels are worked off from the top, each with the evidence that the lower ones do not use (Gelman and Hill, "Data
 * Analysis Using Regression and Multilevel/Hierarchical Models", chapter 12). The spread within a group is that of the
 * samples, held by four made-up ones.
 *
 * Not for: reading journals (providers/runner/earlier-runs.ts), and adding steps up (providers/plan/durations.ts).
 *
 * Invariants
 * 1. Without a sample of a kind of step nothing is said of it.
 * 2. P50 <= P95; both are whole and >= 1 ms.
 */
import type { DurationQuantiles, StepKind, UpdateLoad } from "../../../sdk/model";

/** One step of an earlier run that succeeded. */
export interface DurationSample {
  readonly kind: StepKind;
  readonly ms: number;
  /** Name of the HostUpdate. */
  readonly update: string;
  /** How that update loads hosts, where it was said. */
  readonly load?: UpdateLoad;
  /** Hosts that are alike, see {@link hostClassOf}; "" for steps of no single host. */
  readonly hostClass: string;
}

/** What is to be done now. */
export interface DurationTarget {
  readonly update: string;
  readonly load?: UpdateLoad;
  /** Classes of the hosts to be updated; the slowest of them counts. */
  readonly hostClasses: readonly string[];
}

/** Standard normal quantile of 0.95. */
const Z95 = 1.6449;
/** Hosts of one class and update differ like this, before samples say otherwise: P95 is 1.6 times the median. */
const WITHIN_DEVIATION = 0.3;
const MADE_UP_SAMPLES = 4;
/** Parts of the guess's variance: between kinds of load, between updates of a kind, between classes of hosts. */
const BETWEEN = { load: 0.5, update: 0.4, hostClass: 0.1 } as const;
const LEAST_BETWEEN = 1e-4;
/** Steps that an update's own commands take; the others are of the fleet, whatever the update. */
const OF_UPDATE: ReadonlySet<StepKind> = new Set(["update", "reboot", "replace", "validate"]);

/**
 * Learned durations of the kinds of step that there are samples of.
 * @param guesses what planning takes without any run
 */
export function learnDurations(
  guesses: Readonly<Record<StepKind, DurationQuantiles>>,
  samples: readonly DurationSample[],
  target: DurationTarget,
): Readonly<Partial<Record<StepKind, DurationQuantiles>>> {
  const kinds = [...new Set(samples.map(({ kind }) => kind))].sort();
  return Object.fromEntries(
    kinds.map((kind) => {
      const own = samples.filter((sample) => sample.kind === kind);
      const classes = target.hostClasses.length === 0 ? [""] : target.hostClasses;
      const quantiles = classes.map((hostClass) => learnOne(guesses[kind], own, target, hostClass));
      return [
        kind,
        {
          p50Ms: Math.max(...quantiles.map(({ p50Ms }) => p50Ms)),
          p95Ms: Math.max(...quantiles.map(({ p95Ms }) => p95Ms)),
        },
      ];
    }),
  );
}

/** Hosts of one class have the same size. */
export function hostClassOf(capacity: { readonly cpuMillis: number; readonly memoryBytes: number }): string {
  return `${String(Math.round(capacity.cpuMillis / 1000))} cores, ${String(Math.round(capacity.memoryBytes / 2 ** 30))} GiB`;
}

interface Belief {
  readonly mean: number;
  readonly variance: number;
}

/** Mean of some samples, as evidence of the group above them. */
interface Evidence {
  readonly mean: number;
  readonly variance: number;
}

function learnOne(
  guess: DurationQuantiles,
  samples: readonly DurationSample[],
  target: DurationTarget,
  hostClass: string,
): DurationQuantiles {
  const spread = Math.log(Math.max(guess.p95Ms, guess.p50Ms + 1) / Math.max(1, guess.p50Ms)) / Z95;
  // The guess stands for both: how far updates are apart, and hosts within one.
  const guessedWithin = Math.min(WITHIN_DEVIATION ** 2, spread ** 2 / 2);
  const within = withinVariance(samples, guessedWithin);
  const between = (share: number): number => Math.max(LEAST_BETWEEN, share * (spread ** 2 - guessedWithin));
  const isOwn = ({ update }: DurationSample): boolean => update === target.update;
  const top: Belief = { mean: Math.log(Math.max(1, guess.p50Ms)), variance: between(BETWEEN.load) };
  const ofLoad = samples.some(({ kind }) => OF_UPDATE.has(kind))
    ? samples.filter((sample) => !isOwn(sample) && sample.load === target.load)
    : samples.filter((sample) => !isOwn(sample));
  const afterLoad = learn(
    top,
    meansBy(ofLoad, ({ update }) => update, between(BETWEEN.update), within),
  );
  const own = samples.filter(isOwn);
  const elsewhere = own.filter((sample) => sample.hostClass !== hostClass);
  const afterUpdate = learn(
    { ...afterLoad, variance: afterLoad.variance + between(BETWEEN.update) },
    meansBy(elsewhere, (sample) => sample.hostClass, between(BETWEEN.hostClass), within),
  );
  const here = own.filter((sample) => sample.hostClass === hostClass);
  const belief = learn(
    { ...afterUpdate, variance: afterUpdate.variance + between(BETWEEN.hostClass) },
    meansBy(here, () => "", 0, within),
  );
  const deviation = Math.sqrt(belief.variance + within);
  return {
    p50Ms: Math.max(1, Math.round(Math.exp(belief.mean))),
    p95Ms: Math.max(1, Math.ceil(Math.exp(belief.mean + Z95 * deviation))),
  };
}

/** Normal prior, normal evidence. */
function learn(prior: Belief, evidence: readonly Evidence[]): Belief {
  const precision = 1 / prior.variance + evidence.reduce((sum, { variance }) => sum + 1 / variance, 0);
  const weighted = prior.mean / prior.variance + evidence.reduce((sum, { mean, variance }) => sum + mean / variance, 0);
  return { mean: weighted / precision, variance: 1 / precision };
}

/** One piece of evidence a group, so that a run over a hundred hosts does not count as a hundred updates. */
function meansBy(
  samples: readonly DurationSample[],
  groupOf: (sample: DurationSample) => string,
  between: number,
  within: number,
): readonly Evidence[] {
  return groups(samples, groupOf).map((group) => ({
    mean: group.reduce((sum, value) => sum + value, 0) / group.length,
    variance: between + within / group.length,
  }));
}

function withinVariance(samples: readonly DurationSample[], guessed: number): number {
  let [squares, freedom] = [MADE_UP_SAMPLES * guessed, MADE_UP_SAMPLES];
  for (const group of groups(samples, ({ update, hostClass }) => `${update}\n${hostClass}`)) {
    const mean = group.reduce((sum, value) => sum + value, 0) / group.length;
    squares += group.reduce((sum, value) => sum + (value - mean) ** 2, 0);
    freedom += group.length - 1;
  }
  return squares / freedom;
}

/** Logarithms by group. */
function groups(
  samples: readonly DurationSample[],
  groupOf: (sample: DurationSample) => string,
): readonly (readonly number[])[] {
  const found = new Map<string, number[]>();
  for (const sample of samples) {
    const key = groupOf(sample);
    found.set(key, [...(found.get(key) ?? []), Math.log(Math.max(1, sample.ms))]);
  }
  return [...found.values()];
}
