import { strict as assert } from "node:assert";
import { execFile, execFileSync, spawn, type ChildProcess } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { lstat, mkdir, mkdtemp, readdir, readFile, readlink, rm, stat, writeFile } from "node:fs/promises";
import { createServer, request as httpsRequest } from "node:https";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { connect } from "node:tls";
import { promisify } from "node:util";
import { callAuthority } from "../../providers/agent/enroll/authority-client";
import type { Granted } from "../../providers/agent/enroll/protocol";
import { startAuthority, fingerprintOf, type RunningAuthority } from "../../providers/agent/enroll/authority-server";
import {
  enroll,
  enrolledHost,
  enrolledIdentity,
  enrollIdentity,
  identityFolder,
  refreshRevocations,
  renew,
} from "../../providers/agent/enroll/enroll";
import { hostLayout } from "../../providers/agent/enroll/host-layout";
import { install, uninstall } from "../../providers/agent/enroll/install";
import { createInvitation } from "../../providers/agent/enroll/invitations";
import { listIssued, revoke } from "../../providers/agent/enroll/issued";
import { parseToken, renderToken } from "../../providers/agent/enroll/token";
import { PROTOCOL_HEADER } from "../../providers/agent/control-protocol";
import { createControlServer } from "../../providers/agent/control-server";
import { revocationFile } from "../../providers/agent/revocations";
import { isRenewalDue } from "../../providers/agent/rotation";
import { systemClock, type Clock } from "../../providers/clock";
import {
  authorityFiles,
  createFleetAuthority,
  createSigningRequest,
  signRequest,
  type TlsFiles,
} from "../../providers/drivers/certificates";
import { createControlClient, type ControlClient } from "../../providers/drivers/control-client";
import { isKind, type DriverError } from "../../sdk/model";

const AGENT = join(__dirname, "../../providers/agent/main.js");
/** One attempt, so that a call that breaks is seen; a busy machine may be slow. */
const PATIENT = { attempts: 1, timeoutMs: 30_000 };
const NO_ABORT = new AbortController().signal;
const HOUR_MS = 3_600_000;
/** Most of such a certificate's time is over from the start, so that it is renewed at the first look. */
const DUE_AT_ONCE_MS = 120_000;

describe("agent: enrolment", function () {
  this.timeout(120_000);
  let folder: string;
  let directory: string;
  let authority: RunningAuthority;
  let ca: string;
  let count = 0;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "archipelago-enrol-"));
    directory = join(folder, "authority");
    await createFleetAuthority(directory);
    ca = await readFile(authorityFiles(directory).certificate, "utf8");
    authority = await startAuthority({ directory, host: "127.0.0.1", port: 0, addresses: ["127.0.0.1"] });
  });
  after(async () => {
    await authority.close();
    await rm(folder, { recursive: true, force: true });
  });

  /** A file system of a host, with what every Linux has. */
  async function createRoot(): Promise<string> {
    count += 1;
    const root = join(folder, `root-${String(count)}`);
    for (const path of ["etc/systemd/system", "var/lib"]) await mkdir(join(root, path), { recursive: true });
    await writeFile(join(root, "etc/systemd/system/other.service"), "[Service]\n");
    return root;
  }

  async function invite(name: string, validMs = HOUR_MS, url = authority.url): Promise<string> {
    const grant = { name, role: "agent", addresses: ["127.0.0.1"] } as const;
    const made = await createInvitation(directory, grant, Date.now() + validMs);
    return renderToken({ url, fingerprint: fingerprintOf(ca), name, role: "agent", ...made });
  }

  const join_ = async (token: string, root: string, clock: Clock = systemClock): Promise<unknown> =>
    enroll({ token, root, zone: "a", role: "member", listen: { host: "127.0.0.1", port: 0 }, clock });

  /** A refusal says what is wrong and what to do, and leaves the host as it was. */
  async function refuses(token: string, expected: RegExp, clock?: Clock): Promise<void> {
    const root = await createRoot();
    const before = await treeOf(root);
    await assert.rejects(join_(token, root, clock), (error: Error) => {
      assert.match(error.message, expected);
      assert.ok((error as DriverError).remedy !== undefined || isKind(error, "MistakeError"), "says what to do");
      return true;
    });
    assert.deepEqual(await treeOf(root), before);
  }

  it("gives an invited host a certificate for a key that it made itself", async () => {
    const root = await createRoot();
    await join_(await invite("web-01"), root);
    const layout = hostLayout(root);
    const identity = await readFile(layout.identity, "utf8");
    const certificate = new X509Certificate(identity);
    assert.ok(certificate.verify(new X509Certificate(ca).publicKey));
    assert.deepEqual(certificate.subject.split("\n").sort(), ["CN=web-01", "OU=agent"]);
    assert.equal((await stat(layout.identity)).mode & 0o777, 0o600);
    assert.equal((await stat(layout.state)).mode & 0o777, 0o700);
    const kept = await Promise.all((await filesBelow(directory)).map((file) => readFile(file, "utf8")));
    const key = /-----BEGIN PRIVATE KEY-----[^-]+/.exec(identity)?.[0] ?? "";
    assert.ok(key !== "" && !kept.some((text) => text.includes(key)), "the key never reached the authority");
  });

  it("keeps tokens as hashes only", async () => {
    const token = await invite("web-02");
    const { secret } = parseToken(token);
    for (const file of await filesBelow(directory)) {
      assert.ok(!(await readFile(file, "utf8")).includes(secret), relative(directory, file));
    }
  });

  it("refuses a token that was used, is expired, forged or cut off, and changes nothing on the host", async () => {
    const token = await invite("web-03");
    await join_(token, await createRoot());
    await refuses(token, /token for web-03 was used before; ask for a new one/);
    await refuses(await invite("web-03", -1), /token for web-03 expired at/);
    await refuses(renderToken({ ...parseToken(await invite("web-03")), secret: "guess" }), /is not of this fleet/);
    await refuses(renderToken({ ...parseToken(await invite("web-03")), name: "web-99" }), /this request is for web-99/);
    await refuses(token.slice(0, 60), /must be a whole token/);
  });

  it("gives the same key its certificate again when the first answer was lost", async () => {
    const { id, secret } = parseToken(await invite("web-14"));
    const ask = async (csr: string): Promise<Granted> =>
      callAuthority<Granted>({ url: authority.url, ca, path: "/v1/enroll", body: { id, secret, csr } });
    const { csr } = await createSigningRequest("web-14");
    for (const { certificate } of [await ask(csr), await ask(csr)]) assert.match(certificate, /BEGIN CERTIFICATE/);
    await assert.rejects(ask((await createSigningRequest("web-14")).csr), /was used before/);
    await assert.rejects(ask(csr.replace(/[a-z]{3}/, "AAA")), /is no request that its sender could sign/);
  });

  it("lets one of many hosts with the same token in", async () => {
    const token = await invite("web-04");
    const results = await Promise.allSettled(Array.from({ length: 5 }, async () => join_(token, await createRoot())));
    assert.equal(results.filter(({ status }) => status === "fulfilled").length, 1);
  });

  it("sends no secret to another authority at the same address", async () => {
    const stranger = join(folder, "stranger");
    await createFleetAuthority(stranger);
    const other = await startAuthority({
      directory: stranger,
      host: "127.0.0.1",
      port: 0,
      addresses: ["127.0.0.1"],
    });
    try {
      await refuses(await invite("web-05", HOUR_MS, other.url), /served by another authority than the token names/);
    } finally {
      await other.close();
    }
  });

  it("names a clock that is an hour ahead or behind, and an authority that does not answer", async () => {
    const token = await invite("web-06");
    const shifted = (ms: number): Clock => ({ ...systemClock, now: () => Date.now() + ms });
    await refuses(
      token,
      /clock: of this host is 1 h ahead of that of the authority; nothing was changed/,
      shifted(HOUR_MS),
    );
    await refuses(token, /clock: of this host is 1 h behind that/, shifted(-HOUR_MS));
    await refuses(await invite("web-06", HOUR_MS, "https://127.0.0.1:1"), /no answer from https:\/\/127.0.0.1:1/);
    // None of it has used the token up.
    const root = await createRoot();
    await join_(token, root);
    const { config, identity } = hostLayout(root);
    const before = await readFile(identity, "utf8");
    await assert.rejects(renew(await enrolledHost(config), shifted(-HOUR_MS)), /clock: of this host is 1 h behind/);
    assert.equal(await readFile(identity, "utf8"), before);
  });

  it("asks for a new certificate once two thirds of the old one's time are over", async () => {
    const root = await createRoot();
    await join_(await invite("web-13"), root);
    const { identity } = hostLayout(root);
    const { validFrom, validTo } = new X509Certificate(await readFile(identity, "utf8"));
    const [from, to] = [Date.parse(validFrom), Date.parse(validTo)];
    assert.ok(to - from > 29 * 24 * HOUR_MS);
    assert.equal(await isRenewalDue(identity, from + (to - from) * 0.66), false);
    assert.equal(await isRenewalDue(identity, from + (to - from) * 0.67), true);
  });

  it("refuses to enrol a host twice", async () => {
    const root = await createRoot();
    await join_(await invite("web-07"), root);
    await assert.rejects(join_(await invite("web-07"), root), /must not be enrolled yet/);
  });

  it("refuses to renew what was revoked, and a list of revocations that somebody changed", async () => {
    const root = await createRoot();
    const layout = hostLayout(root);
    await join_(await invite("web-08"), root);
    assert.ok((await renew(await enrolledHost(layout.config))) > Date.now());
    assert.equal(
      (await revoke(directory, "web-08", "retired", Date.now())).length,
      2,
      "the old one and the renewed one",
    );
    assert.equal((await revoke(directory, "web-08", "retired", Date.now())).length, 0);
    await assert.rejects(renew(await enrolledHost(layout.config)), /web-08 was revoked: retired; enrol the host again/);
    assert.equal(await refreshRevocations(layout.ca, authority.url), true);
    assert.equal(await refreshRevocations(layout.ca, authority.url), false);
    const file = revocationFile(layout.ca);
    await writeFile(file, (await readFile(file, "utf8")).replace("web-08", "web-0x"));
    await assert.rejects(
      refreshRevocations(layout.ca, authority.url),
      /no list of revoked certificates that this fleet's/,
    );
    await assert.rejects(revoke(directory, "web-77", "x", Date.now()), /has issued to web-01/);
  });

  it("makes callers refuse a host whose certificate was revoked", async () => {
    const root = await createRoot();
    const layout = hostLayout(root);
    await join_(await invite("web-09"), root);
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
      const caller = await enrolCaller("controller-09");
      const client = createControlClient({ url, tls: caller, subject: "web-09" });
      assert.ok(await client.read("counters", {}, NO_ABORT));
      client.close();
      await revoke(directory, "web-09", "stolen", Date.now());
      await refreshRevocations(caller.ca, authority.url);
      const wary = createControlClient({ url, tls: caller, subject: "web-09" });
      await assert.rejects(wary.read("counters", {}, NO_ABORT, { attempts: 1 }), /unauthorized|revoked .*stolen/);
      wary.close();
    } finally {
      await server.close();
    }
  });

  it("names two versions that do not understand each other, on both sides, before anything is done", async () => {
    const caller = await enrolCaller("controller-10");
    const root = await createRoot();
    const layout = hostLayout(root);
    await join_(await invite("web-10"), root);
    const tls = { ca: layout.ca, certificate: layout.identity, key: layout.identity };
    const agent = createControlServer({
      subject: "web-10",
      tls,
      host: "127.0.0.1",
      port: 0,
      stateFile: join(layout.state, "calls.log"),
      reads: {},
      mutations: {},
    });
    const pem = await readFile(layout.identity, "utf8");
    const future = createServer({ ca, cert: pem, key: pem, requestCert: true }, (_, response) => {
      response.setHeader(PROTOCOL_HEADER, "2");
      response.end('{"result":{}}');
    });
    await new Promise<void>((resolve) => future.listen(0, "127.0.0.1", resolve));
    try {
      const url = await agent.listen();
      const own = await readFile(caller.certificate, "utf8");
      const answer = await new Promise<string>((resolve, reject) => {
        const headers = { [PROTOCOL_HEADER]: "2" };
        httpsRequest(new URL("/v1/counters", url), { ca, cert: own, key: own, headers, agent: false }, (response) => {
          response.on("data", (chunk: Buffer) => {
            resolve(chunk.toString());
          });
        })
          .on("error", reject)
          .end();
      });
      assert.match(answer, /"unsupported".*speaks protocol 1 and its caller 2; nothing was done/);
      const address = future.address() as { readonly port: number };
      const client = createControlClient({
        url: `https://127.0.0.1:${String(address.port)}`,
        tls: caller,
        subject: "web-10",
      });
      await assert.rejects(
        client.read("counters", {}, NO_ABORT),
        /web-10: speaks protocol 2 and its caller 1.*same version/,
      );
      client.close();
    } finally {
      await agent.close();
      future.close();
      future.closeAllConnections();
    }
  });

  it("names the clock where a certificate is not valid yet, or no more, on both sides", async () => {
    const good = await enrolCaller("controller-15");
    const root = await createRoot();
    await join_(await invite("web-15"), root);
    const host = hostLayout(root);
    for (const [nowMs, code, remedy] of [
      [Date.now() + HOUR_MS, "CERT_NOT_YET_VALID", /set the clocks of both/],
      [Date.now() - HOUR_MS, "CERT_HAS_EXPIRED", /set the clock if it is wrong, else renew/],
    ] as const) {
      const issue = async (name: string, role: "agent" | "client"): Promise<TlsFiles> => {
        const { csr, key } = await createSigningRequest(name);
        const grant = { name, role, addresses: ["127.0.0.1"] };
        const { certificate } = await signRequest(directory, csr, grant, { nowMs, validMs: HOUR_MS / 2 });
        const file = join(folder, `${name}-${code}.pem`);
        await writeFile(file, `${certificate}\n${key}`, { mode: 0o600 });
        return { ca: good.ca, certificate: file, key: file };
      };
      const byCaller = await refusalOf(await issue("web-15", "agent"), good);
      assert.match(byCaller, /do not trust each other/);
      assert.match(byCaller, remedy);
      const own = { ca: host.ca, certificate: host.identity, key: host.identity };
      const byHost = await refusalOf(own, await issue("late", "client"));
      assert.ok(byHost.startsWith(`web-15: refuses this certificate (${code})`), byHost);
      assert.match(byHost, remedy);
    }
  });

  it("rotates the certificate of a running agent without a failed call, then refuses a caller that was revoked", async () => {
    const shortLived = await startAuthority({
      directory,
      host: "127.0.0.1",
      port: 0,
      addresses: ["127.0.0.1"],
      validMs: DUE_AT_ONCE_MS,
    });
    const caller = await enrolCaller("controller-11");
    const root = await createRoot();
    const layout = hostLayout(root);
    await run(
      "enroll",
      "--token",
      await invite("web-11", HOUR_MS, shortLived.url),
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
      assert.ok((await listIssued(directory)).filter(({ name }) => name === "web-11").length >= 2);

      await revoke(directory, "controller-11", "left the company", Date.now());
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

  it("installs a unit that systemd accepts, and uninstalls without a trace", async () => {
    const root = await createRoot();
    const layout = hostLayout(root);
    await assert.rejects(install({ root, program: [process.execPath, AGENT] }), /must be enrolled first/);
    const before = await treeOf(root);
    await join_(await invite("web-12"), root);
    await install({ root, program: [process.execPath, AGENT] });
    await install({ root, program: [process.execPath, AGENT] });
    assert.equal(await readlink(layout.wanted), "../archipelago-agent.service");
    const unit = await readFile(layout.unit, "utf8");
    for (const line of ["KillMode=process", "Restart=always", "UMask=0077"]) assert.ok(unit.includes(line), line);
    if (hasSystemd()) {
      const { stderr } = await promisify(execFile)("systemd-analyze", ["verify", "--man=no", layout.unit]).catch(
        (error: unknown) => error as { stderr: string },
      );
      assert.doesNotMatch(stderr, /archipelago-agent\.service/);
    }
    const agent = spawn(process.execPath, [AGENT, "serve", "--config", layout.config], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    await urlOf(agent);
    await end(agent);
    await mkdir(join(layout.state, "replicas"), { recursive: true });
    await writeFile(join(layout.state, "replicas", "front-1.json"), "{}");
    await assert.rejects(uninstall({ root }), /front-1.*must have no copies of workloads on it/);
    await rm(join(layout.state, "replicas", "front-1.json"));
    await uninstall({ root });
    assert.deepEqual(await treeOf(root), before);
    await uninstall({ root });
  });

  it("is reached from the command line, with mistakes told all at once", async () => {
    const cli = join(folder, "cli-authority");
    assert.match((await run("authority", "init", "--directory", cli)).stdout, /fingerprint [0-9a-f]{64}/);
    const token = await run(
      "authority",
      "invite",
      "--directory",
      cli,
      "--name",
      "db-1",
      "--url",
      "https://127.0.0.1:1",
    );
    assert.equal(parseToken(token.stdout).name, "db-1");
    assert.match(token.stderr, /good once and for 1 h/);
    const wrong = await run("enroll", "--role", "boss", "--listen", "nowhere");
    assert.equal(wrong.code, 2);
    for (const field of ["--token", "--zone", "--role", "--listen"])
      assert.ok(wrong.stderr.includes(field), wrong.stderr);
    assert.match(
      (await run("authority", "revoke", "--directory", cli, "--name", "db-1", "--reason", "x")).stderr,
      /has issued none/,
    );
    assert.equal((await run("authority", "frobnicate")).code, 2);
    const nowhere = join(folder, "nowhere");
    assert.match((await run("authority", "list", "--directory", nowhere)).stderr, /must hold the authority of a fleet/);
    await assert.rejects(stat(nowhere), /ENOENT/);
  });

  /** A caller with a certificate of role client, in a folder of its own. */
  async function enrolCaller(name: string): Promise<{ ca: string; certificate: string; key: string }> {
    const grant = { name, role: "client", addresses: [] } as const;
    const made = await createInvitation(directory, grant, Date.now() + HOUR_MS);
    const token = renderToken({ url: authority.url, fingerprint: fingerprintOf(ca), name, role: "client", ...made });
    await assert.rejects(
      join_(token, await createRoot()),
      /must be for agent, and is for client; .* enrols with --tls/,
    );
    const own = join(folder, name);
    await enrollIdentity(token, own);
    await assert.rejects(enrollIdentity(token, own), /must not hold an identity yet/);
    const { ca: file, identity } = identityFolder(own);
    return { ca: file, certificate: identity, key: identity };
  }
});

/** What a caller is told by, or of, the server of web-15. */
async function refusalOf(server: TlsFiles, caller: TlsFiles): Promise<string> {
  const stateFile = `${server.certificate}.calls`;
  const address = { host: "127.0.0.1", port: 0 };
  const control = createControlServer({
    subject: "web-15",
    tls: server,
    ...address,
    stateFile,
    reads: {},
    mutations: {},
  });
  const client = createControlClient({ url: await control.listen(), tls: caller, subject: "web-15" });
  try {
    return await client.read("counters", {}, NO_ABORT, PATIENT).then(
      () => "",
      (error: unknown) => (error as Error).message,
    );
  } finally {
    client.close();
    await control.close();
  }
}

async function run(
  ...args: readonly string[]
): Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }> {
  return promisify(execFile)(process.execPath, [AGENT, ...args]).then(
    (result) => ({ code: 0, ...result }),
    (error: unknown) => error as { code: number; stdout: string; stderr: string },
  );
}

async function urlOf(agent: ChildProcess): Promise<string> {
  let text = "";
  for await (const chunk of agent.stdout as AsyncIterable<Buffer>) {
    text += chunk.toString();
    const url = /serves at (\S+)/.exec(text)?.[1];
    if (url !== undefined) return url;
  }
  throw new Error(`the agent ended: ${text}`);
}

async function end(agent: ChildProcess): Promise<void> {
  const ended = new Promise((resolve) => agent.once("exit", resolve));
  if (agent.exitCode === null && agent.kill()) await ended;
}

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

async function until(what: string, check: () => Promise<boolean>): Promise<void> {
  const endMs = performance.now() + 60_000;
  while (performance.now() < endMs) {
    if (await check()) return;
    await new Promise((wake) => setTimeout(wake, 100));
  }
  assert.fail(`not within 60 s: ${what}`);
}

/** Every path below a folder with its mode, and the content of files. */
async function treeOf(root: string): Promise<readonly string[]> {
  const paths = await readdir(root, { recursive: true });
  const lines = paths.sort().map(async (path) => {
    const found = await lstat(join(root, path));
    const content = found.isFile() ? await readFile(join(root, path), "utf8") : "";
    return `${path} ${(found.mode & 0o7777).toString(8)} ${content}`;
  });
  return Promise.all(lines);
}

async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  // The authority's own key is what it signs with.
  return entries
    .filter((entry) => entry.isFile() && !entry.name.startsWith("authority"))
    .map((entry) => join(entry.parentPath, entry.name));
}

function hasSystemd(): boolean {
  try {
    execFileSync("systemd-analyze", ["--version"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}
