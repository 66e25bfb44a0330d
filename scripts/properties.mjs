/**
 * `npm run test:properties [-- --rounds 5 --seed N]`: all specs with properties, each round with another seed, which
 * stands beside what fails. `npm test` tries one seed only.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { continueWithProjectNode, ROOT, run } from "./processes.mjs";

await continueWithProjectNode();

const { values } = parseArgs({ options: { rounds: { type: "string", default: "5" }, seed: { type: "string" } } });
const rounds = Number(values.rounds);
const first = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31));
for (const [name, value, least] of [
  ["--rounds", rounds, 1],
  ["--seed", first, 0],
]) {
  if (Number.isInteger(value) && value >= least) continue;
  console.error(`${name} must be a whole number from ${least} on`);
  process.exit(2);
}
const specs = readdirSync(join(ROOT, "dist", "test"), { recursive: true })
  .filter((file) => file.endsWith(".spec.js"))
  .map((file) => join("dist", "test", file))
  .filter((file) => readFileSync(join(ROOT, file), "utf8").includes('require("fast-check")'));
const failed = [];
for (let round = 0; round < rounds; round += 1) {
  const seed = first + round;
  process.env.ARCHIPELAGO_PROPERTY_SEED = String(seed);
  const { code, output } = await run("mocha", ["--parallel", "--jobs", "2", "--reporter", "dot", ...specs], {
    keepOutput: true,
  });
  console.log(`seed ${seed}: ${code === 0 ? "passed" : "FAILED"}`);
  if (code === 0) continue;
  console.log(output.trimEnd());
  failed.push(seed);
}
console.log(failed.length === 0 ? `${rounds} rounds passed` : `failed with --seed ${failed.join(", ")}`);
process.exitCode = failed.length > 0 ? 1 : 0;
