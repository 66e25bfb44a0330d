/** Second stack: updates the hosts of the fleet while its workloads serve. */
import * as fs from "node:fs";
import * as pulumi from "@pulumi/pulumi";
import * as archipelago from "pulumi-archipelago";
import { applyVersion, history, inventory, newVersion, store, undoVersion, workloads } from "./settings";

if (!fs.existsSync(inventory)) {
  throw new pulumi.RunError("there is no fleet to update; start one with: npm run quickstart -- --keep");
}

const config = new pulumi.Config();
const version = config.get("version") ?? newVersion;

const shop = new archipelago.ResourceIsland("shop", {
  hosts: { agents: { inventory } },
  guarantee: { cpu: "80%", memory: "80%" },
  workloads,
  metrics: { recorded: { file: history } },
  validate: [{ command: `'${process.execPath}' current/bin/tool.js --self-test` }],
});

const anyTime = new archipelago.MaintenanceWindow("any-time", {
  cron: config.get("cron") ?? "0 0 * * *",
  duration: "1 day",
  timezone: "UTC",
});

const reserve = new archipelago.CapacityPool("reserve", {
  size: { quantile: 0.95 },
  maximum: { hosts: 2 },
  price: { hostHour: 0.04, currency: "EUR" },
});

const tool = new archipelago.HostUpdate("tool", {
  islands: [shop],
  windows: [anyTime],
  pool: reserve,
  update: {
    probe: "cat current/VERSION",
    expect: version,
    command: config.get("command") ?? applyVersion(version),
    undo: undoVersion(version),
    reboot: true,
    timeout: "2 minutes",
    expected: "8 seconds",
  },
  limits: {
    hostsAtOnce: 2,
    hostsPerZone: 1,
    canaryHosts: 1,
    soak: config.get("soak") ?? "2 seconds",
    drain: "10 seconds",
  },
  attempt: config.getNumber("attempt") ?? 1,
  store,
});

export const { phase, phaseReason, nextOpening, planDigest, report, hostVersions } = tool;
