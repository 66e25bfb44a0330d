import * as assert from "node:assert/strict";
import * as fs from "node:fs";
import * as path from "node:path";
import { COMMANDS } from "../../providers/cli/commands";
import { EXIT_CODES } from "../../providers/cli/exit-codes";
import { PACKAGE_ROOT } from "../fixtures/small-fleet";

describe("docs/cli.md", () => {
  const text = fs.readFileSync(path.join(PACKAGE_ROOT, "docs", "cli.md"), "utf8");

  it("has a row for every command", () => {
    const rows = text.slice(0, text.indexOf("## Which run store"));
    for (const { name } of COMMANDS) assert.match(rows, new RegExp(`\`${name}[ \`\\[]`), name);
  });

  it("has a row for every exit code, and for no other", () => {
    const section = text.slice(text.indexOf("## Exit codes"), text.indexOf("## JSON"));
    const rows = [...section.matchAll(/^\| (\d+) \|/gm)].map(([, code]) => Number(code));
    assert.deepEqual(
      rows,
      Object.values(EXIT_CODES).toSorted((a, b) => a - b),
    );
  });

  it("names the shape of every command's JSON", () => {
    const section = text.slice(text.indexOf("## JSON"), text.indexOf("## Colours"));
    for (const { name } of COMMANDS) {
      if (name !== "completion") assert.ok(section.includes(`\`${name}`), name);
    }
  });
});
