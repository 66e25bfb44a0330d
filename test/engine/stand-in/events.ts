/**
 * What happens in an operation, as data: the display renders it, the result is made of it.
 */
import type { StepOp } from "../engine-session";
import type { Properties } from "./property-values";

/** Something that happened. */
export type EngineEvent =
  | {
      readonly kind: "step-started";
      readonly op: StepOp;
      readonly urn: string;
      readonly type: string;
      readonly inputs?: Properties;
      /** Names of what changed: `+added-removed~changed`; empty where there is nothing to compare. */
      readonly diff: string;
    }
  | { readonly kind: "step-done"; readonly op: StepOp; readonly urn: string }
  | { readonly kind: "step-failed"; readonly op: StepOp; readonly urn: string }
  | {
      readonly kind: "log";
      readonly severity: "info" | "warning" | "error";
      readonly message: string;
      /** The stack's row where there is none. */
      readonly urn?: string;
      readonly ephemeral: boolean;
    }
  | {
      readonly kind: "outputs";
      readonly urn: string;
      /** Absent where the component is new. */
      readonly olds: Properties | undefined;
      readonly news: Properties;
    };

/** Gets the events of an operation, in order. */
export type EventSink = (event: EngineEvent) => void;
