import * as assert from "node:assert/strict";
import { execFile, execFileSync } from "node:child_process";
import * as fs from "node:fs/promises";
import * as os from "node:os";
import * as path from "node:path";
import { promisify } from "node:util";
import { renderPlanPage } from "../../providers/report/plan-page";
import { createRunFixture } from "../runner/run-fixture";

const CHROMIUM = ["chromium", "chromium-browser", "google-chrome"].find((name) => {
  try {
    execFileSync(name, ["--version"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
});
const FLAGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--allow-file-access-from-files",
  "--virtual-time-budget=5000",
  "--dump-dom",
];

describe("pages in a browser", () => {
  if (CHROMIUM === undefined) {
    it("fit a phone and a desk (skipped: there is no chromium on the path; Debian package chromium)");
    return;
  }

  for (const width of [360, 400, 1280]) {
    it(`fit a width of ${String(width)} pixels without scrolling sideways, and raise no error`, async function () {
      this.timeout(120_000);
      const { bundle, plan } = await createRunFixture().run();
      const folder = await fs.mkdtemp(path.join(os.tmpdir(), "archipelago-page-"));
      try {
        // The page itself has no script: this one is the test's, and tells what the browser made of it.
        const probe = `<script>onerror = (text) => parent.postMessage({ error: String(text) }, "*");
          onload = () => parent.postMessage({ inner: innerWidth, scroll: document.documentElement.scrollWidth, charts: document.querySelectorAll("svg").length }, "*");</script>`;
        await fs.writeFile(
          path.join(folder, "page.html"),
          renderPlanPage(bundle.spec, plan, bundle.forecast).replace("</head>", `${probe}</head>`),
        );
        await fs.writeFile(
          path.join(folder, "frame.html"),
          `<pre></pre><script>onmessage = ({ data }) => { document.querySelector("pre").textContent += JSON.stringify(data); };</script>
           <iframe src="page.html" style="width:${String(width)}px;height:2000px;border:0"></iframe>`,
        );
        const { stdout } = await promisify(execFile)(CHROMIUM, [
          ...FLAGS,
          `--user-data-dir=${path.join(folder, "profile")}`,
          `file://${folder}/frame.html`,
        ]);
        const seen = JSON.parse(/<pre>(\{.*?\})<\/pre>/.exec(stdout)?.[1] ?? "{}") as {
          inner?: number;
          scroll?: number;
          charts?: number;
        };
        assert.equal(seen.inner, width, stdout.slice(0, 300));
        assert.ok((seen.scroll ?? Infinity) <= width, `the page is ${String(seen.scroll)} pixels wide`);
        assert.ok((seen.charts ?? 0) >= 2, "timeline and demand are drawn");
      } finally {
        await fs.rm(folder, { recursive: true, force: true });
      }
    });
  }
});
