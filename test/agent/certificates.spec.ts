import { strict as assert } from "node:assert";
import { spawn } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { connect } from "node:tls";
import { describe, it } from "mocha";
import { startAuthority } from "../../providers/agent/enroll/authority-server";
import { enrolledHost, enrolledIdentity, refreshRevocations, renew } from "../../providers/agent/enroll/enroll";
import { hostLayout } from "../../providers/agent/enroll/host-layout";
import { listIssued, revoke } from "../../providers/agent/enroll/issued";
import { createControlServer } from "../../providers/agent/control-server";
import { revocationFile } from "../../providers/agent/revocations";
import { isRenewalDue } from "../../providers/agent/rotation";
import { createControlClient, type ControlClient } from "../../providers/drivers/control-client";
import { AGENT, LOOPBACK, PATIENT, HOUR_MS, openSuite, run, urlOf, end, until } from "./enrolment-suite";

const NO_ABORT = new AbortController().signal;
/** Most of such a certificate's time is over from the start, so that it is renewed at the first look. */
const DUE_AT_ONCE_MS = 120_000;

describe("agent: certificates of a fleet", function () {
  this.timeout(120_000);
  const suite = openSuite();

  it("asks for a new certificate once two thirds of the old one's time are over", async () => {
    const { identity } = await suite.joinAs("web-13");
    const { validFrom, validTo } = new X509Certificate(await readFile(identity, "utf8"));
    const [from, to] = [Date.parse(validFrom), Date.parse(validTo)];
    assert.ok(to - from > 29 * 24 * HOUR_MS);
    assert.equal(await isRenewalDue(identity, from + (to - from) * 0.66), false);
    assert.equal(await isRenewalDue(identity, from + (to - from) * 0.67), true);
  });

  it("refuses to renew what was revoked, and a list of revocations that somebody changed", async () => {
    const layout = await suite.joinAs("web-08");
    assert.ok((await renew(await enrolledHost(layout.config))) > Date.now());
    assert.equal(
      (await revoke(suite.directory, "web-08", "retired", Date.now())).length,
      2,
      "the old one and the renewed one",
    );
    assert.equal((await revoke(suite.directory, "web-08", "retired", Date.now())).length, 0);
    await assert.rejects(renew(await enrolledHost(layout.config)), /web-08 was revoked: retired; enrol the host again/);
    assert.equal(await refreshRevocations(layout.ca, suite.authority.url), true);
    assert.equal(await refreshRevocations(layout.ca, suite.authority.url), false);
    const file = revocationFile(layout.ca);
    await writeFile(file, (await readFile(file, "utf8")).replace("web-08", "web-0x"));
    await assert.rejects(
      refreshRevocations(layout.ca, suite.authority.url),
      /no list of revoked certificates that this fleet's/,
    );
    await assert.rejects(revoke(suite.directory, "web-77", "x", Date.now()), /has issued to .*web-08/);
  });

  it("makes callers refuse a host whose certificate was revoked", async () => {
    const layout = await suite.joinAs("web-09");
    const server = createControlServer({
      subject: "web-09",
      tls: { ca: layout.ca, certificate: layout.identity, key: layout.identity },
      host: "127.0.0.1",
      port: 0,
      stateFile: join(layout.state, "calls.log"),
      reads: {},
      mutations: {},
    });
    const url = await server.listen();
    try {
      const caller = await suite.enrolCaller("controller-09");
      const client = createControlClient({ url, tls: caller, subject: "web-09" });
      assert.ok(await client.read("counters", {}, NO_ABORT));
      client.close();
      await revoke(suite.directory, "web-09", "stolen", Date.now());
      await refreshRevocations(caller.ca, suite.authority.url);
      const wary = createControlClient({ url, tls: caller, subject: "web-09" });
      await assert.rejects(wary.read("counters", {}, NO_ABORT, { attempts: 1 }), /unauthorized|revoked .*stolen/);
      wary.close();
    } finally {
      await server.close();
    }
  });

  it("rotates the certificate of a running agent without a failed call, then refuses a caller that was revoked", async () => {
    const shortLived = await startAuthority({
      directory: suite.directory,
      ...LOOPBACK,
      validMs: DUE_AT_ONCE_MS,
    });
    const caller = await suite.enrolCaller("controller-11");
    const root = await suite.createRoot();
    const layout = hostLayout(root);
    await run(
      "enroll",
      "--token",
      await suite.invite("web-11", HOUR_MS, shortLived.url),
      "--zone",
      "a",
      "--listen",
      "127.0.0.1:0",
      "--root",
      root,
    );
    const config = JSON.parse(await readFile(layout.config, "utf8")) as { enrolment: object };
    config.enrolment = { ...config.enrolment, checkEveryMs: 500 };
    await writeFile(layout.config, JSON.stringify(config));
    const agent = spawn(process.execPath, [AGENT, "serve", "--config", layout.config], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    let client: ControlClient | undefined;
    try {
      const url = await urlOf(agent);
      client = createControlClient({ url, tls: caller, subject: "web-11", serverName: "web-11" });
      const first = await serialAt(url, caller.certificate);
      // The caller's certificate is renewed as well, under the calls.
      await renew(await enrolledIdentity(dirname(caller.ca)));
      let calls = 0;
      await until("the agent serves a new certificate", async () => {
        // A failed call fails the test: rotation must not be felt.
        await (client as ControlClient).read("counters", {}, NO_ABORT, PATIENT);
        calls += 1;
        return (await serialAt(url, caller.certificate)) !== first;
      });
      assert.ok(calls > 5, `${String(calls)} calls were made meanwhile`);
      assert.ok((await listIssued(suite.directory)).filter(({ name }) => name === "web-11").length >= 2);

      await revoke(suite.directory, "controller-11", "left the company", Date.now());
      let refusal = "";
      await until("the agent refuses the revoked caller on the connection it has", async () => {
        refusal = await (client as ControlClient).read("counters", {}, NO_ABORT, PATIENT).then(
          () => "",
          (error: unknown) => (error as Error).message,
        );
        return refusal !== "";
      });
      assert.match(refusal, /web-11: refuses this certificate \(revoked .*: left the company\)/);
    } finally {
      client?.close();
      await end(agent);
      await shortLived.close();
    }
  });
});

/** Serial number of the certificate that a server shows to a new connection. */
async function serialAt(url: string, identity: string): Promise<string> {
  const pem = await readFile(identity);
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(url);
    const socket = connect(
      { host: hostname, port: Number(port), cert: pem, key: pem, rejectUnauthorized: false },
      () => {
        resolve(socket.getPeerCertificate().serialNumber);
        socket.destroy();
      },
    );
    socket.once("error", reject);
  });
}
