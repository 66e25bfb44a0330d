/** What an update does to copies that stay on their host. */
import type { Problem } from "../problem";
import type { Disturbance } from "./migration-score";

/** What the update of the spec does to copies on a host, with what the host's driver offers. */
export function disturbanceOn({ sites, scoring }: Problem, site: number): Disturbance {
  const isDetached = scoring.disturbance === "host" && sites[site]?.host.offers?.includes("detached") === true;
  return isDetached ? "nothing" : scoring.disturbance;
}
