/** What every HostDriver does. */
import { strict as assert } from "node:assert";
import { after, before, describe, it } from "mocha";
import type { HostDriver, Operation } from "../../providers/drivers/contracts";
import { messageOf, type Host } from "../../sdk/model";
import { createContexts, DEFAULT_TIMEOUT_MS, eventually, NO_ABORT, rejectsWith } from "./contract";
import type { ContractFixture, ContractOptions } from "./contract";

/** A fleet of at least one ready, one unreachable and one immutable host. */
export interface HostContractFixture extends ContractFixture {
  readonly driver: HostDriver;
  /** A ready host without marks, whose epoch may be used up by the tests. */
  readonly host: string;
  readonly unreachableHost: string;
  /** A ready host that no command may change. */
  readonly immutableHost: string;
  /** A probe that prints `output` with white space around it. */
  readonly probe: { readonly command: string; readonly output: string };
  readonly commands: {
    /** Succeeds within 5 seconds and prints `output` among others. */
    readonly succeeding: { readonly command: string; readonly output: string };
    /** Ends with `exitCode` (not 0) within 5 seconds and prints `output` among others. */
    readonly failing: { readonly command: string; readonly exitCode: number; readonly output: string };
    /** Takes longer than a minute. */
    readonly endless: string;
  };
  /** True where the driver can change shares of the host, two workloads' of which are named. */
  readonly sharedBy?: readonly [string, string];
  /**
   * Where the driver can replace the host's machine: an image, and what the probe prints on machines of it. Copies on the
   * host end with a restart. Absent: it cannot, and says so.
   */
  readonly replacement?: { readonly image: string; readonly output: string };
  /** How often the succeeding command has run on the host. */
  countRuns(): Promise<number>;
}

/** Tests a HostDriver. The tests share one fixture and run in order. */
export function describeHostDriver(
  name: string,
  createFixture: () => Promise<HostContractFixture>,
  options: ContractOptions = {},
): void {
  describe(`drivers: ${name} keeps the host contract`, function () {
    this.timeout(options.timeoutMs ?? DEFAULT_TIMEOUT_MS);
    const next = createContexts();
    let fixture: HostContractFixture;
    before(async () => {
      fixture = await createFixture();
    });
    after(() => fixture.close());

    const ended = (key: string): Promise<Operation> =>
      eventually(fixture.clock, `operation ${key} ends`, async () => {
        const operation = await fixture.driver.operation(fixture.host, key, NO_ABORT);
        return operation?.state === "running" ? undefined : operation;
      });

    const isReplaced = ({ bootId }: Host): Promise<boolean> =>
      eventually(
        fixture.clock,
        "another machine is in its place",
        async () => {
          const seen = await fixture.driver.observe(fixture.host, NO_ABORT);
          return seen.state === "ready" && seen.bootId !== bootId;
        },
        300_000,
      );

    it("lists every host, an unreachable one as such", () =>
      fixture.run(async () => {
        const hosts = await fixture.driver.list(NO_ABORT);
        const ready = hosts.find((host) => host.id === fixture.host);
        assert.equal(ready?.state, "ready");
        assert.notEqual(ready.bootId, "");
        assert.ok(ready.capacity.cpuMillis > 0 && ready.capacity.memoryBytes > 0);
        const lost = hosts.find((host) => host.id === fixture.unreachableHost);
        assert.equal(lost?.state, "unreachable");
        assert.ok(lost.stateReason, "says why it cannot be reached");
      }));

    it("observes one host as the list shows it", () =>
      fixture.run(async () => {
        const seen = await fixture.driver.observe(fixture.host, NO_ABORT);
        const listed = (await fixture.driver.list(NO_ABORT)).find((host) => host.id === fixture.host);
        assert.deepEqual(seen, listed);
      }));

    it("does not know a host that does not exist", () =>
      fixture.run(() => rejectsWith("not-found", fixture.driver.observe("no-such-host", NO_ABORT))));

    it("answers unreachable for a call to a host that cannot be reached", () =>
      fixture.run(() =>
        rejectsWith(
          ["unreachable", "timeout"],
          fixture.driver.probe(fixture.unreachableHost, fixture.probe.command, "*", NO_ABORT),
        ),
      ));

    it("trims what the probe prints and compares it with the glob", () =>
      fixture.run(async () => {
        const { command, output } = fixture.probe;
        const probe = (expect: string): Promise<unknown> =>
          fixture.driver.probe(fixture.host, command, expect, NO_ABORT);
        assert.deepEqual(await probe(output), { output, matches: true });
        assert.deepEqual(await probe(`${output.slice(0, 1)}*`), { output, matches: true });
        assert.deepEqual(await probe(`?${output.slice(1)}`), { output, matches: true });
        assert.deepEqual(await probe(`${output}-other`), { output, matches: false });
      }));

    it("fails a probe whose command fails", () =>
      fixture.run(() =>
        rejectsWith("failed", fixture.driver.probe(fixture.host, fixture.commands.failing.command, "*", NO_ABORT)),
      ));

    it("tells whether a check is green, as a result", () =>
      fixture.run(async () => {
        const check = (command: string) => fixture.driver.check(fixture.host, { command, timeoutMs: 5000 }, NO_ABORT);
        assert.equal((await check("true")).ok, true);
        const red = await check(fixture.commands.failing.command);
        assert.equal(red.ok, false);
        assert.ok(red.output.includes(fixture.commands.failing.output));
      }));

    it("puts, renews and removes an owner's cordon mark", () =>
      fixture.run(async () => {
        const { driver, host, clock } = fixture;
        const mark = { owner: "contract-run", expiresAt: clock.now() + 60_000 };
        await driver.cordon(host, mark, next());
        assert.deepEqual((await driver.observe(host, NO_ABORT)).cordoned, mark);
        const renewed = { ...mark, expiresAt: mark.expiresAt + 60_000 };
        await driver.cordon(host, renewed, next());
        assert.deepEqual((await driver.observe(host, NO_ABORT)).cordoned, renewed);
        await driver.uncordon(host, next());
        assert.equal((await driver.observe(host, NO_ABORT)).cordoned, undefined);
        await driver.uncordon(host, next());
      }));

    it("refuses a cordon while another owner's mark is on the host, and leaves that mark alone", () =>
      fixture.run(async () => {
        const { driver, host, clock } = fixture;
        const foreign = { owner: "kured", expiresAt: clock.now() + 60_000 };
        await driver.cordon(host, foreign, next({ owner: "kured" }));
        const own = { owner: "contract-run", expiresAt: clock.now() + 60_000 };
        await rejectsWith("conflict", driver.cordon(host, own, next()));
        await driver.uncordon(host, next());
        assert.deepEqual((await driver.observe(host, NO_ABORT)).cordoned, foreign);
        await driver.uncordon(host, next({ owner: "kured" }));
      }));

    it("lets a mark lapse at its expiry", () =>
      fixture.run(async () => {
        const { driver, host, clock } = fixture;
        const foreign = { owner: "kured", expiresAt: clock.now() + 300 };
        await driver.cordon(host, foreign, next({ owner: "kured" }));
        await clock.sleep(400);
        const own = { owner: "contract-run", expiresAt: clock.now() + 60_000 };
        await driver.cordon(host, own, next());
        assert.deepEqual((await driver.observe(host, NO_ABORT)).cordoned, own);
        await driver.uncordon(host, next());
      }));

    it("puts shares in force in place of those that were, until they lapse or are ended, where it offers that", () =>
      fixture.run(async () => {
        const { driver, host, clock, sharedBy } = fixture;
        const { offers = [] } = await driver.observe(host, NO_ABORT);
        assert.equal(driver.setShares !== undefined && offers.includes("shares"), sharedBy !== undefined);
        if (!driver.setShares || !sharedBy) return;
        const inForce = async (): Promise<unknown> => (await driver.observe(host, NO_ABORT)).shares;
        const sharesOf = (cpu: number, owner: string, forMs: number) => ({
          owner,
          expiresAt: clock.now() + forMs,
          shares: sharedBy.map((workload, index) => ({
            island: `island-${String(index)}`,
            cpu: index === 0 ? cpu : 1 - cpu,
            workloads: [workload],
          })),
        });
        const first = sharesOf(0.25, "run-a", 60_000);
        const call = next({ owner: "run-a" });
        await driver.setShares(host, first, call);
        await driver.setShares(host, first, call);
        assert.deepEqual(await inForce(), first);
        const tooMuch = { ...first, shares: first.shares.map((share) => ({ ...share, cpu: 0.75 })) };
        await rejectsWith("failed", driver.setShares(host, tooMuch, next({ owner: "run-b" })));
        const second = sharesOf(0.5, "run-b", 1000);
        await driver.setShares(host, second, next({ owner: "run-b" }));
        assert.deepEqual(await inForce(), second);
        await clock.sleep(1100, NO_ABORT);
        assert.equal(await inForce(), undefined);
        await driver.setShares(host, sharesOf(0.5, "run-b", 60_000), next({ owner: "run-b" }));
        await driver.setShares(host, null, next({ owner: "run-b" }));
        assert.equal(await inForce(), undefined);
      }));

    it("runs a command and tells how it ended", () =>
      fixture.run(async () => {
        const { command, output } = fixture.commands.succeeding;
        const context = next();
        const before = await fixture.countRuns();
        const started = await fixture.driver.startUpdate(fixture.host, { command, timeoutMs: 30_000 }, context);
        assert.equal(started.key, context.key);
        const end = await ended(context.key);
        assert.equal(end.state, "done");
        assert.equal(end.exitCode, 0);
        assert.ok(end.output.includes(output));
        assert.ok(end.endedAt !== undefined && end.endedAt >= end.startedAt);
        assert.equal(await fixture.countRuns(), before + 1);
      }));

    it("answers a repeated key with the recorded operation and runs nothing again", () =>
      fixture.run(async () => {
        const { command } = fixture.commands.succeeding;
        const context = next();
        const before = await fixture.countRuns();
        const start = (): Promise<Operation> =>
          fixture.driver.startUpdate(fixture.host, { command, timeoutMs: 30_000 }, context);
        await start();
        assert.equal((await start()).key, context.key);
        await ended(context.key);
        assert.equal((await start()).key, context.key);
        assert.equal((await ended(context.key)).state, "done");
        assert.equal(await fixture.countRuns(), before + 1);
      }));

    it("tells exit code, reason and output of a command that fails", () =>
      fixture.run(async () => {
        const { command, exitCode, output } = fixture.commands.failing;
        const context = next();
        await fixture.driver.startUpdate(fixture.host, { command, timeoutMs: 30_000 }, context);
        const end = await ended(context.key);
        assert.equal(end.state, "failed");
        assert.equal(end.exitCode, exitCode);
        assert.ok(end.output.includes(output));
        assert.ok(end.reason?.includes(`exit code ${String(exitCode)}`), end.reason);
      }));

    it("says so when the command does not exist", () =>
      fixture.run(async () => {
        const context = next();
        const command = { command: "archipelago-no-such-command", timeoutMs: 30_000 };
        await fixture.driver.startUpdate(fixture.host, command, context);
        const end = await ended(context.key);
        assert.equal(end.state, "failed");
        assert.ok(end.reason?.includes("command not found"), end.reason);
      }));

    it("ends a command at its deadline", () =>
      fixture.run(async () => {
        const context = next();
        await fixture.driver.startUpdate(fixture.host, { command: fixture.commands.endless, timeoutMs: 500 }, context);
        const end = await ended(context.key);
        assert.equal(end.state, "failed");
        assert.ok(end.reason?.includes("deadline"), end.reason);
      }));

    it("knows no operation of a key that the host never saw", () =>
      fixture.run(async () => {
        assert.equal(await fixture.driver.operation(fixture.host, "never/seen", NO_ABORT), undefined);
      }));

    it("reboots: the host comes back with another boot id and the operation is done", () =>
      fixture.run(async () => {
        const { driver, host, clock } = fixture;
        const before = await driver.observe(host, NO_ABORT);
        const context = next();
        await driver.reboot(host, context);
        const isBack = await eventually(
          clock,
          "the host is back",
          async () => {
            const seen = await driver.observe(host, NO_ABORT).catch(() => undefined);
            return seen?.state === "ready" && seen.bootId !== before.bootId;
          },
          60_000,
        );
        assert.equal(isBack, true);
        assert.equal((await ended(context.key)).state, "done");
        const boot = (await driver.observe(host, NO_ABORT)).bootId;
        await driver.reboot(host, context);
        assert.equal((await driver.observe(host, NO_ABORT)).bootId, boot, "a repeated key must not reboot again");
      }));

    it("says of a host that no command may change why, runs none there, and looks at it as at others", () =>
      fixture.run(async () => {
        const { driver, host, immutableHost, probe, commands } = fixture;
        assert.equal((await driver.observe(host, NO_ABORT)).immutable, undefined);
        const { state, immutable = "" } = await driver.observe(immutableHost, NO_ABORT);
        assert.equal(state, "ready");
        assert.notEqual(immutable, "");
        const spec = { command: commands.succeeding.command, timeoutMs: 30_000 };
        const context = next();
        const refused = driver.startUpdate(immutableHost, spec, context);
        await rejectsWith("unsupported", refused);
        await refused.catch((error: unknown) => {
          assert.ok(messageOf(error).includes(immutable), messageOf(error));
        });
        assert.equal(await driver.operation(immutableHost, context.key, NO_ABORT), undefined);
        assert.equal((await driver.probe(immutableHost, probe.command, "*", NO_ABORT)).output, probe.output);
        assert.equal((await driver.check(immutableHost, { command: "true", timeoutMs: 5_000 }, NO_ABORT)).ok, true);
      }));

    it("offers replacement where it can be had, and nowhere else", () =>
      fixture.run(async () => {
        const { driver, host, replacement } = fixture;
        const { offers = [] } = await driver.observe(host, NO_ABORT);
        assert.equal(driver.replacement !== undefined && offers.includes("replacement"), replacement !== undefined);
        if (!driver.replacement || replacement) return;
        const spec = { image: "any", timeoutMs: 1000 };
        await rejectsWith("unsupported", driver.replacement.start(host, spec, next()));
      }));

    it("replaces a host's machine by one of an image, keeps the old one, and puts it back", () =>
      fixture.run(async () => {
        const { driver, host, probe, replacement } = fixture;
        if (!driver.replacement || !replacement) return;
        const before = await driver.observe(host, NO_ABORT);
        const context = next();
        const spec = { image: replacement.image, timeoutMs: 300_000 };
        await driver.replacement.start(host, spec, context);
        await driver.replacement.start(host, spec, context);
        await isReplaced(before);
        assert.equal((await ended(context.key)).state, "done");
        const after = await driver.observe(host, NO_ABORT);
        assert.deepEqual(
          [after.id, after.zone, after.rack, after.offers],
          [before.id, before.zone, before.rack, before.offers],
        );
        assert.deepEqual(after.replaced, { owner: context.owner, bootId: before.bootId });
        assert.equal((await driver.probe(host, probe.command, "*", NO_ABORT)).output, replacement.output);
        await rejectsWith("conflict", driver.replacement.start(host, spec, next()));
        await rejectsWith("conflict", driver.replacement.restore(host, next({ owner: "somebody else" })));
        await rejectsWith("conflict", driver.replacement.discard(host, next({ owner: "somebody else" })));

        const back = next();
        await driver.replacement.restore(host, back);
        await eventually(
          fixture.clock,
          "the old machine is back",
          async () => {
            const seen = await driver.observe(host, NO_ABORT);
            return seen.state === "ready" && seen.replaced === undefined;
          },
          300_000,
        );
        assert.equal((await ended(back.key)).state, "done");
        const last = await driver.observe(host, NO_ABORT);
        assert.ok(last.bootId !== before.bootId && last.bootId !== after.bootId);
        assert.equal((await driver.probe(host, probe.command, "*", NO_ABORT)).output, probe.output);
        await driver.replacement.restore(host, next());
        assert.equal((await driver.observe(host, NO_ABORT)).bootId, last.bootId, "nothing is left to put back");
      }));

    it("ends a machine that was replaced, after which nothing can be put back", () =>
      fixture.run(async () => {
        const { driver, host, probe, replacement } = fixture;
        if (!driver.replacement || !replacement) return;
        const before = await driver.observe(host, NO_ABORT);
        const context = next();
        await driver.replacement.start(host, { image: replacement.image, timeoutMs: 300_000 }, context);
        await isReplaced(before);
        await driver.replacement.discard(host, next());
        await driver.replacement.discard(host, next());
        await driver.replacement.restore(host, next());
        const after = await driver.observe(host, NO_ABORT);
        assert.equal(after.replaced, undefined);
        assert.equal((await driver.probe(host, probe.command, "*", NO_ABORT)).output, replacement.output);
      }));

    it("refuses an epoch older than the highest that the host has seen, without an effect", () =>
      fixture.run(async () => {
        const { driver, host, clock } = fixture;
        const mark = { owner: "contract-run", expiresAt: clock.now() + 60_000 };
        await driver.cordon(host, mark, next({ epoch: 20 }));
        await rejectsWith("stale-epoch", driver.uncordon(host, next({ epoch: 19 })));
        assert.deepEqual((await driver.observe(host, NO_ABORT)).cordoned, mark);
        await driver.uncordon(host, next({ epoch: 20 }));
      }));

    it("accepts only epochs from the fence on", () =>
      fixture.run(async () => {
        const { driver, host, clock } = fixture;
        await driver.fenceOff(host, next({ epoch: 30 }));
        const mark = { owner: "contract-run", expiresAt: clock.now() + 60_000 };
        await rejectsWith("stale-epoch", driver.cordon(host, mark, next({ epoch: 29 })));
        const command = { command: fixture.commands.succeeding.command, timeoutMs: 30_000 };
        const runs = await fixture.countRuns();
        await rejectsWith("stale-epoch", driver.startUpdate(host, command, next({ epoch: 29 })));
        assert.equal(await fixture.countRuns(), runs);
        await driver.cordon(host, mark, next({ epoch: 30 }));
        await driver.uncordon(host, next({ epoch: 30 }));
      }));
  });
}
