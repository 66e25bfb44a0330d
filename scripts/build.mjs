/** Building `dist` when sources are newer, and clearing what sources that are gone have left there. */
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createHash } from "node:crypto";
import { join, relative } from "node:path";
import { ROOT, run } from "./processes.mjs";

const DIST = join(ROOT, "dist");
const STAMP = join(DIST, ".sources");
const SOURCES = ["sdk", "providers", "test", "bench", "examples"];
const SETTINGS = ["tsconfig.json", "package-lock.json"];
const OUTPUT_ENDINGS = /\.(js|js\.map|d\.ts)$/;

/**
 * Compiles everything unless `dist` is of these very sources.
 * @returns {Promise<{ code: number, output: string, isFresh: boolean }>} isFresh: nothing had to be done
 */
export async function build() {
  const digest = sourcesDigest();
  if (existsSync(STAMP) && readFileSync(STAMP, "utf8") === digest) return { code: 0, output: "", isFresh: true };
  rmSync(STAMP, { force: true });
  const args = ["-p", "tsconfig.json", "--incremental", "--tsBuildInfoFile", join(DIST, "tsbuildinfo")];
  // Output that somebody deleted is written again only by a build from the start.
  if (!existsSync(join(DIST, "sdk", "index.js"))) rmSync(DIST, { recursive: true, force: true });
  const { code, output } = await run("tsc", args, { keepOutput: true });
  if (code === 0) {
    removeOrphans();
    writeFileSync(STAMP, digest);
  }
  return { code, output, isFresh: false };
}

/** Digest of names, sizes and times of all sources. */
function sourcesDigest() {
  const hash = createHash("sha256");
  const files = SOURCES.flatMap((folder) => listFiles(join(ROOT, folder))).filter((file) => file.endsWith(".ts"));
  for (const file of [...files, ...SETTINGS.map((name) => join(ROOT, name))].sort()) {
    const { size, mtimeMs } = statSync(file);
    hash.update(`${relative(ROOT, file)} ${String(size)} ${String(mtimeMs)}\n`);
  }
  return hash.digest("hex");
}

/** A test whose source was deleted must not run on. */
function removeOrphans() {
  for (const folder of SOURCES) {
    for (const file of listFiles(join(DIST, folder))) {
      const source = join(ROOT, relative(DIST, file).replace(OUTPUT_ENDINGS, ".ts"));
      if (OUTPUT_ENDINGS.test(file) && !existsSync(source)) rmSync(file);
    }
  }
}

function listFiles(folder) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.parentPath.includes("node_modules"))
    .map((entry) => join(entry.parentPath, entry.name));
}
