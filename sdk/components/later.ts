/** Values that may still be Pulumi outputs. */
import type * as pulumi from "@pulumi/pulumi";

/** A type whose members, at any depth, may still be outputs. */
export type Later<T> = T extends string | number | boolean | undefined
  ? pulumi.Input<T>
  : { [K in keyof T]: Later<T[K]> };
