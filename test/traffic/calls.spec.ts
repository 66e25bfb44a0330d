import { strict as assert } from "node:assert";
import fc from "fast-check";
import { describe, it } from "mocha";
import { CallStats, OTHER_PATH, templateOf } from "../../providers/drivers/traffic/switch/call-stats";
import { describeOnEngines } from "./engines";
import { callClient, callContext, Cleanup, createBackend, createSwitchFixture, HEALTH } from "./switch-fixture";

const CALL = { method: "GET", caller: undefined, latencyMs: 2, isFailed: false, bytes: 10 } as const;

describe("calls at the switch", () => {
  it("know a path by its template: no query, no ids, three segments", () => {
    assert.equal(templateOf("/"), "/");
    assert.equal(templateOf("/price?item=17"), "/price");
    assert.equal(templateOf("/orders/18321/items/4"), "/orders/:id/items/...");
    assert.equal(templateOf("/users/9f1c2b7a-0000-4000-8000-123456789abc"), "/users/:id");
    assert.equal(templateOf("/v2/assets/app.7f3a9c21d0.js"), "/v2/assets/:id");
    assert.equal(templateOf("/archive/2026"), "/archive/:id");
    assert.equal(templateOf("//double//slash"), "/double/slash");
    assert.equal(templateOf("http://other.example/"), OTHER_PATH);
  });

  it("keep templates short and as they are when they are seen again", () => {
    fc.assert(
      fc.property(fc.webPath(), fc.webQueryParameters(), (path, query) => {
        const template = templateOf(`/${path}?${query}`);
        assert.ok(template.split("/").length <= 5 && template.length <= 150);
        if (!template.includes("...") && !template.includes(":id")) assert.equal(templateOf(template), template);
      }),
      { numRuns: 100, seed: 1 },
    );
  });

  it("count by the minute, forget what is older than six hours, and bound what has a line of its own", () => {
    const stats = new CallStats();
    for (let i = 0; i < 500; i++)
      stats.record(60_000, { ...CALL, target: `/page-${"x".repeat(i % 30)}/${"y".repeat(i % 17)}` });
    const lines = stats.since(0);
    assert.equal(
      lines.reduce((sum, { requests }) => sum + requests, 0),
      500,
    );
    assert.ok(lines.length <= 201);
    assert.ok(lines.some(({ path }) => path === OTHER_PATH));
    stats.record(60_000 + 7 * 3_600_000, { ...CALL, target: "/" });
    assert.deepEqual(
      stats.since(0).map(({ path }) => path),
      ["/"],
    );
  });

  it("take no text of a client for the name of a caller", () => {
    const stats = new CallStats();
    for (const caller of ["front", "<script>", "a b", "", "x".repeat(200)])
      stats.record(0, { ...CALL, target: "/", caller });
    assert.deepEqual(
      stats.since(0).map(({ caller, requests }) => [caller, requests]),
      [
        ["front", 1],
        ["", 4],
      ],
    );
  });
});

describeOnEngines("calls through a switch", (engine) => {
  it("are told by function and caller, with failures, latencies and bytes", async () => {
    const cleanup = new Cleanup();
    try {
      const fixture = await createSwitchFixture(cleanup, [{ name: "pricing" }], {}, engine);
      const backend = await createBackend(cleanup, (request, response) => {
        request.resume().on("end", () => {
          response.statusCode = request.url?.startsWith("/fail") === true ? 500 : 200;
          response.end("x".repeat(1000));
        });
      });
      const signal = AbortSignal.timeout(10_000);
      await fixture.driver.setBackend(
        "pricing",
        { replica: "pricing-0", address: backend.address, weight: 1, health: HEALTH },
        callContext(),
      );
      const url = fixture.url("pricing");
      const front = { headers: { "x-archipelago-caller": "front" } };
      for (let i = 0; i < 6; i++) await callClient(`${url}/price?item=${String(i)}`, front);
      await callClient(`${url}/orders/17`, { method: "POST", body: "y".repeat(500) });
      await callClient(`${url}/fail`);
      const expected = [
        ["GET", "/fail", "", 1, 1],
        ["GET", "/price", "front", 6, 0],
        ["POST", "/orders/:id", "", 1, 0],
      ];
      let told: unknown[] = [];
      for (let looks = 0; looks < 100 && JSON.stringify(told) !== JSON.stringify(expected); looks++) {
        const [service] = await fixture.driver.callsSince(0, signal);
        const totals = new Map<string, (string | number)[]>();
        for (const { method, path, caller, requests, failed, bytes, latencySumMs } of service?.calls ?? []) {
          const key = `${method} ${path} ${caller}`;
          const known = totals.get(key) ?? [method, path, caller, 0, 0];
          totals.set(key, [method, path, caller, Number(known[3]) + requests, Number(known[4]) + failed]);
          assert.ok(bytes >= 1000 * requests && latencySumMs >= 0);
        }
        told = [...totals].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, line]) => line);
        if (looks > 0) await new Promise((resolve) => setTimeout(resolve, 20));
      }
      assert.deepEqual(told, expected);
    } finally {
      await cleanup.run();
    }
  });
});
