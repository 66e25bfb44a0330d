import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { OLDEST_NODE, refuseNode } from "../../sdk/model";
import { PACKAGE_ROOT } from "../fixtures/small-fleet";

describe("the program's Node.js", () => {
  it("is refused with what to do when it is older than package.json says", () => {
    const { engines } = JSON.parse(readFileSync(join(PACKAGE_ROOT, "package.json"), "utf8")) as {
      readonly engines: { readonly node: string };
    };
    assert.equal(engines.node, `>=${OLDEST_NODE}`);
    for (const version of ["22.12.0", "22.20.1", "24.0.0"])
      assert.equal(refuseNode(version, "/usr/bin/node"), undefined);
    for (const version of ["20.20.2", "22.11.9"])
      assert.equal(
        refuseNode(version, "/usr/bin/node"),
        `pulumi-archipelago needs Node.js 22.12 or newer, and /usr/bin/node is ${version}; put a newer node first on the path`,
      );
  });
});
