import { strict as assert } from "node:assert";
import { generateKeyPairSync } from "node:crypto";
import * as fs from "node:fs/promises";
import * as http from "node:http";
import type { AddressInfo } from "node:net";
import * as os from "node:os";
import * as path from "node:path";
import { afterEach, describe, it } from "mocha";
import {
  judgeApproval,
  parseApproval,
  signApproval,
  signApprovalBySecret,
  type ApprovalStatement,
} from "../../providers/guard/approval";
import { findApproval, type ApprovalRequest } from "../../providers/guard/approvals";
import { signBody } from "../../providers/guard/signed-body";
import { createMemoryRunStore, createVirtualClock } from "../../providers/testing";
import type { Approval, ApprovalSpec, Envelope } from "../../sdk/model";

const NOW_MS = Date.UTC(2026, 10, 24);
const DIGEST = "ab".repeat(32);
const SECRET = "a shared secret";

function createKeys(): { readonly open: string; readonly secret: string } {
  const { publicKey, privateKey } = generateKeyPairSync("ed25519");
  return {
    open: publicKey.export({ type: "spki", format: "pem" }).toString(),
    secret: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
  };
}

const ada = createKeys();
const eve = createKeys();

function statement(overrides: Partial<ApprovalStatement> = {}): ApprovalStatement {
  return { digest: DIGEST, by: "ada", why: "looked at it", at: NOW_MS, expiresAt: NOW_MS + 60_000, ...overrides };
}

function judge(approval: Approval, nowMs = NOW_MS): string {
  const verdict = judgeApproval(approval, { digest: DIGEST, keys: { ada: ada.open }, secret: SECRET, nowMs });
  return verdict.kind === "approved" ? `approved by ${verdict.by}` : verdict.reason;
}

describe("guard: approvals", () => {
  it("count with a signature of one of the keys, or of the shared secret", () => {
    assert.equal(judge(signApproval(statement(), ada.secret)), "approved by ada");
    assert.equal(judge(signApproval(statement({ by: "Ada L." }), ada.secret)), "approved by Ada L. (key ada)");
    assert.equal(judge(signApprovalBySecret(statement({ by: "bot" }), SECRET)), "approved by bot (key webhook)");
  });

  it("by another key, another secret, for another plan, or out of their time say so", () => {
    assert.equal(
      judge(signApproval(statement(), eve.secret)),
      "the approval by ada is not signed by any of the keys that may approve (ada), or was changed",
    );
    assert.match(judge(signApprovalBySecret(statement(), "another")), /signed by another secret, or was changed/);
    assert.match(
      judge(signApproval(statement({ digest: "cd".repeat(32) }), ada.secret)),
      /is for the plan cdcdcdcdcdcd, and this one is abababababab/,
    );
    assert.match(judge(signApproval(statement(), ada.secret), NOW_MS + 60_000), /expired at 2026-11-24T00:01:00/);
    assert.match(judge(signApproval(statement({ at: NOW_MS + 3_600_000 }), ada.secret)), /from the future/);
  });

  it("are worth nothing once anything in them is changed", () => {
    const approval = signApproval(statement(), ada.secret);
    for (const change of [
      { digest: "cd".repeat(32) },
      { by: "eve" },
      { why: "another reason" },
      { at: NOW_MS - 1 },
      { expiresAt: NOW_MS + 3_600_000 },
    ]) {
      assert.match(
        judge({ ...approval, ...change }),
        /not signed by any of the keys that may approve \(ada\), or was changed/,
      );
    }
  });

  it("need a private ed25519 key without a passphrase, and never show it", () => {
    const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const wrong = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
    assert.throws(
      () => signApproval(statement(), wrong),
      /key \("\(hidden\)"\) must be an ed25519 key, not ec; make one/,
    );
    assert.throws(() => signApproval(statement(), ada.open), /must be a private key in PEM/);
    assert.throws(
      () => signApproval(statement(), "my secret"),
      (error: Error) => !error.message.includes("my secret"),
    );
  });

  it("that are none are not read as such", () => {
    for (const content of ["", "null", "[]", "{}", '{"v":1,"digest":"a"}', "hello"]) {
      assert.equal(parseApproval(content), undefined, content);
    }
  });
});

describe("guard: the ways to be approved", () => {
  const servers: http.Server[] = [];
  let folder: string | undefined;
  afterEach(async () => {
    for (const server of servers.splice(0)) server.close();
    if (folder !== undefined) await fs.rm(folder, { recursive: true, force: true });
  });

  const request: ApprovalRequest = { run: "kernel-1", digest: DIGEST, envelope: {} as Envelope };

  async function find(spec: Partial<ApprovalSpec>, environment: Record<string, string> = {}): Promise<string> {
    const clock = createVirtualClock(NOW_MS);
    const store = createMemoryRunStore(clock);
    const found = await findApproval({ keys: {}, ...spec }, request, { store, clock, environment });
    return found.kind === "approved" ? `approved by ${found.by}` : `${found.verdict.reason}; ${found.verdict.remedy}`;
  }

  async function serve(
    answer: (body: string, signature: string) => { status: number; body?: string },
  ): Promise<string> {
    const server = http.createServer((incoming, response) => {
      const chunks: Buffer[] = [];
      incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
      incoming.on("end", () => {
        const given = answer(Buffer.concat(chunks).toString(), String(incoming.headers["archipelago-signature"]));
        response.writeHead(given.status, { "content-type": "application/json" }).end(given.body ?? "");
      });
    });
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return `http://127.0.0.1:${String((server.address() as AddressInfo).port)}/approve`;
  }

  it("a file with a signed approval, which may come later", async () => {
    folder = await fs.mkdtemp(path.join(os.tmpdir(), "archipelago-approval-"));
    const file = path.join(folder, "approval.json");
    const spec = { keys: { ada: ada.open }, file };
    assert.match(await find(spec), /nobody|there is no file .* yet/);
    await fs.writeFile(file, "hello");
    assert.match(await find(spec), /approval.json is not an approval/);
    await fs.writeFile(file, JSON.stringify(signApproval(statement(), ada.secret)));
    assert.equal(await find(spec), "approved by ada");
  });

  it("the answer of a webhook that is signed by the shared secret", async () => {
    let asked: { run?: string; digest?: string } = {};
    let isSigned = false;
    const url = await serve((body, signature) => {
      asked = JSON.parse(body) as typeof asked;
      isSigned = signature === signBody(body, SECRET, NOW_MS);
      return { status: 200, body: JSON.stringify(signApprovalBySecret(statement({ by: "bot" }), SECRET)) };
    });
    const spec = { webhook: { url, secretEnv: "APPROVAL_SECRET" } };
    assert.match(await find(spec), /not asked, because the environment variable APPROVAL_SECRET is not set/);
    assert.equal(await find(spec, { APPROVAL_SECRET: SECRET }), "approved by bot (key webhook)");
    assert.equal(asked.run, "kernel-1");
    assert.equal(asked.digest, DIGEST);
    assert.ok(isSigned);
  });

  it("no other answer of a webhook", async () => {
    const answers = [
      { status: 202 },
      { status: 500, body: "oh" },
      { status: 200, body: '{"approved":true}' },
      { status: 200, body: JSON.stringify(signApproval(statement(), eve.secret)) },
      { status: 200, body: JSON.stringify(signApproval(statement({ expiresAt: NOW_MS - 1 }), ada.secret)) },
    ];
    const said: string[] = [];
    for (const answer of answers) {
      const url = await serve(() => answer);
      said.push((await find({ keys: { ada: ada.open }, webhook: { url } })).replace(url, "URL"));
    }
    assert.match(said[0] ?? "", /URL: nobody has decided yet/);
    assert.match(said[1] ?? "", /URL: answered 500/);
    assert.match(said[2] ?? "", /URL: its answer is not an approval/);
    assert.match(said[3] ?? "", /not signed by any of the keys/);
    assert.match(said[4] ?? "", /expired/);
    assert.match(await find({ webhook: { url: "http://127.0.0.1:1/" } }), /no answer/);
  });
});
