import { strict as assert } from "node:assert";
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { EXIT_CODES } from "../../providers/cli/exit-codes";

const ROOT = dirname(require.resolve("pulumi-archipelago/package.json"));
const read = (file: string): Promise<string> => readFile(join(ROOT, file), "utf8");

/** Members of a union of texts, as declared in the source. */
function unionOf(source: string, declaration: RegExp): readonly string[] {
  const [, body = ""] = declaration.exec(source) ?? [];
  return [...body.matchAll(/"([a-z-]+)"/g)].map(([, member]) => member ?? "");
}

describe("the runbook", () => {
  it("has an entry for every class of errors", async () => {
    const runbook = await read("docs/runbook.md");
    const sources = await Promise.all(["sdk/model/errors.ts", "providers/cli/command.ts"].map(read));
    const classes = sources.flatMap((source) =>
      [...source.matchAll(/export class (\w+Error)\b/g)].map(([, name]) => name ?? ""),
    );
    assert.ok(classes.length >= 10, classes.join(", "));
    assert.deepEqual(
      classes.filter((name) => !runbook.includes(`### ${name}\n`)),
      [],
    );
  });

  it("explains every code of errors and every blocker", async () => {
    const runbook = await read("docs/runbook.md");
    const errors = await read("sdk/model/errors.ts");
    const codes = [
      ...unionOf(errors, /export type DriverErrorCode =([^;]*);/),
      ...unionOf(errors, /class StoreError[^]*?readonly code:([^;]*);/),
      ...unionOf(errors, /class SeriesError[^]*?readonly code:([^;]*);/),
      ...unionOf(await read("sdk/model/plan.ts"), /export type BlockerCode =([^;]*);/),
    ];
    assert.ok(codes.length >= 30, codes.join(", "));
    assert.deepEqual(
      codes.filter((code) => !runbook.includes(`\`${code}\``)),
      [],
    );
  });

  it("lists the exit codes and the commands after an interrupt, and the README links to it", async () => {
    const runbook = await read("docs/runbook.md");
    for (const code of Object.values(EXIT_CODES)) assert.match(runbook, new RegExp(`^\\| ${String(code)} \\|`, "m"));
    assert.match(runbook, /pulumi cancel --yes/);
    assert.match(runbook, /pulumi refresh --clear-pending-creates/);
    assert.match(await read("README.md"), /\(docs\/runbook\.md\)/);
  });
});
