/** What an update does to copies that stay on their host. */
import type { Problem } from "../problem";
import type { Disturbance } from "./migration-score";

/** What the update of the spec does to copies on a host, with its way and what the host's driver offers. */
export function disturbanceOn({ sites, scoring }: Problem, site: number): Disturbance {
  // Another machine takes with it what runs on the old one, as a restart does.
  if (scoring.disturbance !== "none" && sites[site]?.way === "replacement") return "reboot";
  const isDetached = scoring.disturbance === "host" && sites[site]?.host.offers?.includes("detached") === true;
  return isDetached ? "nothing" : scoring.disturbance;
}
