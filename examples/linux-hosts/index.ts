/** A kernel update of Linux hosts, Saturday nights. */
import * as path from "node:path";
import * as archipelago from "pulumi-archipelago";

const shop = new archipelago.ResourceIsland("shop", {
  hosts: { agents: { inventory: path.resolve("inventory.json") } },
  guarantee: { cpu: "80%", memory: "80%" },
  workloads: [
    { name: "checkout", criticality: "critical", budget: { maxUnavailable: 1 } },
    { name: "ledger", copies: "exclusive", maxPause: "2 seconds" },
    { name: "reports", criticality: "sheddable" },
  ],
  validate: [{ command: "systemctl is-system-running --wait", timeout: "2 minutes" }],
});

const saturdays = new archipelago.MaintenanceWindow("saturdays", {
  cron: "0 2 * * 6",
  duration: "3 hours",
  timezone: "Europe/Berlin",
  freezes: ["2026-12-20/2027-01-03"],
});

const kernel = new archipelago.HostUpdate("kernel", {
  islands: [shop],
  windows: [saturdays],
  pool: new archipelago.CapacityPool("reserve", { maximum: { hosts: 1 } }),
  update: {
    probe: "uname -r",
    expect: "6.12.58*",
    command: "apt-get update && apt-get install -y linux-image-6.12.58-amd64",
    undo: "apt-get remove -y linux-image-6.12.58-amd64",
    reboot: true,
    timeout: "20 minutes",
    expected: "4 minutes",
  },
  limits: { soak: "5 minutes" },
});

export const { phase, phaseReason, nextOpening, planDigest } = kernel;
