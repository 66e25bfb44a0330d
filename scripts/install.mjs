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

/** Debian packages that some tests want: one of the programs is enough; `without` says what is missing then. */
const DEBIAN_PACKAGES = [
  {
    name: "chromium",
    programs: ["chromium", "chromium-browser", "google-chrome"],
    without: "reports are not checked in a browser",
  },
  {
    name: "haproxy",
    programs: ["haproxy", "/usr/sbin/haproxy"],
    without: "tests of traffic through HAProxy are skipped",
  },
  {
    name: "prometheus",
    programs: ["prometheus"],
    without: "tests of metrics against a real Prometheus are skipped",
  },
  {
    name: "prometheus-alertmanager",
    programs: ["prometheus-alertmanager"],
    without: "tests of silences against a real Alertmanager are skipped",
  },
];

/**
 * Names Debian packages that some tests want and this machine has not. They are installed only by a CI that runs as
 * root; elsewhere a machine belongs to somebody.
 */
export async function provideDebianPackages() {
  const missing = [];
  for (const wanted of DEBIAN_PACKAGES) if (!(await hasOneOf(wanted.programs))) missing.push(wanted);
  const isCiAsRoot = Boolean(process.env.CI) && process.getuid?.() === 0 && existsSync("/usr/bin/apt-get");
  if (missing.length > 0 && isCiAsRoot) {
    process.env.DEBIAN_FRONTEND = "noninteractive";
    await run("apt-get", ["update", "-qq"], { keepOutput: true });
  }
  for (const { name, without } of missing) {
    if (!isCiAsRoot) {
      console.log(`setup: no ${name} here: ${without} (Debian package: ${name})`);
      continue;
    }
    console.log(`setup: apt-get install ${name} (CI as root)`);
    const install = ["install", "-y", "-qq", "--no-install-recommends", name];
    const { code } = await run("apt-get", install, { keepOutput: true });
    if (code !== 0) console.log(`setup: ${name} could not be installed: ${without}`);
  }
}

async function hasOneOf(programs) {
  for (const program of programs) {
    if ((await run("which", [program], { keepOutput: true }).catch(() => ({ code: 1 }))).code === 0) return true;
  }
  return false;
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
