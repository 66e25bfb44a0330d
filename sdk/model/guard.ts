/**
 * What guards a run: stop rules, approvals, notices, silences and the audit log, as plain data.
 *
 * Not for: judging and storing (providers/guard), sending (providers/notify).
 */

/** What a stop rule does to the run: hold until a person resumes it, or undo the wave under way and fail. */
export type StopAction = "pause" | "rollback";

/** A pair of windows in which an error budget must burn too fast before the rule fires. */
export interface BurnWindow {
  /** Long enough to be sure. */
  readonly longMs: number;
  /** Short enough to see that it still burns. */
  readonly shortMs: number;
  /** Times faster than what would just use the budget up: error share / (1 - objective). */
  readonly rate: number;
}

/** When a run stops by itself. Evidence counts from the run's start, or from when it was resumed. */
export type StopRule =
  | {
      /** Requests of some service fail too often, by what the switch records. */
      readonly kind: "error-budget";
      /** Share of requests that must succeed, 0..1. */
      readonly objective: number;
      readonly windows: readonly BurnWindow[];
      /** Fewer failed requests than this in the long window are chance. */
      readonly minimumFailed: number;
      readonly action: StopAction;
    }
  | {
      /** Too many of the moves that were begun have failed or were undone. */
      readonly kind: "failed-moves";
      /** The rule fires above this share, 0..1. */
      readonly share: number;
      /** Fewer moves than this tell nothing. */
      readonly minimumMoves: number;
      readonly action: StopAction;
    }
  | {
      /** An island needs more than what was forecast: the plan rests on a wrong forecast. */
      readonly kind: "forecast-miss";
      /** Quantile of the island's joint demand that is compared with, 0..1. */
      readonly quantile: number;
      /** Steps of the forecast, one after the other, in which the demand must be above it. */
      readonly steps: number;
      readonly action: StopAction;
    }
  | {
      /** Any of these alarms fires. */ readonly kind: "alarms";
      readonly alarms: readonly AlarmSpec[];
      readonly action: StopAction;
    };

export type StopRuleKind = StopRule["kind"];

/** An alarm that somebody else's monitoring raises. */
export type AlarmSpec =
  | {
      readonly kind: "prometheus";
      readonly url: string;
      /** Name of the alerting rule. */
      readonly alert: string;
    }
  | {
      readonly kind: "cloudWatch";
      readonly region: string;
      /** Name of the metric or composite alarm. */
      readonly alarm: string;
    };

/** An alarm that fires. */
export interface Alarm {
  readonly name: string;
  /** Where it was read, such as `Prometheus http://...`. */
  readonly source: string;
  /** What it says, for people. */
  readonly summary: string;
  /** When it began, ms since the epoch, where that is known. */
  readonly sinceMs?: number;
}

/** Reads alarms; made by providers/observe/alarms.ts. */
export interface AlarmSource {
  /** Those that fire now. @throws DriverError unreachable, unauthorized, not-found (no such alarm), failed */
  firing(signal: AbortSignal): Promise<readonly Alarm[]>;
}

/** What the guard says of a run that must not go on. */
export interface GuardVerdict {
  /** `hold`: nothing disruptive begins while the reason stands; the run keeps its state. */
  readonly action: StopAction | "hold";
  readonly rule: StopRuleKind | "kill-switch" | "approval" | "stage";
  /** Service, island, alarm or run that is concerned. */
  readonly subject: string;
  /** With the numbers that it was decided on. */
  readonly reason: string;
  readonly remedy: string;
}

/** How a run gets approved. One of the ways is enough; without this nothing has to be approved. */
export interface ApprovalSpec {
  /** Digest of the envelope that is approved by writing it here. */
  readonly digest?: string;
  /** Signed approval made by `archipelago approve --out`; read besides those in the run store. */
  readonly file?: string;
  /** Who may approve: ed25519 public keys, PEM, by name. */
  readonly keys: Readonly<Record<string, string>>;
  /** Asked at each try to start the run. Its answer is a signed approval. */
  readonly webhook?: {
    readonly url: string;
    /** Environment variable with the secret of both signatures; absent: the answer is signed by one of `keys`. */
    readonly secretEnv?: string;
  };
}

/** A signed statement that a plan's envelope may be carried out until some time. */
export interface Approval {
  readonly v: 1;
  /** SHA-256 of the envelope, hex. */
  readonly digest: string;
  readonly by: string;
  readonly why: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly expiresAt: number;
  readonly signature: {
    /** `hmac`: HMAC-SHA256 with the webhook's secret. */
    readonly kind: "ed25519" | "hmac";
    /** Base64, over the text of providers/guard/approval.ts. */
    readonly value: string;
  };
}

/** An update whose run must be done before another one starts. */
export interface StageSpec {
  readonly name: string;
  /** What its runs are known by in the store, together with its name: the URN, or where it was declared. */
  readonly urn: string;
  /** How long it must have been done. */
  readonly soakMs: number;
}

/** How much an event matters to who is told. */
export type Severity = "info" | "warning" | "critical";

/** Who is told about a run. Secrets are named by environment variables and never stored. */
export type NoticeTarget =
  | {
      readonly kind: "webhook";
      readonly url?: string;
      /** Environment variable with the URL, where the URL is a secret. */
      readonly urlEnv?: string;
      /** Environment variable with the secret of the signature; absent: not signed. */
      readonly secretEnv?: string;
      readonly severity: Severity;
    }
  | {
      readonly kind: "slack";
      /** Environment variable with the URL of the incoming webhook. */
      readonly urlEnv: string;
      readonly severity: Severity;
    };

/** Whose alerts about a host are silenced while a run works on it. */
export interface SilenceTarget {
  readonly kind: "alertmanager";
  /** Base URL. */
  readonly url: string;
  /** Labels of the alerts: regular expressions by name, in which `$host` stands for the host. All of them must match. */
  readonly matchers: Readonly<Record<string, string>>;
}

/** What an audit entry is about. */
export type AuditAction =
  | "arm"
  | "start"
  | "pause"
  | "resume"
  | "cancel"
  | "approve"
  | "kill-on"
  | "kill-off"
  | "recover"
  | "takeover"
  | "stop-rule"
  | "failure"
  | "end";

/** One line of the audit log: who did what, and why. */
export interface AuditEntry {
  readonly v: 1;
  /** Position in the log, from 1. */
  readonly n: number;
  /** Store time, ms since the epoch. */
  readonly at: number;
  readonly who: string;
  readonly what: AuditAction;
  /** The run, or `store` for what concerns all of them. */
  readonly subject: string;
  readonly why: string;
  /** Position of the journal's entry that it repeats, so that none is repeated twice. */
  readonly entry?: number;
  /** Hash of the entry before; "" for the first. */
  readonly previous: string;
  /** SHA-256 of the canonical JSON of all other fields, hex. */
  readonly hash: string;
}

/** Kind of step in the failure of a run that a stop rule has ended. */
export const STOP_RULE_STEP = "stop-rule";
/** Prefix of the audit log's documents in a run store. */
export const AUDIT_PREFIX = "audit/";
/** Prefix of the approvals in a run store, followed by the digest. */
export const APPROVAL_PREFIX = "approvals/";
