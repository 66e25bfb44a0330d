/**
 * Shortens a failing scenario: leaves out incidents and makes numbers plain as long as it still fails, and prints what is
 * left as a test.
 */
import { canonicalJson } from "../../sdk/model";
import type { Finding } from "./play";
import type { Incident, Scenario } from "./scenario";

/** A scenario that fails, as short as was found. */
export interface Shrunk {
  readonly scenario: Scenario;
  readonly finding: Finding;
  /** Scenarios that were tried. */
  readonly tries: number;
}

/** Enough for four incidents with a few numbers each. */
const MOST_TRIES = 200;

/**
 * Shortens a scenario greedily.
 * @param play carries a scenario out; deterministic
 */
export async function shrinkScenario(
  scenario: Scenario,
  finding: Finding,
  play: (scenario: Scenario) => Promise<Finding>,
): Promise<Shrunk> {
  let best = { scenario, finding };
  const wanted = kindOf(finding);
  let tries = 0;
  for (let isShorter = true; isShorter;) {
    isShorter = false;
    for (const candidate of shorterOnes(best.scenario)) {
      if (tries >= MOST_TRIES) return { ...best, tries };
      tries += 1;
      const found = await play(candidate);
      if (found.faults.length === 0 || kindOf(found) !== wanted) continue;
      best = { scenario: candidate, finding: found };
      isShorter = true;
      break;
    }
  }
  return { ...best, tries };
}

/** What kind of fault it is: another one is another story. */
function kindOf({ faults }: Finding): string {
  return (faults[0] ?? "").replace(/[\d{].*$/s, "").slice(0, 24);
}

/** Candidates, the shortest first. */
function* shorterOnes(scenario: Scenario): Generator<Scenario> {
  const { incidents } = scenario;
  for (const index of incidents.keys()) yield { ...scenario, incidents: incidents.toSpliced(index, 1) };
  const plain: Partial<Scenario> = {
    troubles: {},
    hosts: 3,
    standby: 1,
    zones: 3,
    hostsAtOnce: 1,
    notNow: 0,
    demand: 0.5,
    updateMs: 1000,
    bootMs: 1000,
    requestsPerSecond: 40,
    reboot: false,
    undo: "works",
    failback: "if-better",
    seed: 1,
  };
  for (const [field, value] of Object.entries(plain)) {
    const candidate = { ...scenario, [field]: value };
    if (canonicalJson(candidate) !== canonicalJson(scenario)) yield candidate;
  }
  for (const [index, incident] of incidents.entries()) {
    for (const simpler of simplerOnes(incident)) yield { ...scenario, incidents: incidents.with(index, simpler) };
  }
}

/** The same incident once instead of twice, of one host, at a round time. */
function* simplerOnes(incident: Incident): Generator<Incident> {
  if (incident.kind === "call" && (incident.fault.times ?? 1) > 1)
    yield { ...incident, fault: { ...incident.fault, times: 1 } };
  if ("hosts" in incident && incident.hosts.length > 1) yield { ...incident, hosts: incident.hosts.slice(0, 1) };
  for (const field of ["afterMs", "forMs", "backAfterMs", "arrivesAfterMs", "againAfterMs"] as const) {
    const value: unknown = Reflect.get(incident, field);
    if (typeof value !== "number" || value % 1000 === 0 || value < 1000) continue;
    yield { ...incident, [field]: Math.round(value / 1000) * 1000 };
  }
}

/** A scenario as a test to be put into test/faults/found.spec.ts. */
export function renderAsTest({ scenario, finding }: Pick<Shrunk, "scenario" | "finding">): string {
  const json = JSON.stringify(scenario, null, 2)
    .split("\n")
    .map((line, index) => (index === 0 ? line : `      ${line}`))
    .join("\n");
  return [
    `  // ${(finding.faults[0] ?? "").split("\n")[0] ?? ""}`,
    `  it("keeps every promise in the scenario of seed ${String(scenario.seed)}", async () => {`,
    "    assert.deepEqual(",
    `      (await playScenario(${json})).faults,`,
    "      [],",
    "    );",
    "  });",
  ].join("\n");
}
