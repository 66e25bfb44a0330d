/** Runs a program of this repository with the Node that the project pins: `node scripts/run.mjs dist/x.js args...`. */
import { continueWithProjectNode, run } from "./processes.mjs";

await continueWithProjectNode();
const { code } = await run(process.execPath, process.argv.slice(2));
process.exitCode = code;
