/** `npm run test:contention [-- --seconds N --runners N]`: see contention.ts. */
import * as fs from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { runContention, type ContentionOptions } from "./contention";
import { NO_MOTO, setEnvironment, startMoto, TEST_CREDENTIALS } from "./moto";

const HELP = `Usage: npm run test:contention [-- --seconds 60 --runners 100]

Runners contend for one lease in a shared folder and in S3 (moto), while their processes are killed and stopped.
Ends with an error if two ever owned it at once, or if nobody had it for too long.`;

/** Without an effect for longer than this there is no progress: lapses, stops and a busy machine included. */
const LONGEST_GAP_MS = 15_000;

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      seconds: { type: "string", default: "60" },
      runners: { type: "string", default: "100" },
      help: { type: "boolean" },
    },
  });
  if (values.help) {
    console.log(HELP);
    return;
  }
  const common = {
    runners: Number(values.runners),
    processes: 5,
    seconds: Number(values.seconds),
    disturbEveryMs: 5000,
  };
  const folder = await fs.mkdtemp(join(tmpdir(), "archipelago-lease-"));
  try {
    await report("folder", { ...common, url: `file:${folder}/store?shared=true`, ttlMs: 1000, pauseMs: 1000 });
  } finally {
    await fs.rm(folder, { recursive: true });
  }
  if (NO_MOTO !== "") throw new Error(`S3${NO_MOTO}`);
  const restore = setEnvironment(TEST_CREDENTIALS);
  const moto = await startMoto();
  try {
    await report("s3", { ...common, url: moto.url("fleet"), ttlMs: 3000, pauseMs: 4000 });
  } finally {
    restore();
    await moto.close();
  }
}

async function report(store: string, options: ContentionOptions): Promise<void> {
  const result = await runContention(options);
  const { violations, ...numbers } = result;
  console.log(store, JSON.stringify({ runners: options.runners, seconds: options.seconds, ...numbers }));
  for (const violation of violations) console.error(`  ${violation}`);
  const isStuck = result.longestGapMs > LONGEST_GAP_MS;
  if (isStuck) console.error(`  nobody had the lease for ${String(result.longestGapMs)} ms`);
  if (violations.length > 0 || isStuck) process.exitCode = 1;
}

void main();
