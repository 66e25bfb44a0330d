/**
 * Set-up of a clone, on the machine's own Node: dependencies, then the build. Says what it does, does it only where
 * it is needed, and installs nothing globally. `--no-build` leaves the build to whoever comes next.
 */
import { build } from "./build.mjs";
import { installDependencies, provideDebianPackages, requireNode } from "./install.mjs";
import { providePython } from "./python.mjs";

requireNode();
await installDependencies();
if (process.argv.includes("--no-build")) {
  await provideDebianPackages();
  await providePython();
} else {
  const startMs = performance.now();
  const { code, output, isFresh } = await build();
  if (isFresh) console.log("setup: dist is up to date");
  else if (code === 0) console.log(`setup: built dist in ${((performance.now() - startMs) / 1000).toFixed(1)} s`);
  else {
    console.error(output);
    console.error("setup: the build failed; see the errors above");
    process.exitCode = 1;
  }
}
