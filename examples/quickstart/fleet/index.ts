/** First stack: six hosts in three zones and two standby hosts, as processes of this machine, with their workloads. */
import * as archipelago from "pulumi-archipelago";
import * as path from "node:path";
import { folder, hostImage, hosts, jobs, traffic, workloads, zones } from "../settings";

const fleet = new archipelago.LocalFleet("quickstart", {
  directory: path.join(folder, "fleet"),
  hosts,
  standby: 2,
  zones,
  hostSize: { cpu: "500 millicores", memory: "1 GiB" },
  workloads,
  jobs,
  hostImage,
  traffic,
  disclosures: ["the 14 days of load history come from a seeded generator; they were not measured"],
});

export const inventory = fleet.inventory;
export const endpoints = fleet.endpoints;
