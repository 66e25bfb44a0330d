/** The stack that the preview benchmark measures: with a host update, or the same without it. */
import * as fs from "node:fs";
import * as pulumi from "@pulumi/pulumi";

const config = new pulumi.Config();
if (config.requireBoolean("update")) {
  // Loaded only here, so that the import counts as part of what a host update adds.
  // eslint-disable-next-line @typescript-eslint/no-require-imports -- see above
  const archipelago = require("pulumi-archipelago") as typeof import("pulumi-archipelago");
  const declared = JSON.parse(fs.readFileSync(config.require("islands"), "utf8")) as readonly ({
    readonly name: string;
  } & Omit<import("pulumi-archipelago").ResourceIslandArgs, "hosts" | "metrics">)[];
  const islands = declared.map(
    ({ name, ...island }) =>
      new archipelago.ResourceIsland(name, {
        ...island,
        hosts: { agents: { inventory: config.require("inventory") } },
        metrics: { recorded: { file: config.require("history") } },
      }),
  );
  new archipelago.HostUpdate("kernel", {
    islands,
    windows: [new archipelago.MaintenanceWindow("any-time", { cron: config.require("opens"), duration: "10 hours" })],
    limits: {
      hostsAtOnce: Math.max(2, config.requireNumber("hosts") / 10),
      hostsPerZone: Math.max(1, Math.ceil(config.requireNumber("hosts") / 20)),
      hostsPerRack: 4,
    },
    update: {
      probe: "uname -r",
      expect: "6.12.58*",
      command: "install 6.12.58",
      undo: "install 6.12.57",
      reboot: true,
    },
  });
} else {
  // A stack has something else in it as well; a component costs next to nothing.
  new pulumi.ComponentResource("bench:index:Nothing", "nothing");
}
