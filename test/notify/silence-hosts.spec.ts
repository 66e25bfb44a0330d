import { strict as assert } from "node:assert";
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "mocha";
import { findFreePort } from "../../providers/agent/free-port";
import { systemClock, type Progress } from "../../providers/clock";
import { openSilences, type HeldSilence } from "../../providers/notify/alertmanager";
import { createSilenceFollower } from "../../providers/notify/silence-hosts";
import { isKind, type JournalEntry, type SilenceTarget } from "../../sdk/model";
import { hasPrograms, Monitoring } from "../metrics/monitoring-fixture";
import { createRunFixture, quickFleet, quickSpec, RUN } from "../runner/run-fixture";

const SIGNAL = AbortSignal.timeout(120_000);
const MINUTE_MS = 60_000;
/** A host of the sample fleet. */
const HOST = "host-01";
const isHere = hasPrograms("prometheus-alertmanager", "amtool");
const maybe = isHere ? describe : describe.skip;
const why = isHere ? "" : " (skipped: the Debian package prometheus-alertmanager is not installed)";

/** The journal of a whole run on the in-memory fleet. */
async function journalOfRun(): Promise<readonly JournalEntry[]> {
  const fixture = createRunFixture({ fleet: quickFleet({ hosts: 3 }), spec: quickSpec({}, 3) });
  await fixture.run();
  return fixture.store.entriesOf(RUN);
}

function targetsOf(url: string): readonly SilenceTarget[] {
  return [
    { kind: "alertmanager", url, matchers: { instance: "$host(:[0-9]+)?", job: "node.*" } },
    { kind: "alertmanager", url, matchers: { host: "$host" } },
  ];
}

describe("silences of hosts at work", () => {
  it("tell of an Alertmanager that does not answer once, and hold nothing up", async () => {
    const lines: string[] = [];
    const progress: Progress = { line: (text) => lines.push(text), status: () => undefined };
    const [url, clock, environment] = ["http://127.0.0.1:9", systemClock, {}];
    const entries = await journalOfRun();
    const half = createSilenceFollower({ targets: targetsOf(url), clock, environment, progress });
    half.begin(RUN, entries.slice(0, entries.findIndex(isCordon) + 1));
    await half.end();
    assert.equal(lines.length, 1);
    assert.match(lines[0] ?? "", /^silences: alerts about hosts at work may not be silenced: Alertmanager http/);
  });

  maybe(`in a real Alertmanager${why}`, function () {
    this.timeout(60_000);
    const monitoring = new Monitoring();
    let url = "";
    before(async () => {
      const [port, { folder }] = [await findFreePort("127.0.0.1"), monitoring];
      url = `http://127.0.0.1:${String(port)}`;
      writeFileSync(join(folder, "am.yml"), "route: { receiver: nobody }\nreceivers: [{ name: nobody }]\n");
      const args = [
        `--config.file=${join(folder, "am.yml")}`,
        `--storage.path=${join(folder, "data")}`,
        `--web.listen-address=127.0.0.1:${String(port)}`,
        "--cluster.listen-address=",
      ];
      await monitoring.startProgram("prometheus-alertmanager", args, `${url}/-/ready`);
      const labels = (instance: string) => ({ alertname: "InstanceDown", instance, job: "node-exporter" });
      const alerts = [`${HOST}:9100`, `${HOST}1:9100`].map((instance) => ({ labels: labels(instance) }));
      const posted = await fetch(`${url}/api/v2/alerts`, {
        method: "POST",
        body: JSON.stringify(alerts),
        headers: { "content-type": "application/json" },
      });
      assert.equal(posted.status, 200);
    });
    after(() => monitoring.close());

    const silences = () => openSilences({ targets: targetsOf(url), clock: systemClock, environment: {} });
    const list = async (): Promise<readonly HeldSilence[]> => (await silences()[0]?.list(SIGNAL)) ?? [];
    const suppressed = async (): Promise<readonly string[]> => {
      const answer = (await (await fetch(`${url}/api/v2/alerts`)).json()) as readonly {
        readonly status: { readonly state: string };
        readonly labels: { readonly instance: string };
      }[];
      return answer.filter(({ status }) => status.state === "suppressed").map(({ labels }) => labels.instance);
    };
    /** A process that works on the run for some entries. */
    const follow = async (stored: readonly JournalEntry[], fresh: readonly JournalEntry[]): Promise<void> => {
      const progress: Progress = { line: (text) => assert.fail(text), status: () => undefined };
      const follower = createSilenceFollower({
        targets: targetsOf(url),
        clock: systemClock,
        environment: {},
        progress,
      });
      follower.begin(RUN, stored);
      follower.follow(fresh, stored.length);
      await follower.end();
    };

    it("cover a host from its cordon until it takes work again, across processes, and end with the run", async () => {
      const entries = await journalOfRun();
      const cordon = entries.findIndex(isCordon);
      const uncordon = entries.findIndex((entry) => isUncordoned(entries, entry));
      assert.ok(cordon > 0 && uncordon > cordon);
      await follow([], entries.slice(0, cordon + 1));
      const created = await list();
      assert.deepEqual(
        created.map(({ owner, comment }) => [owner, comment.split(" ")[0]]),
        [1, 2].map(() => [RUN, HOST]),
      );
      assert.ok(
        created.every(({ expiresAt }) => expiresAt > Date.now() + MINUTE_MS),
        "an end is far enough away",
      );
      assert.deepEqual(await suppressed(), [`${HOST}:9100`], "and not the host whose name begins alike");
      // Another process carries the run on: the same silences, not more.
      await follow(entries.slice(0, cordon + 1), entries.slice(cordon + 1, uncordon));
      assert.deepEqual(new Set((await list()).map(({ id }) => id)), new Set(created.map(({ id }) => id)));
      await follow(entries.slice(0, uncordon), [entries[uncordon] as JournalEntry]);
      assert.deepEqual(await list(), []);
      assert.deepEqual(await suppressed(), []);
    });

    it("that a process left behind end when the run is recovered, and those of others stay", async () => {
      const foreign = spawnSync("amtool", [
        ...["silence", "add", "--alertmanager.url", url, "--author", "ada", "--comment", "mine"],
        ...["--duration", "1h", `instance=~${HOST}.*`],
      ]);
      assert.equal(foreign.status, 0, foreign.stderr.toString());
      const entries = await journalOfRun();
      const cordon = entries.findIndex(isCordon);
      await follow([], entries.slice(0, cordon + 1));
      assert.equal((await list()).length, 2);
      const armed = { v: 1, at: 1, epoch: 2, kind: "phase", phase: "armed", reason: "recovered" } as const;
      await follow([...entries.slice(0, cordon + 1), armed], []);
      assert.deepEqual(await list(), []);
      assert.deepEqual(new Set(await suppressed()), new Set([`${HOST}:9100`, `${HOST}1:9100`]));
    });

    it("are refused with what Alertmanager says, where it does", async () => {
      const wrong = openSilences({
        targets: [{ kind: "alertmanager", url, matchers: { instance: "$host(?!x)" } }],
        clock: systemClock,
        environment: {},
      });
      const hosts = [{ host: HOST, endsAtMs: Date.now() + MINUTE_MS }];
      await assert.rejects(
        Promise.all(wrong.map((one) => one.makeSo(RUN, hosts, SIGNAL))),
        (error: unknown) => isKind(error, "DriverError") && /Alertmanager .*status 400: /.test(String(error)),
      );
    });
  });
});

function isCordon(entry: JournalEntry): boolean {
  return entry.kind === "step-intent" && entry.step.kind === "cordon" && entry.step.host === HOST;
}

function isUncordoned(entries: readonly JournalEntry[], entry: JournalEntry): boolean {
  if (entry.kind !== "step-done") return false;
  const intent = entries.find((other) => other.kind === "step-intent" && other.step.id === entry.id);
  return intent?.kind === "step-intent" && intent.step.kind === "uncordon" && intent.step.host === HOST;
}
