/** The environment of a host update on the fleet in memory, as `pulumi up` and the runner open it. */
import { observeFleet } from "../../providers/observe/fleet";
import { plan } from "../../providers/plan/plan";
import type { RunEnvironment } from "../../providers/runner/environment";
import type { SimulatedProcess } from "../../providers/testing";
import type { HostUpdateSpec } from "../../sdk/model";
import type { RunFixture } from "./run-fixture";

/** @param process the process that opens it; a new one unless given */
export function openTestEnvironment(
  fixture: RunFixture,
  reportFolder: string,
  spec: HostUpdateSpec = fixture.spec,
  process?: SimulatedProcess,
): RunEnvironment & { readonly owner: string } {
  const deps = fixture.dependencies(process);
  return {
    ...deps,
    spec,
    disclosures: () => Promise.resolve([]),
    reportFolder,
    observe: (abort, baseline) => observeFleet(deps.platform, spec, abort, deps.clock, baseline),
    plan: (input) => Promise.resolve(plan(input)),
    close: () => Promise.resolve(),
  };
}
