import { strict as assert } from "node:assert";
import * as http from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, it } from "mocha";
import { systemClock, type Progress } from "../../providers/clock";
import { signBody } from "../../providers/guard/signed-body";
import { createNoticeFollower } from "../../providers/notify/send";
import type { JournalEntry, JournalEvent, NoticeTarget } from "../../sdk/model";

const AT_MS = Date.UTC(2026, 10, 24, 2);

interface Received {
  readonly body: Record<string, unknown>;
  readonly text: string;
  readonly headers: http.IncomingHttpHeaders;
}

/** A real HTTP server that answers with the given codes, the last one for ever; 0 breaks the connection off. */
class Receiver {
  readonly received: Received[] = [];
  private readonly server: http.Server;

  constructor(private readonly codes: number[] = [200]) {
    this.server = http.createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on("data", (chunk: Buffer) => chunks.push(chunk));
      request.on("end", () => {
        const text = Buffer.concat(chunks).toString();
        this.received.push({ body: JSON.parse(text) as Received["body"], text, headers: request.headers });
        const code = (this.codes.length > 1 ? this.codes.shift() : this.codes[0]) ?? 200;
        if (code === 0) response.destroy();
        else response.writeHead(code).end("ok");
      });
    });
  }

  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.server.listen(0, "127.0.0.1", resolve));
    return `http://127.0.0.1:${String((this.server.address() as AddressInfo).port)}/hook`;
  }

  close(): void {
    this.server.closeAllConnections();
    this.server.close();
  }
}

function entries(...events: readonly JournalEvent[]): readonly JournalEntry[] {
  return events.map((event, index) => ({ v: 1, at: AT_MS + index, epoch: 1, ...event }));
}

const START = entries(
  { kind: "phase", phase: "armed", reason: "created" },
  { kind: "phase", phase: "running", reason: "its window is open" },
);
const FAILURE = entries(
  {
    kind: "failure",
    failure: {
      subject: "host-02",
      step: "update",
      reason: "exit code 3 <&>",
      undone: ["front is back"],
      notUndone: [],
      remedy: "look at host-02",
    },
  },
  { kind: "phase", phase: "recovering", reason: "exit code 3" },
  { kind: "phase", phase: "failed", reason: "host-02: step update failed" },
);

describe("notify: notices of a run", () => {
  const receivers: Receiver[] = [];
  afterEach(() => {
    for (const receiver of receivers.splice(0)) receiver.close();
  });

  function createReceiver(codes?: number[]): Receiver {
    const receiver = new Receiver(codes);
    receivers.push(receiver);
    return receiver;
  }

  /** Tells of the entries; returns what progress said. */
  async function tell(
    targets: readonly NoticeTarget[],
    environment: Record<string, string>,
    ...batches: readonly (readonly JournalEntry[])[]
  ): Promise<readonly string[]> {
    const lines: string[] = [];
    const progress: Progress = { line: (text) => lines.push(text), status: () => undefined };
    const follower = createNoticeFollower({ targets, clock: systemClock, progress, environment, firstBackOffMs: 1 });
    follower.begin("kernel-1", []);
    let position = 0;
    for (const batch of batches) {
      follower.follow(batch, position);
      position += batch.length;
    }
    await follower.end();
    return lines;
  }

  it("come to a webhook in order, signed, each with an id of its own", async () => {
    const receiver = createReceiver();
    const url = await receiver.listen();
    const target: NoticeTarget = { kind: "webhook", url, secretEnv: "NOTICE_SECRET", severity: "info" };
    assert.deepEqual(await tell([target], { NOTICE_SECRET: "s3" }, START, FAILURE), []);
    assert.deepEqual(
      receiver.received.map(({ body }) => `${String(body["severity"])} ${String(body["title"])}`),
      [
        "info kernel-1 is armed",
        "info kernel-1 starts",
        "warning kernel-1 is brought back to a safe state",
        "critical kernel-1 has failed",
      ],
    );
    const last = receiver.received.at(-1);
    assert.equal(
      last?.body["text"],
      "host-02: step update failed: exit code 3 <&>\nundone: front is back\nlook at host-02",
    );
    for (const { text, headers } of receiver.received) {
      const signature = String(headers["archipelago-signature"]);
      const seconds = Number(/^t=(\d+),/.exec(signature)?.[1]);
      assert.equal(signature, signBody(text, "s3", seconds * 1000));
    }
    assert.equal(new Set(receiver.received.map(({ headers }) => headers["archipelago-notice"])).size, 4);
  });

  it("come only to who wants to hear of something that severe", async () => {
    const [some, few] = [createReceiver(), createReceiver()];
    const targets: readonly NoticeTarget[] = [
      { kind: "webhook", url: await some.listen(), severity: "warning" },
      { kind: "webhook", url: await few.listen(), severity: "critical" },
    ];
    await tell(targets, {}, START, FAILURE);
    assert.deepEqual(
      some.received.map(({ body }) => body["event"]),
      ["recovering", "failed"],
    );
    assert.deepEqual(
      few.received.map(({ body }) => body["event"]),
      ["failed"],
    );
  });

  it("come to Slack as blocks, with its control characters escaped", async () => {
    const receiver = createReceiver();
    const url = await receiver.listen();
    await tell([{ kind: "slack", urlEnv: "SLACK_URL", severity: "critical" }], { SLACK_URL: url }, FAILURE);
    const [notice] = receiver.received;
    assert.equal(notice?.body["text"], ":rotating_light: kernel-1 has failed");
    assert.match(notice.text, /exit code 3 &lt;&amp;&gt;/);
    const blocks = notice.body["blocks"] as readonly { readonly type: string }[];
    assert.deepEqual(
      blocks.map(({ type }) => type),
      ["section", "context"],
    );
    assert.equal(notice.headers["archipelago-signature"], undefined);
  });

  it("are tried again with the same id after an answer that may pass, and not after one that will not", async () => {
    const [flaky, strict] = [createReceiver([503, 0, 200]), createReceiver([403])];
    const targets: readonly NoticeTarget[] = [
      { kind: "webhook", url: await flaky.listen(), severity: "critical" },
      { kind: "webhook", url: await strict.listen(), severity: "critical" },
    ];
    const lines = await tell(targets, {}, FAILURE);
    assert.deepEqual(lines, ["notices[1] (webhook) could not be delivered: it answered 403"]);
    assert.deepEqual(
      flaky.received.map(({ headers }) => headers["archipelago-notice"]),
      ["kernel-1/2", "kernel-1/2", "kernel-1/2"],
    );
    assert.equal(strict.received.length, 1);
  });

  it("never fail the run: what is wrong is told once, without addresses and secrets", async () => {
    const broken = createReceiver([500]);
    const url = await broken.listen();
    const gone = createReceiver();
    const nobody = await gone.listen();
    gone.close();
    const lines = await tell(
      [
        { kind: "slack", urlEnv: "SLACK_URL", severity: "info" },
        { kind: "webhook", urlEnv: "HOOK_URL", severity: "info" },
        { kind: "webhook", url, secretEnv: "NOTICE_SECRET", severity: "info" },
        { kind: "webhook", url, severity: "info" },
      ],
      { SLACK_URL: `${nobody}/very-secret`, HOOK_URL: "very secret" },
      START,
      FAILURE,
    );
    assert.deepEqual([...lines].sort(), [
      "notices[0] (slack) could not be delivered: no answer (ECONNREFUSED)",
      "notices[1] (webhook) could not be delivered: what HOOK_URL holds is not a URL",
      "notices[2] (webhook) could not be delivered: the environment variable NOTICE_SECRET is not set",
      "notices[3] (webhook) could not be delivered: it answered 500",
    ]);
    assert.ok(!lines.join().includes("very"));
  });
});
