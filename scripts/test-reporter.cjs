/**
 * Mocha reporter: the usual one, and the numbers as a JSON file (`--reporter-option file=...`) for scripts/test.mjs.
 */
const { writeFileSync } = require("node:fs");
const { reporters, Runner } = require("mocha");

module.exports = class TestReporter extends reporters.Spec {
  constructor(runner, options) {
    super(runner, options);
    const skipped = [];
    runner.on(Runner.constants.EVENT_TEST_PENDING, (test) => {
      skipped.push({ title: test.fullTitle(), reason: reasonOf(test) });
    });
    runner.on(Runner.constants.EVENT_RUN_END, () => {
      const { passes, failures } = this.stats;
      writeFileSync(options.reporterOptions.file, JSON.stringify({ passed: passes, failed: failures, skipped }));
    });
  }
};

/** A skipped test says why in its own title or a suite's: `... (skipped: no pulumi on the path)`. */
function reasonOf(test) {
  return /\(skipped: ([^)]+)\)/.exec(test.fullTitle())?.[1];
}
