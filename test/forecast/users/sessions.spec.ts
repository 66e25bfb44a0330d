import { strict as assert } from "node:assert";
import { describe, it } from "mocha";
import { createRandom } from "../../../providers/forecast/random";
import { learnChain, predictLoads, type Visit } from "../../../providers/forecast/users/session-chain";
import { foretellDemand } from "../../../providers/forecast/users/user-demand";
import { judgeSessions } from "../../../providers/forecast/users/session-gate";

const MINUTE_MS = 60_000;
const HOURS = 6;

/**
 * A shop: sessions come in waves (a mail goes out, a stream ends), look around for a while, and those that buy go through
 * cart, address and payment, which take a minute or two each.
 */
function shopVisits(seed: number): readonly Visit[] {
  const random = createRandom(seed);
  const visits: Visit[] = [];
  let waveMs = 0;
  for (let second = 0, session = 0; second < HOURS * 3600; second++) {
    if (random.next() < 1 / 900) waveMs = second * 1000 + 120_000;
    const perSecond = second * 1000 < waveMs ? 3 : 0.2;
    if (random.next() < perSecond - Math.floor(perSecond)) session += 0;
    const count = Math.floor(perSecond) + (random.next() < perSecond % 1 ? 1 : 0);
    for (let i = 0; i < count; i++) follow(`s${String(session++)}`, second * 1000);
  }
  function follow(session: string, startMs: number): void {
    let [at, step] = [startMs, "/"];
    for (;;) {
      visits.push({ atMs: at, session, endpoint: step });
      const dice = random.next();
      if (step === "/") step = dice < 0.7 ? "/list" : "";
      else if (step === "/list") step = dice < 0.4 ? "/list" : dice < 0.75 ? "/cart" : "";
      else if (step === "/cart") step = dice < 0.8 ? "/address" : "";
      else if (step === "/address") step = dice < 0.9 ? "/pay" : "";
      else step = "";
      if (step === "") return;
      at += (60 + 60 * random.next()) * 1000;
    }
  }
  return visits.sort((a, b) => a.atMs - b.atMs);
}

/** The same number of requests, each by itself: nobody does one thing after another. */
function looseVisits(seed: number): readonly Visit[] {
  const random = createRandom(seed);
  const endpoints = ["/", "/list", "/cart", "/pay"];
  return Array.from({ length: 20_000 }, (_, i) => ({
    ...{ atMs: random.next() * HOURS * 60 * MINUTE_MS, session: `s${String(i)}` },
    endpoint: endpoints[random.below(4)] ?? "/",
  })).sort((a, b) => a.atMs - b.atMs);
}

describe("users' sessions", () => {
  it("predict the load of each endpoint minutes ahead better than its own last minutes, on a shop with real sessions", () => {
    for (const seed of [1, 2, 3]) {
      const gate = judgeSessions(shopVisits(seed));
      assert.ok(gate.isOpen, gate.reason);
      assert.ok(gate.errorRatio < 0.9);
      assert.match(
        gate.reason,
        /^on: 10 minutes ahead by endpoint, what users do now is \d+ % better than the mean of/,
      );
    }
  });

  it("stay off, and say so, where requests have nothing to do with each other, or are few", () => {
    for (const seed of [1, 2, 3]) {
      const gate = judgeSessions(looseVisits(seed));
      assert.ok(!gate.isOpen, gate.reason);
      assert.match(gate.reason, /^off: 10 minutes ahead/);
    }
    assert.match(judgeSessions(shopVisits(1).slice(0, 50)).reason, /^off: the log has 50 requests/);
    assert.equal(judgeSessions([]).isOpen, false);
  });

  it("look at nothing after now, and give loads that are no less than none", () => {
    const visits = shopVisits(4);
    const nowMs = 4 * 60 * MINUTE_MS;
    const known = visits.filter(({ atMs }) => atMs < nowMs);
    const loads = predictLoads(learnChain(visits, nowMs), visits, nowMs, 10);
    assert.deepEqual(loads, predictLoads(learnChain(known, nowMs), known, nowMs, 10));
    for (const values of loads.values()) assert.ok(values.every((value) => value >= 0 && Number.isFinite(value)));
  });

  it("move the first steps of a forecast alone, and none of one that begins later", () => {
    const visits = shopVisits(1);
    const grid = { stepMs: 5 * MINUTE_MS, steps: 4 };
    const factors = Array.from({ length: 6 }, (_, i) => {
      const nowMs = (4 * 60 + 15 * i) * MINUTE_MS;
      const known = visits.filter(({ atMs }) => atMs < nowMs);
      const { users, factors: found } = foretellDemand(
        [{ workload: "front", visits: known }],
        { ...grid, startMs: nowMs },
        nowMs,
      );
      const row = found.get("front");
      if (users[0]?.isOn !== true || !row) return 1;
      assert.deepEqual([row[2], row[3]], [1, 1]);
      return row[0] ?? 1;
    });
    assert.ok(Math.max(...factors) > 1.05 || Math.min(...factors) < 0.95, factors.map((f) => f.toFixed(2)).join());
    const late = foretellDemand([{ workload: "front", visits }], { ...grid, startMs: 1e12 }, HOURS * 60 * MINUTE_MS);
    assert.equal(late.factors.size, 0);
    assert.match(late.users[0]?.reason ?? "", /the window begins later than it looks$/);
  });

  it("know what comes next: many at the cart now are many at the payment in some minutes", () => {
    const chain = learnChain(shopVisits(5), Number.POSITIVE_INFINITY);
    const atCart = (count: number): readonly Visit[] =>
      Array.from({ length: count }, (_, i) => ({ atMs: 0, session: `c${String(i)}`, endpoint: "/cart" }));
    const paid = (count: number): number =>
      predictLoads(chain, atCart(count), 1, 10)
        .get("/pay")
        ?.reduce((sum, value) => sum + value, 0) ?? 0;
    assert.ok(Math.abs((paid(200) - paid(100)) / 100 - 0.72) < 0.15, String((paid(200) - paid(100)) / 100));
  });
});
