import { strict as assert } from "node:assert";
import { execFile, execFileSync, spawn } from "node:child_process";
import { mkdir, readFile, readlink, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, it } from "mocha";
import { hostLayout } from "../../providers/agent/enroll/host-layout";
import { install, uninstall } from "../../providers/agent/enroll/install";
import { parseToken } from "../../providers/agent/enroll/token";
import { AGENT, openSuite, run, urlOf, end, treeOf } from "./enrolment-suite";

describe("agent: installation and command line of enrolment", function () {
  this.timeout(120_000);
  const suite = openSuite();

  it("installs a unit that systemd accepts, and uninstalls without a trace", async () => {
    const root = await suite.createRoot();
    const layout = hostLayout(root);
    await assert.rejects(install({ root, program: [process.execPath, AGENT] }), /must be enrolled first/);
    const before = await treeOf(root);
    await suite.join(await suite.invite("web-12"), root);
    await install({ root, program: [process.execPath, AGENT] });
    await install({ root, program: [process.execPath, AGENT] });
    assert.equal(await readlink(layout.wanted), "../archipelago-agent.service");
    const unit = await readFile(layout.unit, "utf8");
    for (const line of ["KillMode=process", "Restart=always", "UMask=0077"]) assert.ok(unit.includes(line), line);
    if (hasSystemd()) {
      const { stderr } = await promisify(execFile)("systemd-analyze", ["verify", "--man=no", layout.unit]).catch(
        (error: unknown) => error as { stderr: string },
      );
      assert.doesNotMatch(stderr, /archipelago-agent\.service/);
    }
    const agent = spawn(process.execPath, [AGENT, "serve", "--config", layout.config], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    await urlOf(agent);
    await end(agent);
    await mkdir(join(layout.state, "replicas"), { recursive: true });
    await writeFile(join(layout.state, "replicas", "front-1.json"), "{}");
    await assert.rejects(uninstall({ root }), /front-1.*must have no copies of workloads on it/);
    await rm(join(layout.state, "replicas", "front-1.json"));
    await uninstall({ root });
    assert.deepEqual(await treeOf(root), before);
    await uninstall({ root });
  });

  it("is reached from the command line, with mistakes told all at once", async () => {
    const cli = join(suite.folder, "cli-authority");
    assert.match((await run("authority", "init", "--directory", cli)).stdout, /fingerprint [0-9a-f]{64}/);
    const token = await run(
      "authority",
      "invite",
      "--directory",
      cli,
      "--name",
      "db-1",
      "--url",
      "https://127.0.0.1:1",
    );
    assert.equal(parseToken(token.stdout).name, "db-1");
    assert.match(token.stderr, /good once and for 1 h/);
    const wrong = await run("enroll", "--role", "boss", "--listen", "nowhere");
    assert.equal(wrong.code, 2);
    for (const field of ["--token", "--zone", "--role", "--listen"])
      assert.ok(wrong.stderr.includes(field), wrong.stderr);
    assert.match(
      (await run("authority", "revoke", "--directory", cli, "--name", "db-1", "--reason", "x")).stderr,
      /has issued none/,
    );
    assert.equal((await run("authority", "frobnicate")).code, 2);
    const nowhere = join(suite.folder, "nowhere");
    assert.match((await run("authority", "list", "--directory", nowhere)).stderr, /must hold the authority of a fleet/);
    await assert.rejects(stat(nowhere), /ENOENT/);
  });
});

function hasSystemd(): boolean {
  try {
    execFileSync("systemd-analyze", ["--version"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}
