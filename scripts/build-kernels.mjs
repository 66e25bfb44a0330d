/**
 * Compiles the kernels (AssemblyScript, scripts/kernels.mjs) and writes each as the TypeScript file that is shipped.
 * Tests compile them anew and compare the bytes.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { KERNELS, compileKernel } from "./kernels.mjs";
import { ROOT } from "./processes.mjs";

const LINE = 120;

for (const [name, { binary: file }] of Object.entries(KERNELS)) {
  const binary = await compileKernel(name);
  const lines = Buffer.from(binary)
    .toString("base64")
    .match(new RegExp(`.{1,${LINE - 6}}`, "g"));
  const text = `/** The kernel of assembly/kernel.ts, compiled by \`npm run build:kernels\`: WebAssembly as base64. Do not edit. */
export const KERNEL_BASE64 =
${lines.map((line) => `  "${line}"`).join(" +\n")};
`;
  writeFileSync(join(ROOT, file), text);
  console.log(`build:kernels: ${name}, ${String(binary.length)} bytes`);
}
