/**
 * A fleet's authority, hosts that join it, and callers, for the specs of enrolment.
 *
 * Every suite has an authority of its own, in a folder that is removed at its end.
 */
import { strict as assert } from "node:assert";
import { execFile, type ChildProcess } from "node:child_process";
import { lstat, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { startAuthority, fingerprintOf, type RunningAuthority } from "../../providers/agent/enroll/authority-server";
import { enroll, enrollIdentity, identityFolder } from "../../providers/agent/enroll/enroll";
import { hostLayout, type HostLayout } from "../../providers/agent/enroll/host-layout";
import { createInvitation } from "../../providers/agent/enroll/invitations";
import { renderToken } from "../../providers/agent/enroll/token";
import { systemClock, type Clock } from "../../providers/clock";
import { authorityFiles, createFleetAuthority, type TlsFiles } from "../../providers/drivers/certificates";
import { isKind, type DriverError } from "../../sdk/model";
import { before, after } from "mocha";

export const AGENT = join(__dirname, "../../providers/agent/main.js");
/** One attempt, so that a call that breaks is seen; a busy machine may be slow. */
export const PATIENT = { attempts: 1, timeoutMs: 30_000 };
export const HOUR_MS = 3_600_000;
/** Where authorities listen. */
export const LOOPBACK = { host: "127.0.0.1", port: 0, addresses: ["127.0.0.1"] };

/** The authority of a suite, and who joins it. */
export class EnrolmentSuite {
  folder = "";
  directory = "";
  /** Certificate of the authority. */
  ca = "";
  private running: RunningAuthority | undefined;
  private count = 0;

  get authority(): RunningAuthority {
    assert.ok(this.running, "the authority is started before the first test");
    return this.running;
  }

  async open(): Promise<void> {
    this.folder = await mkdtemp(join(tmpdir(), "archipelago-enrol-"));
    this.directory = join(this.folder, "authority");
    await createFleetAuthority(this.directory);
    this.ca = await readFile(authorityFiles(this.directory).certificate, "utf8");
    this.running = await startAuthority({ directory: this.directory, ...LOOPBACK });
  }

  async close(): Promise<void> {
    await this.authority.close();
    await rm(this.folder, { recursive: true, force: true });
  }

  /** A file system of a host, with what every Linux has. */
  async createRoot(): Promise<string> {
    this.count += 1;
    const root = join(this.folder, `root-${String(this.count)}`);
    for (const path of ["etc/systemd/system", "var/lib"]) await mkdir(join(root, path), { recursive: true });
    await writeFile(join(root, "etc/systemd/system/other.service"), "[Service]\n");
    return root;
  }

  async invite(name: string, validMs = HOUR_MS, url = this.authority.url): Promise<string> {
    const grant = { name, role: "agent", addresses: ["127.0.0.1"] } as const;
    const made = await createInvitation(this.directory, grant, Date.now() + validMs);
    return renderToken({ url, fingerprint: fingerprintOf(this.ca), name, role: "agent", ...made });
  }

  /** Joins as a host. */
  async join(token: string, root: string, clock: Clock = systemClock): Promise<void> {
    await enroll({ token, root, zone: "a", role: "member", listen: { host: "127.0.0.1", port: 0 }, clock });
  }

  /** A host that has joined under a name. */
  async joinAs(name: string): Promise<HostLayout> {
    const root = await this.createRoot();
    await this.join(await this.invite(name), root);
    return hostLayout(root);
  }

  /** A refusal says what is wrong and what to do, and leaves the host as it was. */
  async refuses(token: string, expected: RegExp, clock?: Clock): Promise<void> {
    const root = await this.createRoot();
    const before = await treeOf(root);
    await assert.rejects(this.join(token, root, clock), (error: Error) => {
      assert.match(error.message, expected);
      assert.ok((error as DriverError).remedy !== undefined || isKind(error, "MistakeError"), "says what to do");
      return true;
    });
    assert.deepEqual(await treeOf(root), before);
  }

  /** A caller with a certificate of role client, in a folder of its own. */
  async enrolCaller(name: string): Promise<TlsFiles> {
    const grant = { name, role: "client", addresses: [] } as const;
    const made = await createInvitation(this.directory, grant, Date.now() + HOUR_MS);
    const { url } = this.authority;
    const token = renderToken({ url, fingerprint: fingerprintOf(this.ca), name, role: "client", ...made });
    await assert.rejects(
      this.join(token, await this.createRoot()),
      /must be for agent, and is for client; .* enrols with --tls/,
    );
    const own = join(this.folder, name);
    await enrollIdentity(token, own);
    await assert.rejects(enrollIdentity(token, own), /must not hold an identity yet/);
    const { ca, identity } = identityFolder(own);
    return { ca, certificate: identity, key: identity };
  }
}

/** Opens a suite before the tests of a `describe`, and closes it after them. */
export function openSuite(): EnrolmentSuite {
  const suite = new EnrolmentSuite();
  before(() => suite.open());
  after(() => suite.close());
  return suite;
}

export async function run(
  ...args: readonly string[]
): Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }> {
  return promisify(execFile)(process.execPath, [AGENT, ...args]).then(
    (result) => ({ code: 0, ...result }),
    (error: unknown) => error as { code: number; stdout: string; stderr: string },
  );
}

export async function urlOf(agent: ChildProcess): Promise<string> {
  let text = "";
  for await (const chunk of agent.stdout as AsyncIterable<Buffer>) {
    text += chunk.toString();
    const url = /serves at (\S+)/.exec(text)?.[1];
    if (url !== undefined) return url;
  }
  throw new Error(`the agent ended: ${text}`);
}

export async function end(agent: ChildProcess): Promise<void> {
  const ended = new Promise((resolve) => agent.once("exit", resolve));
  if (agent.exitCode === null && agent.kill()) await ended;
}

export async function until(what: string, check: () => Promise<boolean>): Promise<void> {
  const endMs = performance.now() + 60_000;
  while (performance.now() < endMs) {
    if (await check()) return;
    await new Promise((wake) => setTimeout(wake, 100));
  }
  assert.fail(`not within 60 s: ${what}`);
}

/** Every path below a folder with its mode, and the content of files. */
export async function treeOf(root: string): Promise<readonly string[]> {
  const paths = await readdir(root, { recursive: true });
  const lines = paths.sort().map(async (path) => {
    const found = await lstat(join(root, path));
    const content = found.isFile() ? await readFile(join(root, path), "utf8") : "";
    return `${path} ${(found.mode & 0o7777).toString(8)} ${content}`;
  });
  return Promise.all(lines);
}
