/**
 * A component with two things: the second takes an output of the first, which is unknown before that exists. The first
 * is told its own URN by a hidden input, and its provider logs under it.
 */
import * as pulumi from "@pulumi/pulumi";
import { Thing } from "./thing";

const config = new pulumi.Config();

class Shelf extends pulumi.ComponentResource {
  readonly serials: pulumi.Output<string[]>;

  constructor(name: string) {
    super("fixture:index:Shelf", name);
    const size = config.requireNumber("size");
    const urn = pulumi.createUrn(`${name}-first`, "pulumi-nodejs:dynamic/fixture:Thing", this);
    const first = new Thing(`${name}-first`, { size, urnHint: withoutDependencies(urn) }, { parent: this });
    const things = [first];
    if (config.getNumber("things") !== 1) {
      things.push(
        new Thing(`${name}-second`, { size, after: pulumi.interpolate`after ${first.serial}` }, { parent: this }),
      );
    }
    if (pulumi.runtime.isDryRun()) {
      first.plan.apply((plan) => pulumi.log.info(`what would be done:\n  1. ${plan}`, first));
    }
    this.serials = pulumi.all(things.map((thing) => thing.serial));
    this.registerOutputs({ serials: this.serials });
  }
}

/**
 * A component's URN carries a dependency on the component and so on all its children: a child with such an input
 * would wait for itself for ever. The value alone does not.
 */
function withoutDependencies(urn: pulumi.Output<string>): Promise<string> {
  return new Promise((resolve) => {
    urn.apply(resolve);
  });
}

const shelf = new Shelf("shelf");

export const serials = shelf.serials;
