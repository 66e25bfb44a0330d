/** Refuses to load the package into a Node.js that is too old for it. */
import { RunError } from "@pulumi/pulumi";
import { refuseNode } from "../model";

/** @throws RunError, which the SDK's runner shows without a stack, when the program's Node.js is too old */
export function requireNode(): void {
  const refusal = refuseNode(process.versions.node, process.execPath);
  if (refusal !== undefined) throw new RunError(refusal);
}
