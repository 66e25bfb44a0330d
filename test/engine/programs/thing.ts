/**
 * The fixture resource of the engine tests: a custom resource of the SDK's dynamic provider whose code is
 * fixture-provider.ts, loaded from the program's folder and not serialized into the state.
 */
import * as pulumi from "@pulumi/pulumi";

/** Constant text that the SDK's provider process evaluates; see fixture-project.ts. */
export const FIXTURE_PROVIDER_TEXT =
  'exports.handler = () => require("node:module").createRequire(process.cwd() + "/index.js")("./fixture-provider").handler()';

/** What a {@link Thing} takes. */
export interface ThingArgs {
  readonly size?: pulumi.Input<number>;
  readonly zone?: pulumi.Input<string>;
  /** An output of another resource: unknown until that one exists. */
  readonly after?: pulumi.Input<string>;
  readonly token?: pulumi.Input<string>;
  /** A hidden input that names the resource itself. */
  readonly urnHint?: pulumi.Input<string>;
  /** Which mistake the provider shall make; see fixture-provider.ts. */
  readonly fault?: pulumi.Input<string>;
  readonly note?: pulumi.Input<string>;
}

/** A thing of the fixture provider. */
export class Thing extends pulumi.CustomResource {
  declare readonly size: pulumi.Output<number>;
  declare readonly token: pulumi.Output<string | undefined>;
  declare readonly plan: pulumi.Output<string>;
  declare readonly serial: pulumi.Output<string>;

  constructor(name: string, args: ThingArgs, options?: pulumi.CustomResourceOptions) {
    super(
      "pulumi-nodejs:dynamic/fixture:Thing",
      name,
      { __provider: FIXTURE_PROVIDER_TEXT, plan: undefined, serial: undefined, ...args },
      options,
    );
  }
}
