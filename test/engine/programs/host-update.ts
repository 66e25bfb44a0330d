/** A host update of a small local fleet, all of it set by configuration. */
import * as pulumi from "@pulumi/pulumi";
import * as archipelago from "pulumi-archipelago";

const config = new pulumi.Config();
/** Set: the fleet is declared in the same stack, so that its inventory is not known before it exists. */
const fleetFolder = config.get("fleetFolder");
const inventory: pulumi.Input<string> =
  fleetFolder === undefined
    ? config.require("inventory")
    : new archipelago.LocalFleet("fleet", {
        directory: fleetFolder,
        hosts: 2,
        workloads: [{ name: "front", copies: 1, command: [process.execPath, config.require("workload")] }],
      }).inventory;

const shop = new archipelago.ResourceIsland("shop", {
  hosts: { agents: { inventory } },
  workloads: [
    { name: "front", copies: 2, budget: { maxUnavailable: 0 } },
    // Longer than a machine that is busy with tests ever takes.
    { name: "ledger", copies: "exclusive", maxPause: "20 seconds" },
  ],
  metrics: { recorded: { file: config.require("history") } },
});

const window = new archipelago.MaintenanceWindow("window", {
  cron: config.get("cron") ?? "*/10 * * * *",
  duration: config.get("duration") ?? "1 hour",
});

const tool = new archipelago.HostUpdate("tool", {
  islands: [shop],
  windows: [window],
  pool: new archipelago.CapacityPool("reserve", { maximum: { hosts: 1 } }),
  update: {
    probe: "cat VERSION",
    expect: config.get("version") ?? "2",
    command: config.get("command") ?? `echo ${config.get("version") ?? "2"} > VERSION`,
    undo: "echo 1 > VERSION",
    reboot: config.getBoolean("reboot") ?? false,
    timeout: "60 seconds",
    expected: "1 second",
  },
  limits: { soak: "0 ms", drain: "10 seconds" },
  startedBy: config.get("startedBy") === "runner" ? "runner" : "up",
  attempt: config.getNumber("attempt") ?? 1,
});

/** Set: an update of the same hosts that comes after the first, for so long as this says. */
const soak = config.get("nextAfter");
if (soak !== undefined) {
  new archipelago.HostUpdate("next", {
    islands: [shop],
    windows: [window],
    update: {
      probe: "cat NEXT 2>/dev/null || echo none",
      expect: config.get("version") ?? "2",
      command: `cp VERSION NEXT`,
      undo: "rm -f NEXT",
      timeout: "60 seconds",
      expected: "1 second",
    },
    limits: { soak: "0 ms", drain: "10 seconds" },
    after: [{ update: tool, soak }],
  });
}

export const { phase, phaseReason, hostVersions, planDigest, report } = tool;
