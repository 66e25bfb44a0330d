/** Fails in the ways a program can, as the configuration says. */
import * as pulumi from "@pulumi/pulumi";
import { Thing } from "./thing";

class ArgumentMistakes extends pulumi.RunError {
  constructor() {
    super(
      "Shelf shelf: 2 mistakes in the arguments\n  - size (-1) must be positive; raise it\n  - zone (missing) must be set",
    );
  }
}

const config = new pulumi.Config();

if (config.require("mistake") === "run-error") throw new ArgumentMistakes();
if (config.require("mistake") === "error") throw new Error("a plain error");
if (config.require("mistake") === "exit") process.exit(7);
if (config.require("mistake") === "log-error") void pulumi.log.error("something is wrong, said the program");
if (config.require("mistake") === "duplicate") {
  new Thing("one", { size: 2 }, { dependsOn: new Thing("one", { size: 1 }) });
}
