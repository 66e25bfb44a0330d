import * as assert from "node:assert/strict";
import { execFile } from "node:child_process";
import * as fs from "node:fs/promises";
import * as os from "node:os";
import * as path from "node:path";
import { writeBundle } from "../../providers/journal/bundle";
import { createRunFixture } from "../runner/run-fixture";

interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function archipelago(...args: readonly string[]): Promise<Outcome> {
  const main = path.join(__dirname, "..", "..", "providers", "cli", "main.js");
  return new Promise((resolve) => {
    execFile(process.execPath, [main, ...args], { cwd: os.tmpdir() }, (error, stdout, stderr) => {
      resolve({ code: error ? Number(error.code) : 0, stdout, stderr });
    });
  });
}

describe("the command line", () => {
  let folder: string;
  before(async () => {
    folder = await fs.mkdtemp(path.join(os.tmpdir(), "archipelago-cli-"));
  });
  after(async () => {
    await fs.rm(folder, { recursive: true });
  });

  it("rebuilds the plan of a run from its bundle, the same everywhere", async () => {
    const state = await createRunFixture().run();
    const bundle = path.join(folder, "bundle.json");
    const page = path.join(folder, "plan.html");
    await writeBundle(bundle, state.bundle);
    const { code, stdout } = await archipelago("plan", "--bundle", bundle, "--json", "--page", page);
    assert.equal(code, 0);
    assert.deepEqual(JSON.parse(stdout), JSON.parse(JSON.stringify(state.plan)));
    assert.match(await fs.readFile(page, "utf8"), /^<!doctype html>/);
    assert.match((await archipelago("plan", "--bundle", bundle)).stdout, /6 hosts in \d waves/);
  });

  it("shows help, for all and for one command", async () => {
    assert.match((await archipelago("--help")).stdout, /plan .*bundle/);
    assert.match((await archipelago("report", "--help")).stdout, /Usage: archipelago report \[RUN\|FILE\] \[options\]/);
    assert.match((await archipelago("--version")).stdout, /^\d+\.\d+\.\d+$/m);
  });

  it("answers mistakes with code 2, what was meant, and no stack trace", async () => {
    for (const [args, expected] of [
      [["plna"], /unknown command "plna"; did you mean "plan"\?/],
      [["plan"], /no run store is named; give --store URL/],
      [["plan", "--bunlde", "x"], /bunlde/],
      [["report", path.join(folder, "nothing.json")], /nothing\.json.* must be a readable report/],
    ] as const) {
      const { code, stderr } = await archipelago(...args);
      assert.equal(code, 2, stderr);
      assert.match(stderr, expected);
      assert.doesNotMatch(stderr, /^\s+at /m);
    }
  });

  it("fails with code 1 for a bundle that is damaged", async () => {
    const file = path.join(folder, "damaged.json");
    await fs.writeFile(file, "{");
    const { code, stderr } = await archipelago("plan", "--bundle", file);
    assert.equal(code, 1);
    assert.match(stderr, /damaged\.json/);
    assert.doesNotMatch(stderr, /^\s+at /m);
  });
});
