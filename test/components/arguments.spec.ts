import * as assert from "node:assert/strict";
import { runInThisContext } from "node:vm";
import * as pulumi from "@pulumi/pulumi";
import {
  ArgumentError,
  CapacityPool,
  HostUpdate,
  LocalFleet,
  MaintenanceWindow,
  ResourceIsland,
  type HostUpdateArgs,
  type ResourceIslandArgs,
} from "../../sdk";

/** The mistakes that constructing something reports, as lines. */
function mistakesOf(construct: () => unknown): readonly string[] {
  try {
    construct();
  } catch (error) {
    assert.ok(error instanceof ArgumentError, String(error));
    assert.ok(error instanceof pulumi.RunError, "the SDK shows a RunError without its stack");
    return error.mistakes.map(({ field, rule, remedy }) => `${field} ${rule}; ${remedy}`);
  }
  return assert.fail("no mistake was found");
}

function valueOf<T>(output: pulumi.Output<T>): Promise<T> {
  return new Promise((resolve) => {
    output.apply((value) => {
      resolve(value);
    });
  });
}

describe("arguments of components", () => {
  before(async () => {
    await pulumi.runtime.setMocks({
      newResource: ({ name, inputs }) => ({ id: `${name}-id`, state: inputs as Record<string, unknown> }),
      call: () => ({}),
    });
  });

  const window = (name = "nights"): MaintenanceWindow =>
    new MaintenanceWindow(name, { cron: "0 2 * * *", duration: "1 hour" });
  const island = (name = "shop"): ResourceIsland =>
    new ResourceIsland(name, {
      hosts: { agents: { inventory: "inventory.json" } },
      workloads: [{ name: "front", copies: 6, budget: { maxUnavailable: "25%" } }],
    });
  const update = { probe: "cat V", expect: "2", command: "true", undo: "true" };

  it("reports all mistakes in disruption budgets at once, and keeps those that are right", async () => {
    const hosts = { agents: { inventory: "inventory.json" } };
    const workloads = [{ name: "front" }];
    const wrong = [
      { hosts: -1 },
      { hosts: "101%" },
      { hosts: 1.5 },
      { hosts: 1, reasons: [] },
      { hosts: 1, reasons: ["failbak"] },
      { hosts: 1, reasons: ["update", "update"] },
      { nodes: 1 },
    ] as unknown as ResourceIslandArgs["disruptionBudgets"] & {};
    assert.deepEqual(
      mistakesOf(() => new ResourceIsland("shop", { hosts, workloads, disruptionBudgets: wrong })).map(
        (mistake) => mistake.split("disruptionBudgets")[1],
      ),
      [
        "[0].hosts must be a whole number from 0 to 100000; change the number",
        '[1].hosts must be a percentage between "0%" and "100%"; write it like "30%"',
        "[2].hosts must be a whole number from 0 to 100000; change the number",
        "[3].reasons must have at least 1 item; add one",
        '[4].reasons[0] must be "update" or "rebalance" or "failback"; did you mean "failback"?',
        "[5].reasons[1] is there twice; leave it out",
        "[6].nodes is not a known field; known fields: hosts, reasons",
        '[6].hosts must be given; say how many, like 2 or "10%"',
      ],
    );
    const right = new ResourceIsland("shop", {
      hosts,
      workloads,
      disruptionBudgets: [{ hosts: "10%" }, { hosts: 0, reasons: ["rebalance"] }],
    });
    const spec = await valueOf(pulumi.output(right.spec));
    assert.deepEqual(spec.disruptionBudgets, [{ hosts: { share: 0.1 } }, { hosts: 0, reasons: ["rebalance"] }]);
  });

  it("reports all mistakes at once, each with field, rule and remedy", () => {
    const mistakes = mistakesOf(
      () =>
        new ResourceIsland("shop", {
          hosts: { agents: { inventory: "" } },
          guarantee: { cpu: "130%", memory: "lots" },
          workloads: [
            { name: "Front", copies: 0 },
            { name: "ledger", copies: "exclusive", maxPause: "2 parsecs", budget: { maxUnavailable: 1 } },
          ],
        }),
    );
    for (const field of [
      "hosts.agents.inventory",
      "guarantee.cpu",
      "guarantee.memory",
      "workloads[0].name",
      "workloads[0].copies",
      "workloads[1].maxPause",
    ]) {
      assert.ok(
        mistakes.some((mistake) => mistake.startsWith(`${field} `)),
        `${field} is missing in:\n${mistakes.join("\n")}`,
      );
    }
  });

  it("calls an unknown field a mistake and suggests the one that was meant", () => {
    const args = {
      hosts: { agents: { inventory: "i" } },
      workload: [],
      workloads: [{ name: "front", criticalty: "critical" }],
    };
    const mistakes = mistakesOf(() => new ResourceIsland("shop", args));
    assert.ok(mistakes.includes('workload is not a known field; did you mean "workloads"?'), mistakes.join("\n"));
    assert.ok(
      mistakes.includes('workloads[0].criticalty is not a known field; did you mean "criticality"?'),
      mistakes.join("\n"),
    );
  });

  it("finds duplicate names and budgets that need declared copies", () => {
    const mistakes = mistakesOf(
      () =>
        new ResourceIsland("shop", {
          hosts: { agents: { inventory: "i" } },
          workloads: [{ name: "front", budget: { maxUnavailable: "25%" } }, { name: "front" }],
        }),
    );
    assert.ok(mistakes.some((mistake) => mistake.startsWith("workloads[1].name must be unique")));
    assert.ok(
      mistakes.some((mistake) => mistake.startsWith("workloads[0].budget.maxUnavailable is a share of copies")),
    );
  });

  it("resolves rules about places and devices, and names those that cannot be, all at once", () => {
    const shop = new ResourceIsland("places", {
      hosts: { agents: { inventory: "i" } },
      within: { labels: { security: "restricted" } },
      workloads: [
        { name: "train", devices: { gpu: 2, fpga: "1/4" }, moves: "anywhere", within: { zones: ["a"] } },
        {
          name: "db",
          moves: "zone",
          spread: { over: "rack", atLeast: 2 },
          apartFrom: ["train"],
          dependsOn: [{ workload: "train", within: "rack" }],
        },
      ],
    });
    assert.deepEqual(shop.spec.within, { labels: { security: ["restricted"] } });
    const [train, db] = shop.spec.workloads as readonly [object, object];
    assert.deepEqual(train, { ...train, devices: { gpu: 2, fpga: 0.25 }, within: { zones: ["a"] } });
    assert.ok(!("moves" in train));
    assert.deepEqual(db, {
      ...db,
      moves: "zone",
      spread: { over: "rack", atLeast: 2 },
      apartFrom: ["train"],
      dependsOn: [{ workload: "train", within: "rack" }],
    });

    const mistakes = mistakesOf(
      () =>
        new ResourceIsland("places", {
          hosts: { agents: { inventory: "i" } },
          within: {},
          workloads: [
            {
              name: "train",
              devices: { gpu: "3/2", fpga: 0, tpu: 1.5 },
              moves: "rak" as "rack",
              spread: { over: "host" as "rack", atLeast: 1 },
              within: { zones: [], labels: { security: [] } },
              apartFrom: [],
            },
          ],
        }),
    );
    assert.deepEqual(
      mistakes.map((mistake) => mistake.split(" ")[0]),
      [
        "within",
        "workloads[0].devices.gpu",
        "workloads[0].devices.fpga",
        "workloads[0].devices.tpu",
        "workloads[0].within.zones",
        "workloads[0].within.labels",
        "workloads[0].moves",
        "workloads[0].spread.over",
        "workloads[0].spread.atLeast",
        "workloads[0].apartFrom",
      ],
    );
  });

  it("refuses a workload that is spread over more zones than it has copies", () => {
    const mistakes = mistakesOf(
      () =>
        new ResourceIsland("spread", {
          hosts: { agents: { inventory: "i" } },
          workloads: [
            { name: "front", copies: 2, spread: { over: "zone", atLeast: 3 } },
            { name: "ledger", copies: "exclusive", spread: { over: "zone", atLeast: 2 } },
            { name: "found", spread: { over: "zone", atLeast: 2 } },
          ],
        }),
    );
    assert.deepEqual(mistakes, [
      "workloads[0].spread.atLeast is more than there are copies (2); declare more copies, or leave spread out",
      "workloads[1].spread.atLeast is more than there are copies (1); declare more copies, or leave spread out",
    ]);
  });

  it("refuses signals of a type that is not known, and those that do not say when, all at once", () => {
    const island = (signals: NonNullable<ResourceIslandArgs["signals"]>): unknown =>
      new ResourceIsland("signals", {
        hosts: { agents: { inventory: "i" } },
        workloads: [{ name: "front" }],
        signals,
      });
    assert.deepEqual(
      mistakesOf(() => island([{ name: "sale", type: "marketting" as never, at: ["2026-11-27"] }])),
      [
        'signals[0].type must be "event" or "marketing" or "deployment" or "season" or "cron" or "calendar" or "holidays"; did you mean "marketing"?',
        'signals[0].at[0] must be a moment with its offset from UTC; write it like "2026-11-27T08:00:00+01:00"',
      ],
    );
    const mistakes = mistakesOf(() =>
      island([
        { name: "a", type: "holidays", at: ["2026-11-27T08:00:00Z"], workloads: ["back"] },
        { name: "a", type: "event", cron: "0 2 * * *", rrule: "FREQ=DAILY", effect: "+10%", for: "1 hour" },
      ]),
    );
    assert.deepEqual(
      mistakes.map((line) => line.split(" ")[0]),
      ["signals[0].type", "signals[0].for", "signals[0].workloads[0]", "signals[1].at", "signals[1].name"],
    );
  });

  it("refuses calls to nobody and calls that go round, over all islands of an update", () => {
    const hosts = { agents: { inventory: "i" } };
    const update = (workloads: ResourceIslandArgs["workloads"]): unknown =>
      new HostUpdate("calls", {
        islands: [
          new ResourceIsland("shop", { hosts, workloads }),
          new ResourceIsland("back", { hosts, workloads: [{ name: "ledger", dependsOn: ["front"] }] }),
        ],
        windows: [window("calls")],
        update: { probe: "p", expect: "e", command: "c", undo: "u" },
      });
    assert.deepEqual(
      mistakesOf(() => update([{ name: "front", dependsOn: ["prcing", { workload: "ledgr" }] }, { name: "pricing" }])),
      [
        'shop.workloads[0].dependsOn[0] must be a workload of one of the update\'s islands; did you mean "pricing"?',
        'shop.workloads[0].dependsOn[1] must be a workload of one of the update\'s islands; did you mean "ledger"?',
      ],
    );
    const [round] = mistakesOf(() => update([{ name: "front", dependsOn: ["ledger"] }]));
    assert.match(round ?? "", /^shop\.workloads\[0\]\.dependsOn must not go round: .*; leave out the call back/);
  });

  it("reports a budget of more than all copies with the others", () => {
    const workloads = [{ name: "front", copies: 6, budget: { maxUnavailable: "101%" } }, { name: "Back" }];
    const mistakes = mistakesOf(() => new ResourceIsland("shop", { hosts: { agents: { inventory: "i" } }, workloads }));
    assert.deepEqual(
      mistakes.map((mistake) => mistake.split(" ")[0]),
      ["workloads[0].budget.maxUnavailable", "workloads[1].name"],
    );
  });

  it("wants an undo or the word that there is none", () => {
    const mistakes = mistakesOf(
      () =>
        new HostUpdate("tool", {
          islands: [island("a")],
          windows: [window("b")],
          update: { probe: "p", expect: "e", command: "c" },
        }),
    );
    assert.deepEqual(mistakes, [
      "update.undo must be given, or the update be declared irreversible; give the command that takes it back, or set irreversible: true",
    ]);
  });

  it("rejects islands and windows that are something else, and lists that name one twice", () => {
    const twice = window("twice");
    const mistakes = mistakesOf(
      () => new HostUpdate("tool", { islands: ["shop"], windows: [twice, twice], update } as unknown as HostUpdateArgs),
    );
    assert.ok(mistakes.some((mistake) => mistake.startsWith("islands must be a list of at least 1 ResourceIsland")));
    const duplicate = mistakesOf(
      () => new HostUpdate("tool", { islands: [island("c")], windows: [twice, twice], update }),
    );
    assert.deepEqual(duplicate, ["windows[1] stands twice; leave one out"]);
  });

  it("checks cron fields, durations and pools", () => {
    assert.equal(mistakesOf(() => new MaintenanceWindow("w", { cron: "0 2 * *", duration: "3" })).length, 2);
    assert.equal(mistakesOf(() => new MaintenanceWindow("w", { cron: "0 2 * *", duration: "3 hours" })).length, 1);
    assert.equal(mistakesOf(() => new CapacityPool("p", { size: { quantile: 95 }, maximum: { hosts: -1 } })).length, 2);
  });

  it("wants commands and no fixed ports in a local fleet, and a folder for each image", () => {
    const fieldsOf = (args: object): readonly (string | undefined)[] =>
      mistakesOf(() => new LocalFleet("f", { hosts: 3, workloads: [{ name: "front", port: 80 }], ...args })).map(
        (mistake) => mistake.split(" ")[0],
      );
    assert.deepEqual(fieldsOf({ jobs: ["back"] }), ["workloads[0].command", "workloads[0].port", "jobs.back"]);
    const images = { "image-2": "", "Image 3": "images/3" };
    assert.deepEqual(fieldsOf({ images }), ["images.image-2", "images.Image"]);
  });

  it("resolves units and shares to plain numbers", async () => {
    const { workloads, guarantee } = await valueOf(pulumi.output(island("resolved").spec));
    assert.equal(workloads[0]?.maxUnavailable, 1, "25 % of 6 copies, rounded down");
    assert.deepEqual(guarantee, { cpu: 1, memory: 1 });
    assert.equal(window("resolved").spec.durationMs, 3_600_000);
  });

  it("passes outputs through and checks them later", async () => {
    const spec = new ResourceIsland("outputs", {
      hosts: { agents: { inventory: pulumi.output("later.json") } },
      workloads: [{ name: "front" }],
    }).spec;
    assert.deepEqual((await valueOf(pulumi.output(spec))).source, { kind: "agents", inventory: "later.json" });
  });

  it("gives a HostUpdate the whole spec and a constant provider text", async () => {
    const { RUN_PROVIDER, LOCAL_FLEET_PROVIDER } = await import("../../sdk/components/maintenance-run.js");
    assert.equal(
      RUN_PROVIDER,
      'exports.handler = () => require("node:module").createRequire(process.cwd() + "/index.js")("pulumi-archipelago/provider").handler()',
    );
    assert.equal(
      LOCAL_FLEET_PROVIDER,
      'exports.handler = () => require("node:module").createRequire(process.cwd() + "/index.js")("pulumi-archipelago/provider").localFleetHandler()',
    );
    for (const text of [RUN_PROVIDER, LOCAL_FLEET_PROVIDER]) {
      const loaded = { handler: (): object => ({}) };
      // The SDK evaluates the text like this, in the program's folder.
      const evaluate = runInThisContext(`(function (exports, require) { ${text} })`) as (
        exports: object,
        require: NodeJS.Require,
      ) => void;
      evaluate(loaded, require);
      assert.equal(typeof (loaded.handler() as { check?: unknown; create?: unknown }).create, "function");
    }
  });
});
