/**
 * Compiles the LSTM's kernel (providers/forecast/lstm/assembly, AssemblyScript) and writes it as the TypeScript file that
 * is shipped. A test compiles it anew and compares the bytes.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "./processes.mjs";
import { compileKernel } from "./compile-kernel.mjs";

const LINE = 120;
const binary = await compileKernel();
const lines = Buffer.from(binary)
  .toString("base64")
  .match(new RegExp(`.{1,${LINE - 6}}`, "g"));
const text = `/** The kernel of assembly/kernel.ts, compiled by \`npm run build:lstm\`: WebAssembly as base64. Do not edit. */
export const KERNEL_BASE64 =
${lines.map((line) => `  "${line}"`).join(" +\n")};
`;
writeFileSync(join(ROOT, "providers", "forecast", "lstm", "kernel-binary.ts"), text);
console.log(`build:lstm: ${String(binary.length)} bytes`);
