/**
 * The pictures in `docs/`: the tops of the plan page and of the report of the last `npm run quickstart`, light and
 * dark, taken by Chromium. Nothing is retouched.
 */
import { mkdirSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { ROOT, run } from "./processes.mjs";

const PAGES = [
  { name: "plan", folder: join(ROOT, "examples", "quickstart", ".archipelago", "plans") },
  { name: "report", folder: join(ROOT, ".archipelago", "quickstart", "store", "reports") },
];
const VIEWPORT = { width: 1280, height: 800 };

const { chromium } = await import("playwright-core");
const browser = await chromium.launch({ executablePath: await findChromium(), args: ["--no-sandbox"] });
try {
  mkdirSync(join(ROOT, "docs"), { recursive: true });
  for (const { name, folder } of PAGES) {
    const file = newestPage(folder);
    for (const colorScheme of ["light", "dark"]) {
      const page = await browser.newPage({ colorScheme, viewport: VIEWPORT });
      await page.goto(pathToFileURL(file).href);
      const picture = join("docs", colorScheme === "dark" ? `${name}-dark.png` : `${name}.png`);
      await page.screenshot({ path: join(ROOT, picture) });
      await page.close();
      console.log(`pictures: ${picture}`);
    }
  }
} finally {
  await browser.close();
}

function newestPage(folder) {
  const pages = readOrNothing(folder)
    .filter((name) => name.endsWith(".html"))
    .map((name) => join(folder, name))
    .sort((a, b) => statSync(b).mtimeMs - statSync(a).mtimeMs);
  if (pages[0]) return pages[0];
  console.error(`pictures: there is no page in ${folder}; run "npm run quickstart" first`);
  process.exit(1);
}

function readOrNothing(folder) {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

async function findChromium() {
  for (const name of ["chromium", "chromium-browser", "google-chrome"]) {
    const { code, output } = await run("which", [name], { keepOutput: true }).catch(() => ({ code: 1, output: "" }));
    if (code === 0) return output.trim();
  }
  console.error("pictures: there is no Chromium on the path; install the Debian package chromium");
  process.exit(1);
}
