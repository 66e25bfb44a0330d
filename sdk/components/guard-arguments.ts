/** What users write about stop rules, approvals and notices. Not for: their rules (sdk/arguments/guard.ts). */
import type * as pulumi from "@pulumi/pulumi";

/** What a rule does: hold until somebody resumes the run, or undo the wave under way and fail. */
export type StopActionName = "pause" | "rollback";

/** Stop rules; one that is left out does not apply. `{}` takes all defaults of a rule. */
export interface StopRulesArgs {
  /** Requests fail faster than the error budget of any service allows, by what the switch records. */
  errorBudget?: {
    /** Share of requests that must succeed. @default "99.9%" */
    objective?: string;
    /**
     * Any of these fires when the budget burns more than `rate` times too fast in both windows.
     * @default 14.4 times in 5 minutes and 30 seconds, or 6 times in 1 hour and 5 minutes
     */
    windows?: { long: string; short: string; rate: number }[];
    /** Fewer failed requests than this in the long window never fire. @default 5 */
    minimumFailed?: number;
    /** @default "rollback" */
    action?: StopActionName;
  };
  /** More than `share` of the moves that were begun have failed or were undone. */
  failedMoves?: {
    /** @default "10%" */
    share?: string;
    /** Fewer moves than this never fire. @default 3 */
    minimumMoves?: number;
    /** @default "pause" */
    action?: StopActionName;
  };
  /** An island needs more CPU than a quantile of its forecast in some steps (5 minutes) one after the other. */
  forecastMiss?: {
    /** Between 0 and 1. @default 0.95 */
    quantile?: number;
    /** @default 3 */
    steps?: number;
    /** @default "pause" */
    action?: StopActionName;
  };
  /** Any of these alarms fires. */
  alarms?: {
    any: (
      | { prometheus: { url: string; alert: string }; cloudWatch?: never }
      | { cloudWatch: { region: string; alarm: string }; prometheus?: never }
    )[];
    /** @default "pause" */
    action?: StopActionName;
  };
}

/** How a plan is approved; one of the ways is enough. */
export interface ApprovalArgs {
  /** The approved `planDigest` itself, such as from the stack's configuration. */
  digest?: pulumi.Input<string>;
  /** A file made by `archipelago approve --out FILE`. Approvals in the run store are read without it. */
  file?: pulumi.Input<string>;
  /** Who may approve: ed25519 public keys (PEM) by name. */
  keys?: Record<string, string>;
  /** Asked when the run would start; its signed answer approves. See docs/guard.md for both messages. */
  webhook?: {
    url: pulumi.Input<string>;
    /** Name of the environment variable with the shared secret. @default the answer must be signed by one of `keys` */
    secretEnv?: string;
  };
}

/** Somebody who is told. */
export type NoticeArgs = (
  | {
      webhook: {
        url?: pulumi.Input<string>;
        /** Name of the environment variable with the URL, where the URL is a secret. */
        urlEnv?: string;
        /** Name of the environment variable with the secret of the signature. @default not signed */
        secretEnv?: string;
      };
      slack?: never;
    }
  | {
      slack: {
        /** Name of the environment variable with the URL of the incoming webhook. */
        urlEnv: string;
      };
      webhook?: never;
    }
) & {
  /** The least severe event that is told: all; what holds a run up; or failures alone. @default "warning" */
  severity?: "info" | "warning" | "critical";
};

/** Alerts about a host are silenced from its cordon until it takes work again. */
export interface SilenceArgs {
  /** Base URL of an Alertmanager; credentials come from the environment, see docs/metrics.md. */
  alertmanager: { url: pulumi.Input<string> };
  /**
   * Labels of the alerts: regular expressions by name, in which `$host` stands for the host. All of them must match.
   * @default { instance: "$host(:[0-9]+)?" }
   */
  matchers?: Record<string, string>;
}
