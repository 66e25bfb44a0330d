/**
 * Archipelago keeps services up while the machines under them are updated: Pulumi components for islands, windows,
 * reserve and host updates.
 *
 * @packageDocumentation
 */
import { requireNode } from "./components/require-node";

export { ResourceIsland } from "./components/resource-island";
export type {
  HostSourceArgs,
  MetricsArgs,
  ResourceIslandArgs,
  SignalArgs,
  ValidateArgs,
} from "./components/resource-island";
export { CapacityPool } from "./components/capacity-pool";
export type { CapacityPoolArgs } from "./components/capacity-pool";
export { MaintenanceWindow } from "./components/maintenance-window";
export type { MaintenanceWindowArgs } from "./components/maintenance-window";
export { HostUpdate } from "./components/host-update";
export type { HostUpdateArgs, LimitsArgs, MigrationArgs, UpdateArgs } from "./components/host-update";
export type {
  ApprovalArgs,
  NoticeArgs,
  SilenceArgs,
  StopActionName,
  StopRulesArgs,
} from "./components/guard-arguments";
export { Rebalance } from "./components/rebalance";
export type { RebalanceArgs } from "./components/rebalance";
export { LocalFleet } from "./components/local-fleet";
export type { LocalFleetArgs } from "./components/local-fleet";
export type { DependencyArgs, DisruptionBudgetArgs, HostRuleArgs, WorkloadArgs } from "./arguments";
export { ArgumentError } from "./components/argument-error";
export type { IslandSpec, Mistake, Phase, PoolSpec, WindowSpec } from "./model";

requireNode();
