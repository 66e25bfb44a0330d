import assert from "node:assert/strict";
import * as fs from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { ESLint, Linter } from "eslint";
import * as tseslint from "typescript-eslint";

/** The part of eslint.boundaries.mjs that is tested; a module of plain JavaScript at the root. */
interface BoundariesModule {
  readonly BOUNDARIES: readonly { readonly folder: string }[];
  readonly boundaries: { readonly rules: Readonly<Record<string, never>> };
  refusalOf(file: string, specifier: string, isTypeOnly: boolean): string | undefined;
}

describe("import boundaries", () => {
  let table: BoundariesModule;

  before(async () => {
    const url = pathToFileURL(join(process.cwd(), "eslint.boundaries.mjs")).href;
    table = (await import(url)) as BoundariesModule;
  });

  /** Messages of the rule for the text of a file. */
  function lint(file: string, code: string): readonly string[] {
    const messages = new Linter({ cwd: process.cwd() }).verify(
      code,
      {
        files: ["**/*.ts"],
        languageOptions: { parser: tseslint.parser },
        plugins: { boundaries: table.boundaries },
        rules: { "boundaries/imports": "error" },
      },
      join(process.cwd(), file),
    );
    return messages.map((message) => message.message);
  }

  it("catch a forbidden import in each of its forms", () => {
    const forms = [
      'import { x } from "../../sdk/components/x";',
      'import type { X } from "../../sdk/components/x";',
      'export { x } from "../../sdk/components/x";',
      'export * from "../../sdk/components/x";',
      'void import("../../sdk/components/x.js");',
      'type X = import("../../sdk/components/x").X;',
    ];
    for (const form of forms) {
      assert.match(
        lint("providers/plan/plan.ts", form).join(),
        /^providers\/plan must not import sdk\/components\/x/,
        form,
      );
    }
  });

  it("let through what the table allows", () => {
    assert.deepEqual(
      lint("providers/plan/plan.ts", 'import { x } from "../../sdk/model";\nimport { y } from "./y";'),
      [],
    );
    assert.deepEqual(lint("providers/execute/steps/drain.ts", 'import { x } from "../step";'), []);
    assert.deepEqual(lint("sdk/components/host-update.ts", 'import * as pulumi from "@pulumi/pulumi";'), []);
  });

  it("hold the directions of the design", () => {
    const refused: readonly (readonly [string, string])[] = [
      ["sdk/model/plan.ts", "node:fs"],
      ["sdk/model/plan.ts", "../../providers/clock"],
      ["providers/journal/replay.ts", "../../sdk/components"],
      ["providers/execute/executor.ts", "@pulumi/pulumi"],
      ["providers/calendar/openings.ts", "../clock"],
      ["providers/forecast/model.ts", "node:fs"],
      ["providers/agent/control-server.ts", "../journal/run-store"],
      ["providers/runner/run.ts", "../testing"],
      ["providers/guard/checker.ts", "../plan/plan"],
      ["providers/execute/executor.ts", "../drivers/contracts"],
    ];
    for (const [file, specifier] of refused) {
      assert.ok(table.refusalOf(file, specifier, false), `${file} must not import ${specifier}`);
    }
    assert.equal(table.refusalOf("providers/execute/executor.ts", "../drivers/contracts", true), undefined);
  });

  it("have a row for every folder, so that a new one has to be thought about", async () => {
    assert.match(table.refusalOf("providers/novel/x.ts", "./y", false) ?? "", /is in no row/);
    const folders = (await fs.readdir("providers", { withFileTypes: true })).filter((entry) => entry.isDirectory());
    const rows = table.BOUNDARIES.map((row) => row.folder);
    for (const { name } of folders) assert.ok(rows.includes(`providers/${name}`), `providers/${name} has no row`);
  });

  it("are switched on for every source file", async () => {
    const eslint = new ESLint();
    for (const file of ["sdk/model/plan.ts", "providers/journal/replay.ts", "providers/agent/main.ts"]) {
      const config = (await eslint.calculateConfigForFile(file)) as {
        readonly rules: Record<string, readonly unknown[]>;
      };
      assert.equal(config.rules["boundaries/imports"]?.[0], 2, file);
    }
  });
});
