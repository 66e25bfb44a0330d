/** Asks the engine for one thing that the stand-in does not have, as the configuration says. */
import * as pulumi from "@pulumi/pulumi";
import { Thing } from "./thing";

class Bucket extends pulumi.CustomResource {}

const options: Readonly<Record<string, pulumi.CustomResourceOptions>> = {
  aliases: { aliases: [{ name: "former" }] },
  import: { import: "thing-7" },
  replaceOnChanges: { replaceOnChanges: ["size"] },
};
const wanted = new pulumi.Config().require("wanted");
if (wanted === "invoke") void pulumi.runtime.invoke("fixture:index:ask", {});
else if (wanted === "no plugin") new Bucket("aws:s3:Bucket", "bucket", {});
else new Thing("one", { size: 1 }, options[wanted] ?? {});
