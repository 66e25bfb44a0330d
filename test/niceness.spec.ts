import * as assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { join } from "node:path";

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
