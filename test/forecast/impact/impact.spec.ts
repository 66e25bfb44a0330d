import { strict as assert } from "node:assert";
import { describe, it } from "mocha";
import type { OperationLoad } from "../../../sdk/model";
import { learnDurations, type DurationSample } from "../../../providers/forecast/impact/pooled-durations";
import { estimateImpact, guessDuration } from "../../../providers/forecast/impact/update-impact";
import { createRandom } from "../../../providers/forecast/random";
import { resolveDurations } from "../../../providers/plan/durations";
import { sampleSpec } from "../../../providers/testing/builders";

const GUESSES = { ...resolveDurations(sampleSpec(), {}), update: { p50Ms: 60_000, p95Ms: 180_000 } };
const TARGET = { update: "kernel", hostClasses: ["4 cores, 8 GiB"] };

function sample(ms: number, change: Partial<DurationSample> = {}): DurationSample {
  return { kind: "update", ms, update: "kernel", hostClass: "4 cores, 8 GiB", ...change };
}

/** How far the median is from the truth, and how often the P95 holds, after so many earlier runs of three hosts. */
function judge(runs: number): { readonly error: number; readonly covered: number } {
  const random = createRandom(100 + runs);
  let [errors, covered, count] = [0, 0, 0];
  for (let world = 0; world < 400; world++) {
    const guess = GUESSES.update;
    const truth = guess.p50Ms * Math.exp(0.5 * random.normal());
    const host = (): number => truth * Math.exp(0.3 * random.normal());
    const samples = Array.from({ length: 3 * runs }, () => sample(host()));
    const learned = learnDurations(GUESSES, samples, TARGET).update ?? guess;
    errors += Math.abs(Math.log(learned.p50Ms / truth));
    covered += host() <= learned.p95Ms ? 1 : 0;
    count++;
  }
  return { error: errors / count, covered: covered / count };
}

describe("durations learned from earlier runs", () => {
  it("are better after one run, and better still after more, with a P95 that holds 19 times of 20", () => {
    const [none, one, five] = [0, 1, 5].map(judge);
    assert.ok(none && one && five);
    assert.ok(one.error < 0.6 * none.error, `${String(none.error)} then ${String(one.error)}`);
    assert.ok(five.error < 0.7 * one.error, `${String(one.error)} then ${String(five.error)}`);
    for (const { covered } of [one, five]) assert.ok(covered > 0.91 && covered < 0.99, String(covered));
  });

  it("say nothing of steps that nobody has seen, and keep the guess where there is little", () => {
    const learned = learnDurations(GUESSES, [sample(GUESSES.update.p50Ms)], TARGET);
    assert.deepEqual(Object.keys(learned), ["update"]);
    assert.ok(Math.abs((learned.update?.p50Ms ?? 0) / GUESSES.update.p50Ms - 1) < 0.01);
    assert.ok((learned.update?.p95Ms ?? 0) <= GUESSES.update.p95Ms * 1.1);
  });

  it("lean on other updates a little, on those with the same load alone, and on other hosts more", () => {
    const slow = 8 * GUESSES.update.p50Ms;
    const median = (change: Partial<DurationSample>): number => {
      const samples = Array.from({ length: 6 }, () => sample(slow, change));
      return learnDurations(GUESSES, samples, { ...TARGET, load: "disk" }).update?.p50Ms ?? 0;
    };
    const other = median({ update: "libc", load: "disk" });
    const elsewhere = median({ load: "disk", hostClass: "64 cores, 256 GiB" });
    const here = median({ load: "disk" });
    assert.ok(GUESSES.update.p50Ms < other && other < elsewhere && elsewhere < here, [other, elsewhere, here].join());
    assert.equal(median({ update: "libc", load: "cpu" }), GUESSES.update.p50Ms);
  });

  it("count a run over a hundred hosts as one other update", () => {
    const from = (hosts: number): number =>
      learnDurations(
        GUESSES,
        Array.from({ length: hosts }, () => sample(4 * GUESSES.update.p50Ms, { update: "libc" })),
        TARGET,
      ).update?.p50Ms ?? 0;
    assert.ok(from(100) < 1.4 * from(2), `${String(from(2))} ${String(from(100))}`);
  });

  it("take the slowest class of hosts that is updated", () => {
    const samples = ["small", "large"].flatMap((hostClass) =>
      Array.from({ length: 10 }, () => sample(hostClass === "small" ? 300_000 : 60_000, { hostClass })),
    );
    const both = learnDurations(GUESSES, samples, { update: "kernel", hostClasses: ["large", "small"] });
    const large = learnDurations(GUESSES, samples, { update: "kernel", hostClasses: ["large"] });
    assert.ok((both.update?.p50Ms ?? 0) > 200_000);
    assert.ok((large.update?.p50Ms ?? 0) < 90_000);
  });
});

describe("the update's own load", () => {
  const load = (cpu: readonly number[]): OperationLoad => ({
    ...{ stepMs: 2000, cpuMillis: cpu, diskBytesPerSecond: cpu.map((value) => 1000 * value) },
  });

  it("is nothing where nothing is known", () => {
    assert.equal(estimateImpact(undefined, GUESSES.update, []), undefined);
    assert.equal(guessDuration({ load: "cpu" }, 900_000), undefined);
  });

  it("is guessed from the size of the package and what it keeps busy", () => {
    const bytes = 180 * 2 ** 20;
    const cpu = guessDuration({ bytes, load: "cpu" }, 900_000);
    const disk = guessDuration({ bytes, load: "disk" }, 900_000);
    assert.ok(cpu && disk && cpu.p50Ms > disk.p50Ms && disk.p50Ms > 5000);
    assert.ok((guessDuration({ bytes: 1e12 }, 900_000)?.p95Ms ?? 0) <= 900_000);
    const impact = estimateImpact({ bytes, load: "cpu" }, cpu, []);
    assert.ok(impact);
    assert.equal(impact.measuredHosts, 0);
    assert.deepEqual(impact.parts[0]?.cpuMillis, { p50: 1000, p95: 2000 });
  });

  it("follows what was measured, in its course, and one run outweighs the guess", () => {
    const download = Array.from({ length: 10 }, () => 100);
    const unpack = Array.from({ length: 10 }, () => 1900);
    const impact = estimateImpact({ bytes: 1e8, load: "network" }, GUESSES.update, [load([...download, ...unpack])]);
    assert.equal(impact?.measuredHosts, 1);
    const [first, last] = [impact.parts[0], impact.parts[9]];
    assert.ok((first?.cpuMillis.p50 ?? 0) < 200 && (last?.cpuMillis.p50 ?? 0) > 1300);
    for (const { cpuMillis, diskBytesPerSecond } of impact.parts) {
      assert.ok(cpuMillis.p50 <= cpuMillis.p95 && diskBytesPerSecond.p50 <= diskBytesPerSecond.p95);
    }
    const longer = estimateImpact(undefined, GUESSES.update, [load([...download, ...unpack]), load([100, 1900])]);
    assert.deepEqual(longer?.parts[0]?.cpuMillis, { p50: 100, p95: 100 });
  });
});
