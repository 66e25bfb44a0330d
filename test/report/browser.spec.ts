import * as assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import type { Browser, Page } from "playwright-core";
import { samplePages } from "./sample-pages";

const CHROMIUM = ["chromium", "chromium-browser", "google-chrome"].flatMap((name) => {
  try {
    return [execFileSync("which", [name], { encoding: "utf8" }).trim()];
  } catch {
    return [];
  }
})[0];
const AXE = require.resolve("axe-core");
const WIDTHS = [360, 400, 768, 1280, 1600];
const THEMES = ["light", "dark"] as const;

/** What axe-core tells of one broken rule. */
interface AxeViolation {
  readonly id: string;
  readonly help: string;
  readonly nodes: readonly { readonly html: string }[];
}

describe("pages in a browser", function () {
  this.timeout(120_000);

  if (CHROMIUM === undefined) {
    it("are usable by everybody (skipped: there is no chromium on the path; Debian package chromium)");
    return;
  }

  let browser: Browser;
  let pages: Readonly<Record<string, string>>;

  before(async () => {
    const { chromium } = await import("playwright-core");
    browser = await chromium.launch({ executablePath: CHROMIUM, args: ["--no-sandbox", "--disable-gpu"] });
    pages = await samplePages();
  });

  after(async () => {
    await browser.close();
  });

  /** Opens a page; every request and every error of it is written down. */
  async function open(name: string, theme: (typeof THEMES)[number] = "light"): Promise<[Page, string[]]> {
    const page = await browser.newPage({ colorScheme: theme, viewport: { width: 1280, height: 900 } });
    const trouble: string[] = [];
    page.on("pageerror", (error) => trouble.push(error.message));
    page.on("request", ({ url }) => trouble.push(`request: ${url()}`));
    await page.setContent(pages[name] ?? "", { waitUntil: "load" });
    return [page, trouble];
  }

  for (const name of ["plan", "blocked plan", "report", "failed report", "simulation", "forecast", "backtest"]) {
    // What only troubled pages have is looked at once in each theme; the rest in both.
    for (const theme of name === "blocked plan" || name === "forecast" || name === "simulation"
      ? ["dark" as const]
      : name === "failed report" || name === "backtest"
        ? ["light" as const]
        : THEMES) {
      it(`break no rule of axe-core: ${name}, ${theme}`, async () => {
        const [page] = await open(name, theme);
        // What is folded away has to be as good as the rest.
        await page.evaluate("document.querySelectorAll('details').forEach((element) => { element.open = true; })");
        await page.addScriptTag({ path: AXE });
        const violations = await page.evaluate<AxeViolation[]>(
          "axe.run(document, { resultTypes: ['violations'] }).then(({ violations }) => violations)",
        );
        const told = violations.map(({ id, help, nodes }) => `${id}: ${help}\n  ${nodes[0]?.html ?? ""}`);
        assert.deepEqual(told, []);
        await page.close();
      });
    }

    it(`fit every width from a phone to a desk, ask nobody for anything, and raise no error: ${name}`, async () => {
      const [page, trouble] = await open(name);
      for (const width of WIDTHS) {
        await page.setViewportSize({ width, height: 900 });
        const wide = await page.evaluate<number>("document.documentElement.scrollWidth");
        assert.ok(wide <= width, `at ${String(width)} pixels the page is ${String(wide)} wide`);
      }
      assert.deepEqual(trouble, []);
      await page.close();
    });
  }

  it("keep the labels of an axis apart at every width", async () => {
    for (const name of ["plan", "report", "forecast"]) {
      const [page] = await open(name);
      for (const width of WIDTHS) {
        await page.setViewportSize({ width, height: 900 });
        const overlaps = await page.evaluate<number>(`[...document.querySelectorAll(".times")].filter((axis) => {
          const boxes = [...axis.children].map((label) => label.getBoundingClientRect()).filter((box) => box.width > 0);
          return boxes.some((box, index) => index > 0 && box.left < boxes[index - 1].right);
        }).length`);
        assert.equal(overlaps, 0, `${name} at ${String(width)} pixels`);
      }
      await page.close();
    }
  });

  it("can be read by keyboard: a way past the links, folded data that opens, a visible focus everywhere", async () => {
    const [page] = await open("report");
    await page.keyboard.press("Tab");
    assert.equal(await page.evaluate("document.activeElement.textContent"), "Skip to the content");
    await page.keyboard.press("Enter");
    await page.keyboard.press("Tab");
    // After the skip link the first stop is inside the content.
    assert.equal(await page.evaluate("document.activeElement.closest('main') !== null"), true);
    const summary = page.locator("summary").first();
    await summary.focus();
    await page.keyboard.press("Enter");
    assert.equal(await page.evaluate("document.querySelector('details').open"), true);
    assert.equal(await page.evaluate("getComputedStyle(document.activeElement).outlineStyle"), "solid");
    await page.close();
  });

  it("give every chart a caption and its numbers as a table, with headers for columns and rows", async () => {
    for (const name of ["plan", "report", "simulation"]) {
      const [page] = await open(name);
      const counts = await page.evaluate<number[]>(`[
        "figure", "figure > figcaption", "figure > details table caption", "table", "table:has(caption):has(thead th[scope=col]):has(tbody th[scope=row])",
      ].map((selector) => document.querySelectorAll(selector).length)`);
      const [figures = 0, captions, tables, allTables, goodTables] = counts;
      assert.ok(figures >= 2, "timeline and at least one line chart, or two histograms, are drawn");
      assert.deepEqual([captions, tables], [figures, figures]);
      assert.equal(goodTables, allTables);
      await page.close();
    }
  });

  it("print on light paper in few sheets, without what only a screen needs", async () => {
    for (const [name, most] of [
      ["plan", 7],
      ["report", 6],
    ] as const) {
      const [page] = await open(name, "dark");
      const pdf = (await page.pdf({ format: "A4" })).toString("latin1");
      const sheets = pdf.match(/\/Type\s*\/Page\b/g)?.length ?? 0;
      assert.ok(sheets >= 1 && sheets <= most, `${name}: ${String(sheets)} sheets`);
      await page.emulateMedia({ media: "print" });
      assert.equal(await page.evaluate("getComputedStyle(document.body).backgroundColor"), "rgb(255, 255, 255)");
      assert.equal(await page.locator("nav").isVisible(), false);
      await page.close();
    }
  });
});
