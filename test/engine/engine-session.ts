/**
 * One interface for two engines: the real `pulumi` CLI, and the stand-in for machines without it.
 *
 * Not for: what only the CLI can prove (locks, encryption, recovery of its state, its display).
 */

/**
 * Any JSON value of a resource. A secret is `{ secret: value }` in the state and {@link REDACTED} in what an operation
 * shows; an unknown value is {@link UNKNOWN}.
 */
export type PropertyValue = unknown;

/** How an unknown value is written, to providers and in results. */
export const UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";

/** A secret in what an operation shows. */
export const REDACTED = "[secret]";

/** What an engine does with a resource, in Pulumi's words. */
export type StepOp =
  "create" | "update" | "same" | "delete" | "replace" | "create-replacement" | "delete-replaced" | "refresh" | "read";

/** One step of an operation. */
export interface EngineStep {
  readonly op: StepOp;
  readonly type: string;
  readonly name: string;
  readonly urn: string;
  /** Checked inputs; absent for a deletion. */
  readonly inputs?: Readonly<Record<string, PropertyValue>>;
}

/** A message of the program, a provider or the engine. */
export interface EngineDiagnostic {
  readonly severity: "info" | "warning" | "error";
  readonly message: string;
  readonly urn?: string;
  /** Status text of a row, not kept. */
  readonly ephemeral: boolean;
}

/** What an operation did and showed. */
export interface EngineResult {
  /** 0, or 1 when the operation failed. */
  readonly exitCode: number;
  /** What a user sees. */
  readonly stdout: string;
  /** In the order in which they began; providers' own resources are left out. */
  readonly steps: readonly EngineStep[];
  readonly diagnostics: readonly EngineDiagnostic[];
  /** Outputs of the stack, as shown by this operation. */
  readonly outputs: Readonly<Record<string, PropertyValue>>;
  /** The checked inputs of the resource with that name; `undefined` where the operation had no such step. */
  inputsOf(name: string): Readonly<Record<string, PropertyValue>> | undefined;
}

/** One resource of the state, as `pulumi stack export` has it, with secrets as `{ secret: value }`. */
export interface EngineResource {
  readonly urn: string;
  readonly type: string;
  readonly name: string;
  readonly custom: boolean;
  readonly id?: string;
  readonly parent?: string;
  readonly inputs: Readonly<Record<string, PropertyValue>>;
  readonly outputs: Readonly<Record<string, PropertyValue>>;
  readonly initErrors?: readonly string[];
  readonly dependencies?: readonly string[];
}

/** Options of one operation. */
export interface OperationOptions {
  /** Gets each line of {@link EngineResult.stdout} as it comes. */
  readonly onOutput?: (line: string) => void;
  /** Interrupts the operation as one Ctrl-C does. */
  readonly signal?: AbortSignal;
  /** Ends the CLI as `kill -9` does; the stand-in knows no such thing. */
  readonly kill?: AbortSignal;
  /** Added to the environment of program and providers for this operation. */
  readonly env?: Readonly<Record<string, string>>;
}

/** A stack of a project at one engine. */
export interface EngineSession {
  readonly kind: EngineKind;
  /** Version of the CLI, or of the SDK that the stand-in was made for. */
  readonly version: string;
  preview(options?: OperationOptions): Promise<EngineResult>;
  /** Without asking and without a preview before it. */
  up(options?: OperationOptions): Promise<EngineResult>;
  refresh(options?: OperationOptions): Promise<EngineResult>;
  /** Does not run the program. */
  destroy(options?: OperationOptions): Promise<EngineResult>;
  /** Sets a value of the stack's configuration; a key without a namespace belongs to the project. */
  setConfig(key: string, value: string, options?: { readonly secret?: boolean }): Promise<void>;
  /** `pulumi cancel --yes`: frees the lock that a killed CLI has left; only the CLI has one. */
  cancel?(): Promise<void>;
  /** The resources of the state, without providers' own. */
  stackExport(): Promise<readonly EngineResource[]>;
  /** Outputs of the stack in the state. */
  outputs(): Promise<Readonly<Record<string, PropertyValue>>>;
  /** Removes what the session made for itself; the stack's state with it, unless `stateDir` was given. */
  close(): Promise<void>;
}

/** Which engine: the real CLI or the stand-in. */
export type EngineKind = "pulumi" | "stand-in";

/** What {@link EngineSession}s are opened with. */
export interface EngineOptions {
  /** Folder with `Pulumi.yaml`. */
  readonly projectDir: string;
  readonly stack: string;
  /** Instead of the `main` of `Pulumi.yaml`; relative to `projectDir`. Name a file, not a folder. */
  readonly main?: string;
  /** Added to the environment of program and providers. */
  readonly env?: Readonly<Record<string, string>>;
  /** Where state and configuration live. Default: a temporary folder that `close` removes. */
  readonly stateDir?: string;
}

/** The name at the end of a URN. */
export function nameOf(urn: string): string {
  return urn.split("::").slice(3).join("::");
}

/** True for the resources that engines keep for providers themselves. */
export function isProviderType(type: string): boolean {
  return type.startsWith("pulumi:providers:");
}
