import { strict as assert } from "node:assert";
import { generateKeyPairSync } from "node:crypto";
import { describe, it } from "mocha";
import { signApproval } from "../../providers/guard/approval";
import { storeApproval } from "../../providers/guard/approvals";
import { readAudit } from "../../providers/guard/audit-log";
import type { RunState } from "../../sdk/model";
import { assertKept, type RunFixture } from "./run-fixture";
import { HOUR_MS, createQuick, intentsOf } from "./guarded-run";

describe("runner: approvals", () => {
  const ada = generateKeyPairSync("ed25519");
  const eve = generateKeyPairSync("ed25519");
  const pem = (pair: typeof ada): { readonly open: string; readonly secret: string } => ({
    open: pair.publicKey.export({ type: "spki", format: "pem" }).toString(),
    secret: pair.privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
  });
  const keys = { ada: pem(ada).open };

  async function approve(fixture: RunFixture, state: RunState, secret: string, forMs = HOUR_MS): Promise<void> {
    const at = fixture.clock.now();
    const statement = { digest: state.digest, by: "ada", why: "looked at it", at, expiresAt: at + forMs };
    await storeApproval(fixture.store, signApproval(statement, secret));
  }

  it("keep a run armed until its plan is approved, and say how", async () => {
    const fixture = createQuick({ approval: { keys } });
    const held = await fixture.run();
    assert.equal(held.phase, "armed");
    assert.match(
      held.phaseReason,
      /^not approved: plan [0-9a-f]{12}: nobody has approved it; look at the plan, then run `archipelago approve kernel-1 --key FILE`/,
    );
    await approve(fixture, held, pem(ada).secret);
    const done = await fixture.carryOn();
    assert.equal(done.phase, "done");
    assert.ok(done.decisions.some(({ text }) => text === `approved by ada: plan ${held.digest} may be carried out`));
    const { entries } = await readAudit(fixture.store);
    assert.deepEqual(
      entries.map(({ who, what }) => [who, what]),
      [["ada", "approve"]],
    );
    assertKept(fixture);
  });

  it("by a wrong key or after their end do not count, and the reason says which", async () => {
    for (const [secret, forMs, reason] of [
      [pem(eve).secret, HOUR_MS, /is not signed by any of the keys that may approve \(ada\)/],
      [pem(ada).secret, -1, /the approval by ada expired at/],
    ] as const) {
      const fixture = createQuick({ approval: { keys } });
      const armed = await fixture.clock.run(() => fixture.arm());
      await approve(fixture, armed, secret, forMs);
      const held = await fixture.carryOn();
      assert.equal(held.phase, "armed");
      assert.match(held.phaseReason, reason);
      assert.deepEqual(intentsOf(fixture), []);
    }
  });

  it("by a digest in the arguments count for that plan alone", async () => {
    const probe = createQuick({ approval: { keys: {}, digest: "0".repeat(64) } });
    const held = await probe.run();
    assert.match(held.phaseReason, /approval.digest is 000000000000, and the digest of this plan is [0-9a-f]{64}/);
    assert.match(held.phaseReason, new RegExp(`set approval.digest to "${held.digest}"`));
    const fixture = createQuick({ approval: { keys: {}, digest: held.digest } });
    assert.equal((await fixture.run()).phase, "done");
  });
});
