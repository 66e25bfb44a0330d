import { strict as assert } from "node:assert";
import { describe, it } from "mocha";
import { guardFields, normalizeGuard, object, text, validateGuard } from "../../sdk/arguments";
import { renderMistake, type Mistake } from "../../sdk/model";

const rule = object(guardFields(text));
const PUBLIC_KEY = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA\n-----END PUBLIC KEY-----\n";

/** Every mistake as its line. */
function mistakesOf(args: unknown): readonly string[] {
  const mistakes: Mistake[] = [];
  const checked = rule(args, "", mistakes);
  if (checked) validateGuard(checked, mistakes);
  return mistakes.map(renderMistake);
}

function normalize(args: unknown): ReturnType<typeof normalizeGuard<string>> {
  const checked = rule(args, "", []);
  assert.ok(checked);
  return normalizeGuard<string>(checked);
}

describe("arguments: what guards a run", () => {
  it("is nothing unless it is declared", () => {
    assert.deepEqual(normalize({}), {});
    assert.deepEqual(normalize({ stopRules: {} }), { stopRules: [] });
  });

  it("has defaults for every rule, in plain numbers", () => {
    assert.deepEqual(normalize({ stopRules: { errorBudget: {}, failedMoves: {}, forecastMiss: {} } }).stopRules, [
      {
        kind: "error-budget",
        objective: 0.999,
        windows: [
          { longMs: 300_000, shortMs: 30_000, rate: 14.4 },
          { longMs: 3_600_000, shortMs: 300_000, rate: 6 },
        ],
        minimumFailed: 5,
        action: "rollback",
      },
      { kind: "failed-moves", share: 0.1, minimumMoves: 3, action: "pause" },
      { kind: "forecast-miss", quantile: 0.95, steps: 3, action: "pause" },
    ]);
  });

  it("never repeats a secret that was written where a name or a public key belongs", () => {
    const secret = "https://hooks.slack.com/services/T0/B0/very-secret";
    const privateKey = "-----BEGIN PRIVATE KEY-----\nvery-secret\n-----END PRIVATE KEY-----\n";
    const found = [
      ...mistakesOf({ notices: [{ slack: { urlEnv: secret } }] }),
      ...mistakesOf({ approval: { keys: { ada: privateKey } } }),
    ];
    assert.equal(found.length, 2);
    assert.match(
      found[0] ?? "",
      /^notices\[0\]\.slack\.urlEnv \("\(hidden\)"\) must be the name of an environment variable/,
    );
    assert.match(found[1] ?? "", /^approval\.keys\.ada .* make a new key: this one has been shown/);
    assert.ok(!found.join().includes("very-secret"));
  });

  it("names everything that cannot be, at once", () => {
    assert.deepEqual(
      mistakesOf({
        stopRules: {
          errorBudget: { objective: "100%", windows: [{ long: "30 seconds", short: "5 minutes", rate: 10 }] },
          alarms: { any: [{}] },
        },
        approval: {},
        notices: [{ webhook: {} }],
      }).map((line) => line.split(" ")[0]),
      [
        "stopRules.errorBudget.objective",
        "stopRules.errorBudget.windows[0].short",
        "stopRules.alarms.any[0]",
        "approval",
        "notices[0].webhook",
      ],
    );
    assert.match(mistakesOf({ stopRules: { errorBudgets: {} } })[0] ?? "", /did you mean "errorBudget"\?/);
    assert.deepEqual(mistakesOf({ approval: { keys: { ada: PUBLIC_KEY } } }), []);
  });
});
