import * as assert from "node:assert/strict";
import * as fs from "node:fs/promises";
import * as os from "node:os";
import * as path from "node:path";
import { readWindowFile } from "../../providers/cli/window-file";
import { MistakeError } from "../../sdk/model";

const RIGHT = `v: 1
name: kernel
islands:
  shop:
    hosts: { agents: { inventory: fleet/inventory.json } }
    workloads: [{ name: front, copies: 6, budget: { maxUnavailable: 25% } }]
    metrics: { recorded: { file: history.csv } }
windows:
  saturdays: { cron: 0 2 * * 6, duration: 3 hours }
pool: { maximum: { hosts: 2 } }
update: { probe: uname -r, expect: "6.12*", command: "true", undo: "true" }
store: file:store
`;

describe("a window file", () => {
  let folder: string;
  beforeEach(async () => {
    folder = await fs.mkdtemp(path.join(os.tmpdir(), "archipelago-window-"));
  });
  afterEach(() => fs.rm(folder, { recursive: true }));

  const write = async (text: string, name = "window.yaml"): Promise<string> => {
    const file = path.join(folder, name);
    await fs.writeFile(file, text);
    return file;
  };
  const mistakesOf = async (text: string): Promise<readonly string[]> => {
    try {
      await readWindowFile(await write(text));
    } catch (error) {
      assert.ok(error instanceof MistakeError, String(error));
      return error.mistakes.map(({ field, rule, remedy }) => `${field} ${rule}; ${remedy}`);
    }
    return assert.fail("no mistake was found");
  };

  it("resolves to the spec that components make, with paths relative to the file", async () => {
    const { spec } = await readWindowFile(await write(RIGHT));
    assert.equal(spec.name, "kernel");
    assert.deepEqual(spec.islands[0]?.source, {
      kind: "agents",
      inventory: path.join(folder, "fleet", "inventory.json"),
    });
    assert.deepEqual(spec.islands[0].metrics, { kind: "recorded", file: path.join(folder, "history.csv") });
    assert.equal(spec.islands[0].workloads[0]?.maxUnavailable, 1, "25 % of 6 copies, rounded down");
    assert.deepEqual(spec.windows, [
      { name: "saturdays", cron: "0 2 * * 6", durationMs: 10_800_000, timezone: "UTC", freezes: [] },
    ]);
    assert.deepEqual(spec.pool, { name: "reserve", quantile: 0.95, maximumHosts: 2 });
    assert.equal(spec.store, `file:${path.join(folder, "store")}`);
  });

  it("may give a command and an image, with times of a replacement that are its own", async () => {
    const both = `command: "true", undo: "true", image: image-2, expected: 1 minute, replacement: { timeout: 20 minutes }`;
    const { spec } = await readWindowFile(await write(RIGHT.replace('command: "true", undo: "true"', both)));
    const { command, undo, image, timeoutMs, expectedMs, replacement } = spec.update;
    assert.deepEqual(
      { command, undo, image, timeoutMs, expectedMs, replacement },
      {
        command: "true",
        undo: "true",
        image: "image-2",
        timeoutMs: 900_000,
        expectedMs: 60_000,
        replacement: { timeoutMs: 1_200_000 },
      },
    );
  });

  it("may be JSON, and knows its runs by its name wherever it lies", async () => {
    const { parse } = await import("yaml");
    const yaml = await readWindowFile(await write(RIGHT));
    const json = await readWindowFile(await write(JSON.stringify(parse(RIGHT)), "other.json"));
    assert.deepEqual(json.spec, yaml.spec);
    assert.equal(json.family, yaml.family);
  });

  it("names all mistakes at once, each with its line and what was meant", async () => {
    const text = RIGHT.replace("workloads: [{ name: front, copies: 6", "workloads: [{ nam: front, copies: 6")
      .replace("duration: 3 hours", "duration: 3 parsecs")
      .replace("hosts: 2", "hosts: -2")
      .replace('undo: "true"', "undoo: x");
    assert.deepEqual(await mistakesOf(text), [
      'line 6: islands.shop.workloads[0].nam is not a known field; did you mean "name"?',
      "line 6: islands.shop.workloads[0].name must be given; name the workload",
      'line 9: windows.saturdays.duration must be a number and a unit of time, like "90 seconds" or "5 minutes"; known units: ms, millisecond, milliseconds, s, second, seconds, min, minute, minutes, h, hour, hours, d, day, days',
      "line 10: pool.maximum.hosts must be a whole number from 0 to 1000; change the number",
      'line 11: update.undoo is not a known field; did you mean "undo"?',
    ]);
  });

  it("names what several fields say together beside them: calls that go round, limits, an undo, a calendar", async () => {
    const text = RIGHT.replace(
      /workloads: \[.*\]/,
      "workloads: [{ name: front, copies: 0, dependsOn: [ledger] }, { name: ledger, dependsOn: [front, ghost] }]",
    )
      .replace("0 2 * * 6", "61 2 * * 6")
      .replace("duration: 3 hours", "duration: 0 minutes")
      .replace(', undo: "true"', "");
    const found = (await mistakesOf(`${text}limits: { canaryHosts: 4 }\n`)).map((line) => line.replace(/;.*/, ""));
    assert.deepEqual(found, [
      'line 6: islands.shop.workloads[0].copies must be a whole number from 1 to 10000, or "exclusive"',
      "line 6: islands.shop.workloads[1].dependsOn[1] must be a workload of one of the update's islands",
      "line 6: islands.shop.workloads[0].dependsOn must not go round: a change would never end",
      "line 9: windows.saturdays.duration must be at least 60000 ms",
      "line 9: windows.saturdays.cron must be a cron pattern of five fields (Invalid value for minute: 61)",
      "line 11: update.undo must be given, or the update be declared irreversible",
      "line 13: limits.canaryHosts must be at most limits.hostsAtOnce",
    ]);
  });

  it("is checked over several fields, and against the calendar, like a component", async () => {
    assert.match(
      (await mistakesOf(RIGHT.replace(', undo: "true"', ""))).join(),
      /^line 11: update\.undo must be given/,
    );
    const never = RIGHT.replace("0 2 * * 6", "0 2 31 2 *");
    assert.match((await mistakesOf(never)).join(), /^line 9: windows\.saturdays\.cron /);
    const twice = RIGHT.replace(
      "islands:\n",
      "islands:\n  back:\n    hosts: { agents: { inventory: i } }\n    workloads: [{ name: front }]\n",
    );
    assert.match((await mistakesOf(twice)).join(), /^line \d+: islands\.shop\.workloads\[0\]\.name must be unique/);
  });

  it("that is no YAML, no file or twice the same key is refused with the place", async () => {
    assert.match((await mistakesOf("v: [1")).join(), /window file must be YAML or JSON: .*line 1/);
    assert.match((await mistakesOf(`${RIGHT}name: again\n`)).join(), /Map keys must be unique at line 13/);
    await assert.rejects(readWindowFile(path.join(folder, "nothing.yaml")), /must be a file, and there is none/);
    assert.match((await mistakesOf("[]")).join(), /must be an object/);
  });
});
