/** Compiles the LSTM's kernel in memory; nothing is written. */
import { ROOT } from "./processes.mjs";

const SOURCE = "providers/forecast/lstm/assembly/kernel.ts";
const OPTIONS = ["-O3", "--converge", "--noAssert", "--runtime", "stub", "--enable", "simd"];

/** @returns {Promise<Uint8Array>} the module's bytes @throws with the compiler's messages */
export async function compileKernel() {
  const { main } = await import("assemblyscript/asc");
  let binary;
  const { error, stderr } = await main([SOURCE, "--baseDir", ROOT, "--outFile", "kernel.wasm", ...OPTIONS], {
    writeFile: (name, contents) => {
      if (name.endsWith(".wasm")) binary = contents;
    },
  });
  if (error || !binary) throw new Error(`${SOURCE} does not compile: ${error?.message ?? ""}\n${stderr.toString()}`);
  return binary;
}
