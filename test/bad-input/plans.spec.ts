/**
 * What a preview says of inputs that cannot work, on a real fleet: a message that names the thing and the way out, and
 * a fleet and a journal in which not a byte has changed.
 */
import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createFleetAuthority, issueCertificate } from "../../providers/drivers/certificates";
import type { Inventory } from "../../providers/drivers/inventory";
import type { HostUpdateSpec, IslandSpec, WindowSpec } from "../../sdk/model";
import type { FleetSnapshot } from "../fixtures/small-fleet";
import { assertReadable, openProviderFixture, type ProviderFixture } from "./provider-fixture";

/** Real processes on a machine that may be busy. */
const LIMIT_MS = 120_000;
const MINUTE_MS = 60_000;

describe("bad input: previews", function () {
  this.timeout(LIMIT_MS);
  let fixture: ProviderFixture;
  let inventory: Inventory;
  let untouched: FleetSnapshot;

  before(async () => {
    fixture = await openProviderFixture();
    inventory = JSON.parse(await readFile(fixture.fleet.inventory, "utf8")) as Inventory;
    untouched = await fixture.fleet.snapshot();
  });
  after(() => fixture.close());
  afterEach(async () => {
    assert.deepEqual(await fixture.fleet.snapshot(), untouched, "nothing has changed");
  });

  /** The blockers of a plan as `code subject` -> `reason; fix: ...`, each fit for people. */
  async function blockersOf(spec: HostUpdateSpec): Promise<Readonly<Record<string, string>>> {
    const { decision, summary, blockers } = await fixture.plan(spec);
    assert.equal(decision, "blocked", summary);
    for (const text of Object.values(blockers)) {
      assertReadable(text);
      assert.match(text, /; fix: \S/);
    }
    return blockers;
  }

  /** A file beside the fleet's inventory with parts of it replaced. */
  async function inventoryWith(changes: Partial<Inventory>): Promise<Partial<IslandSpec>> {
    const file = join(fixture.fleet.directory, `other-${String(Object.keys(changes))}.json`);
    await writeFile(file, JSON.stringify({ ...inventory, ...changes }));
    return { source: { kind: "agents", inventory: file } };
  }

  async function metricsWith(change: (value: string, index: number) => string): Promise<Partial<IslandSpec>> {
    const rows = (await readFile(fixture.fleet.history, "utf8")).split("\n").map((row) => {
      const [subject, unit, start, step, values] = row.split(",");
      if (values === undefined || values === "values") return row;
      return [subject, unit, start, step, values.split(" ").map(change).join(" ")].join(",");
    });
    return metricsOf(rows.join("\n"));
  }

  async function metricsOf(text: string): Promise<Partial<IslandSpec>> {
    const file = join(fixture.folder, "other-history.csv");
    await writeFile(file, text);
    return { metrics: { kind: "recorded", file } };
  }

  const firstIsland = (): IslandSpec => {
    const [island] = fixture.spec().islands;
    assert.ok(island);
    return island;
  };
  const window = (changes: Partial<WindowSpec>): Partial<HostUpdateSpec> => ({
    windows: [
      { name: "window", cron: "*/10 * * * *", durationMs: 3_600_000, timezone: "UTC", freezes: [], ...changes },
    ],
  });
  const update = (changes: Partial<HostUpdateSpec["update"]>): Partial<HostUpdateSpec> => ({
    update: { ...fixture.spec().update, ...changes },
  });

  it("good inputs give a plan: what follows is about what is changed in them", async () => {
    assert.equal((await fixture.plan(fixture.spec())).decision, "run");
  });

  describe("islands", () => {
    it("none at all, or none in the inventory's file", async () => {
      assert.match(
        await fixture.failure(fixture.spec({ islands: [] })),
        /islands \(\[\]\) must name at least one island/,
      );
      const nowhere = { source: { kind: "agents", inventory: "nowhere.json" } } as const;
      assert.match(
        await fixture.failure(fixture.spec({}, nowhere)),
        /inventory \(".*nowhere\.json"\) must be a file, and there is none; create the fleet first, or correct the path/,
      );
      await writeFile(join(fixture.folder, "broken.json"), '{ "v": 1, ');
      const broken = { source: { kind: "agents", inventory: "broken.json" } } as const;
      assert.match(await fixture.failure(fixture.spec({}, broken)), /broken\.json"\) must be JSON \(.+\); correct it/);
    });

    it("one without member hosts", async () => {
      const hosts = inventory.hosts.filter(({ role }) => role === "standby");
      const blockers = await blockersOf(fixture.spec({}, await inventoryWith({ hosts })));
      assert.match(
        blockers["input shop"] ?? "",
        /the island has no hosts; fix: check where the hosts of shop come from/,
      );
    });

    it("one whose inventory names a host twice, or a host without what it needs", async () => {
      const [first] = inventory.hosts;
      assert.ok(first);
      const twice = await inventoryWith({ hosts: [...inventory.hosts, first] });
      assert.match(
        await fixture.failure(fixture.spec({}, twice)),
        /hosts\[4\]\.id \("host-00"\) must be unique; rename one of the hosts/,
      );
      const bare = await inventoryWith({ hosts: [{ ...first, url: "http://host-00", zone: "" }] });
      const message = await fixture.failure(fixture.spec({}, bare));
      assert.match(message, /2 mistakes/);
      assert.match(message, /hosts\[0\]\.url \("http:\/\/host-00"\) must be an https:\/\/ URL/);
    });

    it("two that share a name or a workload", async () => {
      const island = firstIsland();
      const other = { ...island, name: "other", workloads: island.workloads.slice(0, 1) };
      assert.match(
        await fixture.failure(fixture.spec({ islands: [island, other] })),
        /islands\[1\]\.workloads\[0\]\.name \("front"\) must be unique: island shop has it already; leave it out of/,
      );
      assert.match(
        await fixture.failure(fixture.spec({ islands: [island, island] })),
        /islands\[1\] \("shop"\) must be unique: another island has this name; rename one/,
      );
    });

    it("a workload that runs nowhere, with the one that was meant", async () => {
      const { workloads } = firstIsland();
      const [front] = workloads;
      assert.ok(front);
      const blockers = await blockersOf(fixture.spec({}, { workloads: [...workloads, { ...front, name: "fronte" }] }));
      assert.deepEqual(Object.keys(blockers), ["input fronte"]);
      assert.match(blockers["input fronte"] ?? "", /runs on no host, .*; fix: did you mean "front"\?/);
    });
  });

  describe("windows", () => {
    it("a cron that never opens, and mistakes in all fields at once", async () => {
      assert.match(
        await fixture.failure(fixture.spec(window({ cron: "0 3 30 2 *" }))),
        /window\.cron \("0 3 30 2 \*"\) must match some date, but never does; .*30 February/,
      );
      const all = { cron: "61 3 * * *", timezone: "Europe/Berln", freezes: ["2026-13-01"] };
      const message = await fixture.failure(fixture.spec(window(all)));
      assert.match(message, /window\.cron \("61 3 \* \* \*"\) .*Invalid value for minute: 61/);
      assert.match(message, /window\.timezone \("Europe\/Berln"\) .*; did you mean "Europe\/Berlin"\?/);
      assert.match(message, /window\.freezes\[0\] \("2026-13-01"\) must be two dates, .*; write dates as YYYY-MM-DD/);
    });

    it("one that freezes keep closed for ever", async () => {
      const frozen = window({ cron: "0 2 1 1 *", freezes: ["2000-01-01/2099-12-31"] });
      const blockers = await blockersOf(fixture.spec(frozen));
      assert.match(blockers["window window"] ?? "", /no window opens any more; fix: check cron, timezone and freezes/);
    });

    it("one that is shorter than the shortest step, with the minutes that are missing", async () => {
      const short = window({ cron: "0 2 * * *", durationMs: MINUTE_MS });
      const slow = update({ expectedMs: 10 * MINUTE_MS, timeoutMs: 15 * MINUTE_MS });
      const blockers = await blockersOf(fixture.spec({ ...short, ...slow }));
      assert.deepEqual(Object.keys(blockers), ["fit window"]);
      const text = blockers["fit window"] ?? "";
      const missing = /the opening has 1 min: (\d+) min are missing; fix: an opening that is (\d+) min longer/.exec(
        text,
      );
      assert.ok(missing, text);
      const longer = window({ cron: "0 2 * * *", durationMs: (1 + Number(missing[2])) * MINUTE_MS });
      assert.equal((await fixture.plan(fixture.spec({ ...longer, ...slow }))).decision, "run", "the fix is one");
    });
  });

  describe("budgets", () => {
    // Room for one copy on each host and no reserve: no second copy can start beside another.
    const tight = { guarantee: { cpu: 1, memory: 0.08 } };
    it("a budget of zero for a copy that can neither surge nor be shed, with what would help", async () => {
      const { pool: _, ...spec } = fixture.spec({}, tight);
      const blockers = await blockersOf(spec);
      const text = blockers["capacity shop"] ?? "";
      assert.match(
        text,
        /no host can take \S+ of (front|ledger) while host-0\d is emptied: 2 hosts over their share of/,
      );
      assert.match(text, /; fix: a guarantee of \d+% for shop, or maximum: \{ hosts: 1 \} in the pool/);
    });

    it("no pause for a workload that can only be handed over", async () => {
      const workloads = firstIsland().workloads.map((workload) => ({ ...workload, maxPauseMs: 0 }));
      const blockers = await blockersOf(fixture.spec({}, { workloads }));
      assert.match(blockers["budget ledger"] ?? "", /may not pause at all, .*; fix: give ledger a maxPause/);
    });

    it("more copies wanted than there are", async () => {
      const workloads = firstIsland().workloads.map((workload) =>
        workload.exclusive ? workload : { ...workload, copies: 5 },
      );
      const blockers = await blockersOf(fixture.spec({}, { workloads }));
      assert.match(
        blockers["unhealthy front"] ?? "",
        /2 of 5 copies serve, at least 5 must at any moment; fix: bring the missing copies of front back/,
      );
    });
  });

  describe("metrics", () => {
    it("a file that is missing, empty or wrong, with the lines", async () => {
      assert.match(
        await fixture.failure(fixture.spec({}, { metrics: { kind: "recorded", file: "nowhere.csv" } })),
        /metrics\.file \("nowhere\.csv"\) must be a file that can be read \(ENOENT.*\); correct the path/,
      );
      assert.match(
        await fixture.failure(fixture.spec({}, await metricsOf(""))),
        /other-history\.csv \(""\) must hold a header and at least one row; begin it with subject,unit/,
      );
      const wrong = await metricsOf("time,subject,unit,value\nyesterday,workload/front,cpuMilis,some\n");
      const message = await fixture.failure(fixture.spec({}, wrong));
      for (const part of [/csv:2 \("yesterday"\) must be a time/, /did you mean "cpuMillis"\?/, /csv:2 \("some"\)/])
        assert.match(message, part);
    });

    it("a workload that is not in it, or has only gaps", async () => {
      const rows = (await readFile(fixture.fleet.history, "utf8")).split("\n");
      const without = await metricsOf(rows.filter((row) => !row.includes("workload/ledger")).join("\n"));
      const blockers = await blockersOf(fixture.spec({}, without));
      assert.deepEqual(Object.keys(blockers), ["metrics ledger"]);
      assert.match(
        blockers["metrics ledger"] ?? "",
        /no forecast of its load: .*; fix: bring the metrics of ledger back/,
      );
      const gaps = await blockersOf(fixture.spec({}, await metricsWith(() => "nan")));
      assert.match(gaps["metrics front"] ?? "", /no measured value .*; check that it is still being recorded/);
    });

    it("values that never change, or of which a third is missing: a plan that warns", async () => {
      const constant = await fixture.plan(fixture.spec({}, await metricsWith(() => "40")));
      assert.equal(constant.decision, "run");
      assert.match(constant.warnings.join("\n"), /metrics of front: every value is the same \(40\)/);
      const gaps = await fixture.plan(
        fixture.spec({}, await metricsWith((value, index) => (index % 3 === 0 ? "nan" : value))),
      );
      assert.equal(gaps.decision, "run");
      assert.match(gaps.warnings.join("\n"), /metrics of ledger: \d+ of \d+ values were missing .* forecast is weak/);
    });
  });

  describe("probes", () => {
    it("one that matches nowhere updates every host, one that matches everywhere none", async () => {
      const nowhere = await fixture.plan(fixture.spec(update({ expect: "no such version" })));
      assert.match(nowhere.summary, /^3 hosts in 3 waves/);
      const everywhere = await fixture.plan(fixture.spec(update({ expect: "*" })));
      assert.equal(everywhere.decision, "nothing");
      const [[hosts, reason] = ["", ""], ...others] = Object.entries(everywhere.skipped);
      assert.match(hosts, /host-01/);
      assert.match(reason, /the probe already prints "1"/);
      assert.deepEqual(others, []);
    });

    it("one that does not exist or fails blocks, naming each host", async () => {
      const missing = await blockersOf(fixture.spec(update({ probe: "no-such-probe --version" })));
      assert.deepEqual(Object.keys(missing), ["probe host-00", "probe host-01", "probe host-02"]);
      assert.match(missing["probe host-00"] ?? "", /"no-such-probe --version" failed: .*command not found/);
      const failing = await blockersOf(fixture.spec(update({ probe: "false" })));
      assert.match(failing["probe host-02"] ?? "", /exit code 1.*; fix: make "false" end with exit code 0 on host-02/);
    });

    it("one that prints nothing anywhere: a plan that warns", async () => {
      const { decision, warnings } = await fixture.plan(fixture.spec(update({ probe: "true" })));
      assert.equal(decision, "run");
      assert.match(warnings.join("\n"), /the probe "true" prints nothing on any host/);
    });
  });

  describe("hosts and stores", () => {
    it("a host that hangs is named with the reason, and holds the plan up for seconds only", async () => {
      const startMs = performance.now();
      await fixture.plan(fixture.spec());
      const usualMs = performance.now() - startMs;
      const { pid } = JSON.parse(
        await readFile(join(fixture.fleet.directory, "hosts", "host-01", "state", "agent.json"), "utf8"),
      ) as { readonly pid: number };
      process.kill(pid, "SIGSTOP");
      try {
        const stoppedMs = performance.now();
        const blockers = await blockersOf(fixture.spec());
        // Two looks of 0.9 s each; the rest is room for a busy machine.
        assert.ok(performance.now() - stoppedMs < usualMs + 4_000, `${String(performance.now() - stoppedMs)} ms`);
        assert.match(
          blockers["unreachable host-01"] ?? "",
          /the host does not answer: .*no answer from https:\/\/\S+ within 900 ms; .*; fix: bring host-01 back/,
        );
      } finally {
        process.kill(pid, "SIGCONT");
      }
    });

    it("certificates of another fleet, for all or for the caller alone, or a key that is not there", async () => {
      const folder = join(fixture.folder, "other-tls");
      await createFleetAuthority(folder);
      const other = await issueCertificate(folder, { name: "operator", role: "client", addresses: [] });
      const all = await fixture.failure(fixture.spec({}, await inventoryWith({ tls: other })));
      assert.match(all, /https:\/\/\S+ and this caller do not trust each other \(.*\); use the authority, certificate/);
      const { certificate, key } = other;
      const caller = await inventoryWith({ tls: { ...inventory.tls, certificate, key } });
      const refused = await fixture.failure(fixture.spec({}, caller));
      assert.match(refused, /refuses this certificate \(.*\); use the authority, certificate and key of this fleet/);
      const missing = await inventoryWith({ tls: { ...inventory.tls, key: join(folder, "nobody.key") } });
      assert.match(
        await fixture.failure(fixture.spec({}, missing)),
        /tls\.key \(".*nobody\.key"\) must be a readable PEM file \(ENOENT\); put the fleet's certificates there/,
      );
    });

    it("a run store that is none", async () => {
      assert.match(
        await fixture.failure(fixture.spec({ store: "file:/dev/null" })),
        /run store \/dev\/null: a file is where a folder is needed.*; name a folder/,
      );
      assert.match(
        await fixture.failure(fixture.spec({ store: "gs://bucket" })),
        /"gs:\/\/bucket"\): Google Cloud Storage is not supported yet/,
      );
    });
  });
});
