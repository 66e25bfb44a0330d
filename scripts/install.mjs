/** Installing dependencies when they are missing or not those of package-lock.json. Nothing is installed globally. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT, run } from "./processes.mjs";

const OLDEST_NODE = 20;

/** Ends the script with what to do unless this Node can carry the set-up out. */
export function requireNode() {
  const major = Number(process.versions.node.split(".")[0]);
  if (major >= OLDEST_NODE) return;
  console.error(`setup: Node.js ${process.versions.node} is too old; install Node.js ${OLDEST_NODE} or newer`);
  process.exit(1);
}

/** Runs `npm ci` where it is needed. */
export async function installDependencies() {
  const reason = staleReason();
  if (reason === undefined) {
    console.log("setup: dependencies are installed");
    return;
  }
  console.log(`setup: npm ci (${reason})`);
  const { code } = await run(process.platform === "win32" ? "npm.cmd" : "npm", ["ci", "--no-fund", "--no-audit"]);
  if (code === 0) return;
  console.error("setup: npm ci failed; check that npm is installed and reaches its registry, then run this again");
  process.exit(code);
}

/**
 * Names Debian packages that some tests want. They are installed only by a CI that runs as root; elsewhere a machine
 * belongs to somebody.
 */
export async function provideChromium() {
  for (const name of ["chromium", "chromium-browser", "google-chrome"]) {
    if ((await run("which", [name], { keepOutput: true }).catch(() => ({ code: 1 }))).code === 0) return;
  }
  const isCiAsRoot = Boolean(process.env.CI) && process.getuid?.() === 0 && existsSync("/usr/bin/apt-get");
  if (!isCiAsRoot) {
    console.log("setup: no Chromium here: reports are not checked in a browser (Debian package: chromium)");
    return;
  }
  console.log("setup: apt-get install chromium (CI as root)");
  process.env.DEBIAN_FRONTEND = "noninteractive";
  await run("apt-get", ["update", "-qq"], { keepOutput: true });
  const { code } = await run("apt-get", ["install", "-y", "-qq", "--no-install-recommends", "chromium"], {
    keepOutput: true,
  });
  if (code !== 0) console.log("setup: chromium could not be installed: reports are not checked in a browser");
}

/** Why node_modules is not what the lock file says, or undefined when it is. */
function staleReason() {
  const installed = join(ROOT, "node_modules", ".package-lock.json");
  if (!existsSync(installed)) return "node_modules is missing";
  const wanted = readPackages(join(ROOT, "package-lock.json"));
  const present = readPackages(installed);
  for (const [path, { version, optional }] of Object.entries(wanted)) {
    // Optional ones are of other platforms, or peers that users bring.
    if (path === "" || optional) continue;
    if (present[path]?.version !== version) return `${path.replace("node_modules/", "")} ${version} is not installed`;
  }
  return undefined;
}

function readPackages(file) {
  return JSON.parse(readFileSync(file, "utf8")).packages;
}
