/** The stack that the preview benchmark measures: with a host update, or the same without it. */
import * as pulumi from "@pulumi/pulumi";

const config = new pulumi.Config();
if (config.requireBoolean("update")) {
  // Loaded only here, so that the import counts as part of what a host update adds.
  // eslint-disable-next-line @typescript-eslint/no-require-imports -- see above
  const archipelago = require("pulumi-archipelago") as typeof import("pulumi-archipelago");
  const island = new archipelago.ResourceIsland("shop", {
    hosts: { agents: { inventory: config.require("inventory") } },
    workloads: [
      { name: "front", copies: 6, budget: { maxUnavailable: 1 } },
      { name: "ledger", copies: "exclusive" },
    ],
    metrics: { recorded: { file: config.require("history") } },
  });
  new archipelago.HostUpdate("tool", {
    islands: [island],
    windows: [new archipelago.MaintenanceWindow("any-time", { cron: "0 0 * * *", duration: "1 day" })],
    pool: new archipelago.CapacityPool("reserve", { maximum: { hosts: 1 } }),
    update: { probe: "cat current/VERSION", expect: "2.0.0", command: "true", undo: "true", reboot: true },
  });
} else {
  // A stack has something else in it as well; a component costs next to nothing.
  new pulumi.ComponentResource("bench:index:Nothing", "nothing");
}
