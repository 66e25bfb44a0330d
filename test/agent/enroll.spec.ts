import { strict as assert } from "node:assert";
import { X509Certificate } from "node:crypto";
import { readdir, readFile, stat } from "node:fs/promises";
import { join, relative } from "node:path";
import { describe, it } from "mocha";
import { callAuthority } from "../../providers/agent/enroll/authority-client";
import type { Granted } from "../../providers/agent/enroll/protocol";
import { startAuthority } from "../../providers/agent/enroll/authority-server";
import { enrolledHost, renew } from "../../providers/agent/enroll/enroll";
import { hostLayout } from "../../providers/agent/enroll/host-layout";
import { parseToken, renderToken } from "../../providers/agent/enroll/token";
import { systemClock, type Clock } from "../../providers/clock";
import { createFleetAuthority, createSigningRequest } from "../../providers/drivers/certificates";
import { HOUR_MS, openSuite } from "./enrolment-suite";

describe("agent: enrolment", function () {
  this.timeout(120_000);
  const suite = openSuite();

  it("gives an invited host a certificate for a key that it made itself", async () => {
    const layout = await suite.joinAs("web-01");
    const identity = await readFile(layout.identity, "utf8");
    const certificate = new X509Certificate(identity);
    assert.ok(certificate.verify(new X509Certificate(suite.ca).publicKey));
    assert.deepEqual(certificate.subject.split("\n").sort(), ["CN=web-01", "OU=agent"]);
    assert.equal((await stat(layout.identity)).mode & 0o777, 0o600);
    assert.equal((await stat(layout.state)).mode & 0o777, 0o700);
    const kept = await Promise.all((await filesBelow(suite.directory)).map((file) => readFile(file, "utf8")));
    const key = /-----BEGIN PRIVATE KEY-----[^-]+/.exec(identity)?.[0] ?? "";
    assert.ok(key !== "" && !kept.some((text) => text.includes(key)), "the key never reached the authority");
  });

  it("keeps tokens as hashes only", async () => {
    const token = await suite.invite("web-02");
    const { secret } = parseToken(token);
    for (const file of await filesBelow(suite.directory)) {
      assert.ok(!(await readFile(file, "utf8")).includes(secret), relative(suite.directory, file));
    }
  });

  it("refuses a token that was used, is expired, forged or cut off, and changes nothing on the host", async () => {
    const token = await suite.invite("web-03");
    await suite.join(token, await suite.createRoot());
    await suite.refuses(token, /token for web-03 was used before; ask for a new one/);
    await suite.refuses(await suite.invite("web-03", -1), /token for web-03 expired at/);
    await suite.refuses(
      renderToken({ ...parseToken(await suite.invite("web-03")), secret: "guess" }),
      /is not of this fleet/,
    );
    await suite.refuses(
      renderToken({ ...parseToken(await suite.invite("web-03")), name: "web-99" }),
      /this request is for web-99/,
    );
    await suite.refuses(token.slice(0, 60), /must be a whole token/);
  });

  it("gives the same key its certificate again when the first answer was lost", async () => {
    const { id, secret } = parseToken(await suite.invite("web-14"));
    const ask = async (csr: string): Promise<Granted> =>
      callAuthority<Granted>({ url: suite.authority.url, ca: suite.ca, path: "/v1/enroll", body: { id, secret, csr } });
    const { csr } = await createSigningRequest("web-14");
    for (const { certificate } of [await ask(csr), await ask(csr)]) assert.match(certificate, /BEGIN CERTIFICATE/);
    await assert.rejects(ask((await createSigningRequest("web-14")).csr), /was used before/);
    await assert.rejects(ask(csr.replace(/[a-z]{3}/, "AAA")), /is no request that its sender could sign/);
  });

  it("lets one of many hosts with the same token in", async () => {
    const token = await suite.invite("web-04");
    const results = await Promise.allSettled(
      Array.from({ length: 5 }, async () => suite.join(token, await suite.createRoot())),
    );
    assert.equal(results.filter(({ status }) => status === "fulfilled").length, 1);
  });

  it("sends no secret to another authority at the same address", async () => {
    const stranger = join(suite.folder, "stranger");
    await createFleetAuthority(stranger);
    const other = await startAuthority({
      directory: stranger,
      host: "127.0.0.1",
      port: 0,
      addresses: ["127.0.0.1"],
    });
    try {
      await suite.refuses(
        await suite.invite("web-05", HOUR_MS, other.url),
        /served by another authority than the token names/,
      );
    } finally {
      await other.close();
    }
  });

  it("names a clock that is an hour ahead or behind, and an authority that does not answer", async () => {
    const token = await suite.invite("web-06");
    const shifted = (ms: number): Clock => ({ ...systemClock, now: () => Date.now() + ms });
    await suite.refuses(
      token,
      /clock: of this host is 1 h ahead of that of the authority; nothing was changed/,
      shifted(HOUR_MS),
    );
    await suite.refuses(token, /clock: of this host is 1 h behind that/, shifted(-HOUR_MS));
    await suite.refuses(
      await suite.invite("web-06", HOUR_MS, "https://127.0.0.1:1"),
      /no answer from https:\/\/127.0.0.1:1/,
    );
    // None of it has used the token up.
    const root = await suite.createRoot();
    await suite.join(token, root);
    const { config, identity } = hostLayout(root);
    const before = await readFile(identity, "utf8");
    await assert.rejects(renew(await enrolledHost(config), shifted(-HOUR_MS)), /clock: of this host is 1 h behind/);
    assert.equal(await readFile(identity, "utf8"), before);
  });

  it("refuses to enrol a host twice", async () => {
    const root = await suite.createRoot();
    await suite.join(await suite.invite("web-07"), root);
    await assert.rejects(suite.join(await suite.invite("web-07"), root), /must not be enrolled yet/);
  });
});

async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  // The authority's own key is what it signs with.
  return entries
    .filter((entry) => entry.isFile() && !entry.name.startsWith("authority"))
    .map((entry) => join(entry.parentPath, entry.name));
}
