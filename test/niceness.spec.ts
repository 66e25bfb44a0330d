import * as assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setNiceOfSession } from "../providers/niceness";

const MODULE = join(__dirname, "..", "providers", "niceness.js");
/** Prints the nice value of each of its threads: field 19 of stat, the 17th after the name. */
const PROGRAM = `
const { setNiceOfAllThreads } = require(${JSON.stringify(MODULE)});
setNiceOfAllThreads(7);
const { readdirSync, readFileSync } = require("node:fs");
const nice = (thread) => Number(readFileSync("/proc/self/task/" + thread + "/stat", "utf8").split(") ")[1].split(" ")[16]);
console.log(JSON.stringify(readdirSync("/proc/self/task").map(nice)));
`;

describe("the nice value of a process", () => {
  const isLinux = process.platform === "linux";
  const title = "is that of all its threads";
  (isLinux ? it : it.skip)(isLinux ? title : `${title} (skipped: threads are listed on Linux only)`, () => {
    const values = JSON.parse(execFileSync(process.execPath, ["-e", PROGRAM], { encoding: "utf8" })) as number[];
    assert.ok(values.length > 1, `${String(values.length)} thread`);
    assert.deepEqual(new Set(values), new Set([7]));
  });
});

describe("the nice value of a session", () => {
  const isGrouped = existsSync("/proc/self/autogroup");
  const title = "is that of the last change, and comes back";
  (isGrouped ? it : it.skip)(
    isGrouped ? title : `${title} (skipped: this kernel does not group by session)`,
    async () => {
      const child = spawn("sleep", ["60"], { detached: true, stdio: "ignore" });
      const leader = child.pid ?? 0;
      const nice = (): string =>
        /nice (-?\d+)/.exec(readFileSync(`/proc/${String(leader)}/autogroup`, "utf8"))?.[1] ?? "";
      try {
        await setNiceOfSession(leader, 7);
        assert.equal(nice(), "7");
        void setNiceOfSession(leader, 19);
        await setNiceOfSession(leader, 0);
        assert.equal(nice(), "0");
      } finally {
        child.kill("SIGKILL");
      }
    },
  );

  it("is no matter where the process is gone", async () => {
    await setNiceOfSession(2 ** 30, 7);
  });
});
