/** A Python environment of this clone for the servers that tests talk to, in `.build/python`. Nothing is installed globally. */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT, run } from "./processes.mjs";

const FOLDER = join(ROOT, ".build", "python");
const REQUIREMENTS = join(ROOT, "test", "journal", "moto-requirements.txt");
/** Holds the hash of what was installed; tests look for it, too. */
const STAMP = join(FOLDER, "installed");

/** Creates the environment unless it is there. Where it cannot, says why; tests that need it are skipped then. */
export async function providePython() {
  const wanted = createHash("sha256").update(readFileSync(REQUIREMENTS)).digest("hex");
  if (existsSync(STAMP) && readFileSync(STAMP, "utf8") === wanted) return;
  console.log("setup: Python environment for tests (.build/python)");
  rmSync(FOLDER, { recursive: true, force: true });
  mkdirSync(join(ROOT, ".build"), { recursive: true });
  const reason = await install();
  if (reason === undefined) {
    writeFileSync(STAMP, wanted);
    return;
  }
  rmSync(FOLDER, { recursive: true, force: true });
  console.log(`setup: no S3 server for tests: ${reason}; tests of the S3 run store are skipped`);
}

/** @returns why it did not work */
async function install() {
  const quietly = (command, args) => run(command, args, { keepOutput: true }).catch(() => ({ code: 127, output: "" }));
  let venv = await quietly("python3", ["-m", "venv", FOLDER]);
  if (venv.code === 127) return "there is no python3 (Debian packages: python3, python3-venv)";
  const isCiAsRoot = Boolean(process.env.CI) && process.getuid?.() === 0 && existsSync("/usr/bin/apt-get");
  if (venv.code !== 0 && isCiAsRoot) {
    console.log("setup: apt-get install python3-venv (CI as root)");
    await quietly("apt-get", ["update", "-qq"]);
    await quietly("apt-get", ["install", "-y", "-qq", "--no-install-recommends", "python3-venv"]);
    venv = await quietly("python3", ["-m", "venv", FOLDER]);
  }
  if (venv.code !== 0) return "python3 cannot create environments (Debian package: python3-venv)";
  const pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", "--retries", "2"];
  const { code, output } = await quietly(join(FOLDER, "bin", "python"), [
    ...pip,
    ...["--require-hashes", "--only-binary", ":all:", "--requirement", REQUIREMENTS],
  ]);
  if (code === 0) return undefined;
  const last =
    output
      .trimEnd()
      .split("\n")
      .findLast((line) => line.startsWith("ERROR")) ?? "see pip";
  return `pip could not install test/journal/moto-requirements.txt (${last.slice(0, 160)})`;
}
