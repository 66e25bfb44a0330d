/** One slow thing and one after it; notes when it is interrupted, as a component of a real package would. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import * as pulumi from "@pulumi/pulumi";
import { Thing } from "./thing";

process.on("SIGINT", () => {
  writeFileSync(join(process.env["FIXTURE_FOLDER"] ?? "", "interrupted"), "");
  process.exit(0);
});

const slow = new Thing("slow", { size: 1, fault: new pulumi.Config().get("fault") ?? "none" });
export const next = new Thing("next", { size: 1, after: slow.serial }).serial;
