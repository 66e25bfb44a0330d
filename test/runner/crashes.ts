/** Processes that die after an entry, and others that carry their run on. */
import { strict as assert } from "node:assert";
import { LEASE_TTL_MS } from "../../providers/runner/leases";
import { carryOut } from "../../providers/runner/run";
import { SimulatedCrash } from "../../providers/testing";
import type { RunState } from "../../sdk/model";
import { assertKept, describeEnd, RUN, type RunFixture } from "./run-fixture";

/** Runs until the journal has so many entries, then lets a new process carry the run on. */
export function crashAndResume(fixture: RunFixture, entries: number): Promise<RunState> {
  return fixture.clock.run(async () => (await crash(fixture, entries)) ?? carryOut(RUN, fixture.dependencies()));
}

/** Runs until the journal has so many entries, and the dead process's leases have lapsed. @returns how it ended, if it did */
export async function crash(fixture: RunFixture, entries: number): Promise<RunState | undefined> {
  await fixture.arm();
  const armed = fixture.store.entriesOf(RUN).length;
  const process = fixture.createProcess();
  process.crashAfterEntries(Math.max(1, entries - armed));
  try {
    return await process.run(() => carryOut(RUN, fixture.dependencies(process)));
  } catch (error) {
    assert.ok(error instanceof SimulatedCrash, String(error));
  }
  await fixture.clock.sleep(LEASE_TTL_MS + 1);
  return undefined;
}

/** Which entries a process dies after, and what must hold besides. */
export interface CrashOptions {
  /** Ids of the steps whose entries are meant. */
  readonly steps: RegExp;
  /** There are so many such entries, or more: a test of none would show nothing. */
  readonly least: number;
  /** Only the last so many are tried. @default all */
  readonly last?: number;
  /** Looked at once the run is over. */
  readonly assertEnd: (fixture: RunFixture, when: string) => Promise<void>;
}

/** A run ends in the same state, wherever its process dies. @param createFixture the same one each time */
export async function assertSurvivesCrashes(
  createFixture: () => RunFixture,
  { steps, least, last = Infinity, assertEnd }: CrashOptions,
): Promise<void> {
  const whole = createFixture();
  const { phase } = await whole.run();
  const expected = await describeEnd(whole);
  const counts = whole.store.entriesOf(RUN).flatMap((entry, index) => {
    const id = entry.kind === "step-intent" ? entry.step.id : "id" in entry ? entry.id : "";
    return steps.test(id) ? [index + 1] : [];
  });
  assert.ok(counts.length >= least, `${String(counts.length)} entries`);
  for (const count of counts.slice(-Math.min(last, counts.length))) {
    const fixture = createFixture();
    const state = await crashAndResume(fixture, count);
    const when = `crash after entry ${String(count)}`;
    assert.equal(state.phase, phase, `${when}: ${state.phaseReason}`);
    assertKept(fixture);
    assert.deepEqual(await describeEnd(fixture), expected, when);
    await assertEnd(fixture, when);
  }
}
