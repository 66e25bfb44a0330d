/** The kernels in AssemblyScript, and how they are compiled in memory; nothing is written. */
import { ROOT } from "./processes.mjs";

/** Where each kernel's source is, and the TypeScript file that holds its module for the package. */
export const KERNELS = {
  lstm: {
    source: "providers/forecast/lstm/assembly/kernel.ts",
    binary: "providers/forecast/lstm/kernel-binary.ts",
  },
  search: {
    source: "providers/plan/search/assembly/kernel.ts",
    binary: "providers/plan/search/kernel-binary.ts",
  },
};

const OPTIONS = ["-O3", "--converge", "--noAssert", "--runtime", "stub", "--enable", "simd"];

/**
 * @param {keyof typeof KERNELS} name
 * @returns {Promise<Uint8Array>} the module's bytes @throws with the compiler's messages
 */
export async function compileKernel(name) {
  const { source } = KERNELS[name];
  const { main } = await import("assemblyscript/asc");
  let binary;
  const { error, stderr } = await main([source, "--baseDir", ROOT, "--outFile", "kernel.wasm", ...OPTIONS], {
    writeFile: (file, contents) => {
      if (file.endsWith(".wasm")) binary = contents;
    },
  });
  if (error || !binary) throw new Error(`${source} does not compile: ${error?.message ?? ""}\n${stderr.toString()}`);
  return binary;
}
