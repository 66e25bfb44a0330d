/** What a person writes wrong in a program: all mistakes at once, before anything of a run is registered. */
import assert from "node:assert/strict";
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
import { assertReadable } from "./provider-fixture";

const DYNAMIC_RESOURCE = "pulumi-nodejs:dynamic:Resource";

/** The lines of the one error that constructing something gives: a title, then `field (value) rule; remedy` each. */
function mistakesOf(construct: () => unknown): readonly string[] {
  try {
    construct();
  } catch (error) {
    assert.ok(error instanceof ArgumentError, String(error));
    assert.ok(error instanceof pulumi.RunError, "the SDK shows a RunError without its stack");
    assertReadable(error.message);
    const [title, ...lines] = error.message.split("\n");
    assert.match(title ?? "", /^\w+ "[\w-]+": \d+ mistakes? in the arguments$/);
    for (const line of lines) assert.match(line, /^ {2}- [\w.[\]]+ \(.+?\) .+; .+$/);
    return lines.map((line) => line.slice("  - ".length));
  }
  return assert.fail("no mistake was found");
}

describe("bad input: declarations", () => {
  const registered: string[] = [];

  before(async () => {
    await pulumi.runtime.setMocks({
      newResource: ({ type, name, inputs }) => {
        registered.push(type);
        return { id: `${name}-id`, state: inputs as Record<string, unknown> };
      },
      call: () => ({}),
    });
  });
  beforeEach(() => {
    registered.length = 0;
  });
  afterEach(async () => {
    await new Promise(setImmediate);
    assert.ok(!registered.includes(DYNAMIC_RESOURCE), "nothing of a run or a fleet was registered");
  });

  const hosts = { agents: { inventory: "inventory.json" } };
  const update = { probe: "cat VERSION", expect: "2", command: "true", undo: "true" };
  const island = (name = "shop"): ResourceIsland => new ResourceIsland(name, { hosts, workloads: [{ name: "front" }] });
  const nights = (name = "nights"): MaintenanceWindow =>
    new MaintenanceWindow(name, { cron: "0 2 * * *", duration: "1 hour" });

  it("an update has a command, an image or both, and what belongs to one of them comes with it, all at once", () => {
    const told = (changed: object): readonly string[] =>
      mistakesOf(
        () =>
          new HostUpdate("kernel", {
            islands: [island()],
            windows: [nights()],
            update: { probe: "cat VERSION", expect: "2", ...changed },
          }),
      );
    assert.match(told({ undo: "true" }).join(), /give the command that updates a host, the image .*, or both/);
    const extra = { undo: "true", irreversible: true, reboot: true, disturbs: "copies" };
    assert.equal(told({ image: "image-2", ...extra }).filter((line) => line.includes("means nothing with")).length, 4);
    const image = { image: "image-2", command: "true" };
    assert.match(told(image).join(), /^update\.undo \(missing\) must be given, or the update be declared irreversible/);
    const times = { timeout: "5 minutes", replacement: { expected: "6 minutes" } };
    assert.deepEqual(
      told({ ...image, ...times, expected: "6 minutes" }).map((line) => line.slice(0, line.indexOf(")") + 1)),
      ["update.replacement.expected (360000)", "update.undo (missing)", "update.expected (360000)"],
    );
    assert.match(
      told({ command: "true", undo: "true", replacement: {} }).join(),
      /^update\.replacement .*means nothing without update\.image/,
    );
  });

  it("wrong units are named with what to write instead, all at once", () => {
    const lines = mistakesOf(
      () =>
        new ResourceIsland("shop", {
          hosts,
          guarantee: { cpu: "130%", memory: "lots" },
          workloads: [
            { name: "front", request: { cpu: "2 GiB", memory: "half a core" } },
            { name: "ledger", copies: "exclusive", maxPause: "2 parsecs" },
          ],
        }),
    );
    assert.deepEqual(
      lines.map((line) => line.slice(0, line.indexOf(")") + 1)),
      [
        'guarantee.cpu ("130%")',
        'guarantee.memory ("lots")',
        'workloads[0].request.cpu ("2 GiB")',
        'workloads[0].request.memory ("half a core")',
        'workloads[1].maxPause ("2 parsecs")',
      ],
    );
    const times = mistakesOf(
      () => new HostUpdate("tool", { islands: [island("a")], windows: [nights("a")], update, limits: { soak: "30" } }),
    );
    assert.match(times.join("\n"), /^limits\.soak \("30"\) must .*; .*second/m);
    assert.match(
      mistakesOf(() => new CapacityPool("reserve", { size: { quantile: 95 }, maximum: { hosts: 1 } })).join(),
      /size\.quantile \(95\) must be a number between 0\.5 and 1; /,
    );
    assert.match(
      mistakesOf(
        () => new LocalFleet("local", { hosts: 0, workloads: [{ name: "front", command: ["front"] }] }),
      ).join(),
      /hosts \(0\) must be a whole number from 1 to 64; /,
    );
  });

  it("what fields say together is told beside what is wrong with others", () => {
    const lines = mistakesOf(
      () =>
        new ResourceIsland("shop", {
          hosts,
          guarantee: { cpu: "0%" },
          workloads: [
            { name: "front", copies: 0 },
            { name: "front", copies: 2, budget: { maxUnavailable: 3 } },
          ],
        }),
    );
    assert.deepEqual(
      lines.map((line) => line.slice(0, line.indexOf(";"))),
      [
        'guarantee.cpu ("0%") must be above 0%',
        'workloads[0].copies (0) must be a whole number from 1 to 10000, or "exclusive"',
        "workloads[1].budget.maxUnavailable (3) is more than there are copies (2)",
        'workloads[1].name ("front") must be unique',
      ],
    );
  });

  it("an island that is empty, has no hosts, or is none", () => {
    assert.match(
      mistakesOf(() => new ResourceIsland("shop", { hosts: {}, workloads: [] })).join("\n"),
      /^workloads \(\[\]\) must have at least 1 item; add one$/m,
    );
    assert.match(
      mistakesOf(() => new ResourceIsland("shop", { hosts: {}, workloads: [{ name: "front" }] })).join("\n"),
      /^hosts \(\{\}\) must name one source of hosts; give \{ agents: \{ inventory \} \}$/m,
    );
    for (const islands of [[], ["shop"], [undefined]]) {
      const args = { islands, windows: [nights(`n${String(islands[0])}`)], update } as unknown as HostUpdateArgs;
      assert.match(
        mistakesOf(() => new HostUpdate("tool", args)).join("\n"),
        /^islands \(.+\) must be a list of at least 1 ResourceIsland; create one with new archipelago\.ResourceIsland/m,
      );
    }
  });

  it("a cron pattern without five fields, and a window that is hardly open", () => {
    const lines = mistakesOf(() => new MaintenanceWindow("nights", { cron: "0 2 * *", duration: "10 seconds" }));
    assert.match(lines[0] ?? "", /^cron \("0 2 \* \*"\) must have five fields: .*; write it like "0 2 \* \* 6"$/);
    assert.match(lines[1] ?? "", /^duration \("10 seconds"\) must be at least 60000 ms; raise it$/);
  });

  it("names that stand twice", () => {
    const workloads = [{ name: "front" }, { name: "front" }];
    assert.match(
      mistakesOf(() => new ResourceIsland("shop", { hosts, workloads })).join("\n"),
      /^workloads\[1\]\.name \("front"\) must be unique; rename one of them$/m,
    );
    const [shop, night] = [island("twice"), nights("twice")];
    assert.deepEqual(
      mistakesOf(() => new HostUpdate("tool", { islands: [shop, shop], windows: [night, night], update })),
      ['islands[1] ("twice") stands twice; leave one out', 'windows[1] ("twice") stands twice; leave one out'],
    );
  });

  it("budgets that make no sense", () => {
    const budget = (maxUnavailable: number | string, copies?: number | "exclusive"): readonly string[] =>
      mistakesOf(
        () =>
          new ResourceIsland("shop", {
            hosts,
            workloads: [{ name: "front", ...(copies === undefined ? {} : { copies }), budget: { maxUnavailable } }],
          }),
      );
    assert.match(budget(-1).join(), /budget\.maxUnavailable \(-1\) must be a whole number >= 0 or a share/);
    assert.match(budget("a quarter", 4).join(), /budget\.maxUnavailable \("a quarter"\) must be/);
    assert.match(budget("25%").join(), /is a share of copies that are not declared; declare copies, or give a number/);
    assert.match(budget(5, 4).join(), /budget\.maxUnavailable \(5\) is more than there are copies \(4\); lower it/);
    assert.match(budget(1, "exclusive").join(), /does not fit copies: "exclusive"; leave budget out and set maxPause/);
  });

  it("functions that cannot stand in", () => {
    const told = (workload: object): readonly string[] =>
      mistakesOf(() => {
        const workloads = [{ name: "front", ...workload }];
        return new ResourceIsland("shop", { hosts, workloads });
      });
    const burst = { function: "front-fn", requestsPerSecond: 100, cpuPerRequest: "12 ms" };
    assert.deepEqual(told({ burst: { ...burst, requestsPerSecond: 0, coldStart: "soon" } }).length, 2);
    assert.match(told({ burst: {} }).join(), /burst\.function .*name the function/);
    assert.match(told({ burst, copies: "exclusive" }).join(), /burst \("front-fn"\) does not fit copies: "exclusive"/);
    assert.match(told({ burst, lifetime: "5 minutes" }).join(), /burst \("front-fn"\) does not fit a lifetime/);
  });

  it("fields that do not exist, also where a value is none", () => {
    const args = { hosts, workloads: [{ name: "front", command: "node front.js" }], metric: {} };
    const lines = mistakesOf(() => new ResourceIsland("shop", args as unknown as ResourceIslandArgs));
    assert.ok(lines.includes('metric ({}) is not a known field; did you mean "metrics"?'), lines.join("\n"));
    assert.ok(lines.some((line) => line.startsWith('workloads[0].command ("node front.js") must be a list; ')));
    for (const nothing of [undefined, null, "shop", 7]) {
      assert.throws(() => new ResourceIsland("shop", nothing as unknown as ResourceIslandArgs), ArgumentError);
    }
  });
});
