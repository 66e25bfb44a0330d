/** One thing; everything about it comes from the stack's configuration. */
import * as pulumi from "@pulumi/pulumi";
import { Thing } from "./thing";

const config = new pulumi.Config();

/** Leaves out what is not set, as a user's program would. */
function given<T>(name: string, value: T | undefined): Record<string, T> {
  return value === undefined ? {} : { [name]: value };
}

/** A comma-separated list of names. */
function names(key: string): string[] | undefined {
  return config.get(key)?.split(",");
}

const options: pulumi.CustomResourceOptions = {
  ...given("protect", config.getBoolean("protect")),
  ...given("retainOnDelete", config.getBoolean("retain")),
  ...given("ignoreChanges", names("ignoreChanges")),
  ...given("additionalSecretOutputs", names("secretOutputs")),
};
const thing = config.getBoolean("absent")
  ? undefined
  : new Thing(
      "one",
      {
        size: config.requireNumber("size"),
        ...given("zone", config.get("zone")),
        ...given("fault", config.get("fault")),
        ...given("note", config.get("note")),
        ...given("token", config.getSecret("token")),
      },
      options,
    );

module.exports = thing
  ? { size: thing.size, plan: thing.plan, serial: thing.serial, ...given("token", config.get("token") && thing.token) }
  : {};
