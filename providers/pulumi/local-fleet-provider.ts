/** Dynamic provider of LocalFleet: a preview starts nothing; create starts the processes, delete ends them. */
import type * as pulumi from "@pulumi/pulumi";
import { canonicalJson, messageOf, type LocalFleetSpec } from "../../sdk/model";
import { createEngineProgress } from "./engine-progress";
import { toState } from "./state";

interface FleetInputs {
  readonly spec: LocalFleetSpec;
  readonly urn_: string;
}

/** The provider, for the SDK's dynamic-provider process. */
export const localFleetProvider: pulumi.dynamic.ResourceProvider<FleetInputs, FleetInputs> = {
  async create(inputs) {
    const progress = createEngineProgress(inputs.urn_);
    const { createLocalFleet, deleteLocalFleet } = await import("../drivers/local-fleet/index.js");
    try {
      progress.status(`starting ${String(inputs.spec.hosts.length)} agents`);
      const fleet = await createLocalFleet(inputs.spec);
      return { id: inputs.spec.name, outs: toState({ ...inputs, ...fleet }) };
    } catch (error) {
      // What was started is ended again, so that a failed create leaves no process behind.
      await deleteLocalFleet(inputs.spec.directory).catch((cause: unknown) => {
        progress.warn(`could not clean up ${inputs.spec.directory}: ${messageOf(cause)}`);
      });
      throw error;
    } finally {
      await progress.close();
    }
  },

  // A fleet is replaced as a whole: its hosts' state goes with it.
  diff: (_id, olds, news) =>
    Promise.resolve(
      canonicalJson(olds.spec) === canonicalJson(news.spec)
        ? {}
        : { changes: true, replaces: ["spec"], deleteBeforeReplace: true },
    ),

  async read(id, props) {
    const { observeLocalFleet } = await import("../drivers/local-fleet/index.js");
    const fleet = props && (await observeLocalFleet(props.spec.directory));
    return fleet ? { id, props: toState({ ...props, ...fleet }) } : {};
  },

  async delete(_id, props) {
    const { deleteLocalFleet } = await import("../drivers/local-fleet/index.js");
    await deleteLocalFleet(props.spec.directory);
  },
};
