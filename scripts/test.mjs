/**
 * What `npm test` runs after the installation: the build, then all static checks beside all tests, each with its time.
 * Ends with the line `N passed, N failed, N skipped`, in which every check counts as a test.
 *
 * `--tests` leaves the static checks out; what follows goes to mocha: `npm run test:unit -- --grep journal`, and
 * `--jobs 1` for one spec after the other. Every spec has folders and ports of its own, so that two run at once.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, sep } from "node:path";
import { build } from "./build.mjs";
import { continueWithProjectNode, ROOT, run } from "./processes.mjs";

await continueWithProjectNode();

const CHECKS = [
  { name: "format", command: "prettier", args: ["--check", "--log-level", "warn", "."], remedy: "npm run format" },
  { name: "lint", command: "eslint", args: [".", "--max-warnings", "0"], remedy: "npm run lint -- --fix mends some" },
  { name: "unused", command: "knip", args: ["--no-progress"], remedy: "remove what nobody uses, or see knip.json" },
  { name: "package", command: "publint", args: ["run", "--strict"], remedy: "see package.json" },
  // Older resolutions than that of Node 16 do not know `exports`, which all supported versions of Node have.
  { name: "types", command: "attw", args: ["--pack", ".", "--profile", "node16"], remedy: "see package.json" },
];

/** Most of their time is waiting for processes: they come first, so that no long one is left alone at the end. */
const LONG_AREAS = [
  "chaos",
  "engine",
  "bad-input",
  "pulumi",
  "journal",
  "agent",
  "traffic",
  "drivers",
  "cli",
  "faults",
];

const flags = process.argv.slice(2);
const isTestsOnly = flags[0] === "--tests";
const mochaArgs = isTestsOnly ? flags.slice(1) : flags;
const totals = { passed: 0, failed: 0, skipped: 0 };

const isBuilt = await check("build", "see the errors above", build);
const checks = isTestsOnly ? undefined : runChecks();
if (isBuilt) await runMocha();
else console.log("\ntests  not run: they are those of the last build that succeeded");
await checks;

console.log(`\n${totals.passed} passed, ${totals.failed} failed, ${totals.skipped} skipped`);
process.exitCode = totals.failed > 0 ? 1 : 0;

/** One after the other, behind the tests: what waits there is not to wait longer for this. */
async function runChecks() {
  for (const { name, command, args, remedy } of CHECKS) {
    await check(name, remedy, () => run(command, args, { keepOutput: true, isBehind: true }));
  }
}

/** Runs one check, tells how it went, and shows its output where it failed. */
async function check(name, remedy, action) {
  const startMs = performance.now();
  const { code, output } = await action();
  const isGood = code === 0;
  totals[isGood ? "passed" : "failed"] += 1;
  if (!isGood) console.log(output.trimEnd());
  const seconds = ((performance.now() - startMs) / 1000).toFixed(1);
  console.log(`check  ${name.padEnd(8)} ${isGood ? "ok" : `FAILED (${remedy})`}  ${seconds} s`);
  return isGood;
}

async function runMocha() {
  const folder = mkdtempSync(join(tmpdir(), "archipelago-test-"));
  const file = join(folder, "result.json");
  const startMs = performance.now();
  try {
    const reporter = ["--reporter", "scripts/test-reporter.cjs", "--reporter-option", `file=${file}`];
    const specs = mochaArgs.some((arg) => arg.endsWith(".js")) ? [] : listSpecs();
    const jobs = mochaArgs.includes("--jobs") ? [] : ["--jobs", "2"];
    const { code } = await run("mocha", ["--parallel", ...jobs, ...reporter, ...mochaArgs, ...specs]);
    console.log(`tests  ${((performance.now() - startMs) / 1000).toFixed(1)} s`);
    count(code, readResult(file));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function listSpecs() {
  const rank = (area) => (LONG_AREAS.includes(area) ? LONG_AREAS.indexOf(area) : LONG_AREAS.length);
  return readdirSync(join(ROOT, "dist", "test"), { recursive: true })
    .filter((file) => file.endsWith(".spec.js"))
    .map((file) => join("dist", "test", file))
    .sort((a, b) => rank(areaOf(a)) - rank(areaOf(b)) || (a < b ? -1 : 1));
}

function areaOf(file) {
  return file.split(sep)[2];
}

function count(code, result) {
  totals.passed += result.passed;
  totals.failed += result.failed;
  for (const { title, reason } of result.skipped) {
    console.log(`skipped  ${title}${reason ? "" : ": no reason is given, which counts as a failure"}`);
    totals[reason ? "skipped" : "failed"] += 1;
  }
  const isNothing = result.passed + result.failed + result.skipped.length === 0;
  if (result.failed === 0 && (code !== 0 || isNothing)) {
    console.log(`tests  mocha ended with code ${code}${isNothing ? " and ran no test" : ""}`);
    totals.failed += 1;
  }
}

/** What the reporter wrote; nothing where mocha did not get that far. */
function readResult(file) {
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch {
    return { passed: 0, failed: 0, skipped: [] };
  }
}
