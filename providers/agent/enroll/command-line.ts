/**
 * The commands of `archipelago-agent` for joining and leaving a fleet, and for its authority.
 *
 * Not for: what they do.
 */
import { readFile } from "node:fs/promises";
import { hostname } from "node:os";
import { dirname, resolve } from "node:path";
import { parseArgs } from "node:util";
import { formatDurationShort, messageOf, MistakeError, parseDuration, type Mistake } from "../../../sdk/model";
import { systemClock } from "../../clock";
import { authorityFiles, createFleetAuthority, type CertificateRole } from "../../drivers/certificates";
import { readRevocations } from "../revocations";
import { fingerprintOf, startAuthority } from "./authority-server";
import {
  enroll,
  enrolledHost,
  enrolledIdentity,
  enrollIdentity,
  refreshRevocations,
  renew,
  type Enrolled,
} from "./enroll";
import { install, uninstall } from "./install";
import { createInvitation, removeOldInvitations } from "./invitations";
import { listIssued, revoke } from "./issued";
import { renderToken } from "./token";

const DEFAULT_AUTHORITY = "/var/lib/archipelago-authority";
const ROLES: readonly CertificateRole[] = ["agent", "switch", "client"];

/** Texts of `--help`, by command. */
const ENROLMENT_HELP: Readonly<Record<string, string>> = {
  enroll: `Usage: archipelago-agent enroll --token TOKEN --zone ZONE [options]

Joins this host to the fleet that made the token: makes a key, has it certified, writes /etc/archipelago/agent.json.

  --token TOKEN     as \`archipelago-agent authority invite\` printed it; "-" reads it from standard input
  --zone ZONE       failure zone of this host
  --role ROLE       member or standby (default member)
  --listen H:PORT   where the agent serves (default 0.0.0.0:7443)
  --switch URL      control URL of the traffic switch
  --root DIR        file system of the host (default /)
  --tls DIR         for a switch or a caller: writes its certificates into DIR, and nothing else
`,
  renew: `Usage: archipelago-agent renew --config FILE | --tls DIR

Renews the certificate of an enrolled host, switch or caller, with a new key. A running agent does this by itself, in
time; for switches and callers run it daily. Whoever uses the files sees the change without a restart.
`,
  refresh: `Usage: archipelago-agent refresh --config FILE | --tls DIR | --ca FILE --url URL

Fetches the list of revoked certificates and puts it beside the authority's certificate, where agents, switches and
runners read it. A running agent does this by itself, every minute.
`,
  install: `Usage: archipelago-agent install [--root DIR] [--no-start]

Installs the agent of an enrolled host as a service of systemd, and starts it.
`,
  uninstall: `Usage: archipelago-agent uninstall [--root DIR] [--force]

Ends the service and removes every file that enroll, install and the agent have made. Refused while copies of workloads
are on the host. Revoke its certificate afterwards: \`archipelago-agent authority revoke --name HOST\`.
`,
  authority: `Usage: archipelago-agent authority COMMAND [--directory DIR] [options]

  init                      make the authority of a fleet; keep its folder safe and backed up
  serve --listen H:PORT     enrol hosts and renew certificates, over TLS; --address NAME (repeatable) names how hosts
                            reach it, --valid "30 days" how long certificates are good
  invite --name HOST --url URL
                            print a token for one host, good once and for --expires ("1 hour"); --address NAME
                            (repeatable) are addresses of the host; --role agent | switch | client
  list                      certificates that were issued
  revoke --name HOST --reason TEXT
                            refuse its certificates from now on

  --directory DIR           folder of the authority (default ${DEFAULT_AUTHORITY})
`,
};

/** Runs one of the commands. @throws MistakeError, DriverError */
export async function runEnrolment(command: string, args: readonly string[], program: string): Promise<void> {
  if (args.includes("--help") || args.includes("-h")) {
    print(ENROLMENT_HELP[command] ?? "");
    return;
  }
  switch (command) {
    case "enroll":
      return runEnroll(args);
    case "renew":
      return runRenew(args);
    case "refresh":
      return runRefresh(args);
    case "install":
      return runInstall(args, program);
    case "uninstall":
      return runUninstall(args);
    default:
      return runAuthority(args);
  }
}

async function runEnroll(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      token: { type: "string" },
      zone: { type: "string" },
      role: { type: "string", default: "member" },
      listen: { type: "string", default: "0.0.0.0:7443" },
      switch: { type: "string" },
      root: { type: "string", default: "/" },
      tls: { type: "string" },
    },
  });
  const mistakes: Mistake[] = [];
  const listen = readAddress("--listen", values.listen, mistakes);
  const zone = values.tls === undefined ? required("--zone", values.zone, mistakes) : "";
  const token = required(
    "--token",
    values.token === "-" ? await readFile("/dev/stdin", "utf8") : values.token,
    mistakes,
  );
  const { role } = values;
  if (role !== "member" && role !== "standby") {
    mistakes.push({ field: "--role", value: role, rule: "must be member or standby", remedy: "correct it" });
  }
  if (mistakes.length > 0) throw new MistakeError("arguments", mistakes);
  if (values.tls !== undefined) {
    print(`${await enrollIdentity(token, values.tls)} is enrolled: ${values.tls}\n`);
    return;
  }
  const { layout, name } = await enroll({
    token,
    root: values.root,
    zone,
    role: role === "standby" ? "standby" : "member",
    listen,
    ...(values.switch === undefined ? {} : { switchUrl: values.switch }),
  });
  print(`${name} is enrolled: ${layout.config}\nnext: archipelago-agent install\n`);
}

const ENROLLED_OPTIONS = {
  config: { type: "string" },
  tls: { type: "string" },
  ca: { type: "string" },
  url: { type: "string" },
} as const;

async function runRenew(args: readonly string[]): Promise<void> {
  const { config, tls } = ENROLLED_OPTIONS;
  const { values } = parseArgs({ args: [...args], options: { config, tls } });
  const enrolled = await readEnrolled(values);
  const notAfterMs = await renew(enrolled);
  await refreshRevocations(enrolled.ca, enrolled.url);
  print(`renewed until ${new Date(notAfterMs).toISOString()}\n`);
}

async function runRefresh(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({ args: [...args], options: ENROLLED_OPTIONS });
  const { ca, url } =
    values.ca === undefined ? await readEnrolled(values) : { ca: values.ca, url: required("--url", values.url) };
  const isNew = await refreshRevocations(ca, url);
  print(
    `${isNew ? "fetched" : "unchanged"}: ${String((await readRevocations(ca)).entries.length)} revoked certificates\n`,
  );
}

function readEnrolled(values: { readonly config?: string; readonly tls?: string }): Promise<Enrolled> {
  return values.tls === undefined ? enrolledHost(required("--config", values.config)) : enrolledIdentity(values.tls);
}

async function runInstall(args: readonly string[], program: string): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: { root: { type: "string", default: "/" }, "no-start": { type: "boolean", default: false } },
  });
  const unit = await install({ root: values.root, program: [process.execPath, program], start: !values["no-start"] });
  print(`installed: ${unit}\n`);
}

async function runUninstall(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: { root: { type: "string", default: "/" }, force: { type: "boolean", default: false } },
  });
  const name = await uninstall(values);
  const next = `; revoke its certificate: archipelago-agent authority revoke --name ${name ?? ""} --reason TEXT`;
  print(`uninstalled${name === undefined ? "" : next}\n`);
}

async function runAuthority([command, ...args]: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      directory: { type: "string", default: DEFAULT_AUTHORITY },
      listen: { type: "string", default: "0.0.0.0:7445" },
      address: { type: "string", multiple: true, default: [] },
      valid: { type: "string", default: "30 days" },
      name: { type: "string" },
      url: { type: "string" },
      role: { type: "string", default: "agent" },
      expires: { type: "string", default: "1 hour" },
      reason: { type: "string" },
    },
  });
  const directory = resolve(values.directory);
  const nowMs = systemClock.now();
  switch (command) {
    case "init": {
      const { ca } = await createFleetAuthority(directory);
      print(`authority in ${dirname(ca)}; fingerprint ${fingerprintOf(await readFile(ca, "utf8"))}\n`);
      return;
    }
    case "serve": {
      await readAuthority(directory);
      const { host, port } = readAddress("--listen", values.listen);
      const addresses = values.address.length > 0 ? values.address : [hostname()];
      const validMs = parseDuration(values.valid, "--valid");
      const running = await startAuthority({ directory, host, port, addresses, validMs });
      print(`authority serves at ${running.url}\n`);
      for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => void running.close());
      return;
    }
    case "invite": {
      const mistakes: Mistake[] = [];
      const name = required("--name", values.name, mistakes);
      const url = required("--url", values.url, mistakes);
      const role = ROLES.find((known) => known === values.role);
      if (!role) {
        const rule = `must be one of ${ROLES.join(", ")}`;
        mistakes.push({ field: "--role", value: values.role, rule, remedy: "correct it" });
      }
      if (mistakes.length > 0 || !role) throw new MistakeError("invite", mistakes);
      const expiresMs = parseDuration(values.expires, "--expires");
      const fingerprint = fingerprintOf(await readAuthority(directory));
      await removeOldInvitations(directory, nowMs);
      const addresses = values.address.length > 0 ? values.address : [name];
      const grant = { name, role, addresses };
      const { id, secret } = await createInvitation(directory, grant, nowMs + expiresMs);
      process.stderr.write(`token for ${name}, good once and for ${formatDurationShort(expiresMs)}:\n`);
      print(`${renderToken({ url, fingerprint, name, role, id, secret })}\n`);
      return;
    }
    case "list": {
      await readAuthority(directory);
      const { certificate } = authorityFiles(directory);
      const revoked = new Set((await readRevocations(certificate)).entries.map(({ serial }) => serial));
      for (const { name, role, serial, notAfterMs } of await listIssued(directory)) {
        const state = revoked.has(serial) ? "revoked" : notAfterMs <= nowMs ? "expired" : "good";
        print(`${name}  ${role}  ${state}  until ${new Date(notAfterMs).toISOString()}  ${serial}\n`);
      }
      return;
    }
    case "revoke": {
      const mistakes: Mistake[] = [];
      const name = required("--name", values.name, mistakes);
      const reason = required("--reason", values.reason, mistakes);
      if (mistakes.length > 0) throw new MistakeError("revoke", mistakes);
      await readAuthority(directory);
      const revoked = await revoke(directory, name, reason, nowMs);
      print(`${String(revoked.length)} certificates of ${name} revoked\n`);
      return;
    }
    default:
      throw MistakeError.of(
        "authority",
        command,
        "must be followed by init, serve, invite, list or revoke",
        "see archipelago-agent authority --help",
      );
  }
}

/** The certificate of the authority in a folder; a mistyped folder must not become a second authority. */
async function readAuthority(directory: string): Promise<string> {
  return readFile(authorityFiles(directory).certificate, "utf8").catch((error: unknown) => {
    throw MistakeError.of(
      "--directory",
      directory,
      `must hold the authority of a fleet (${messageOf(error)})`,
      "correct it, or run `archipelago-agent authority init` to make a new one",
    );
  });
}

function required(field: string, value: string | undefined, mistakes?: Mistake[]): string {
  if (value !== undefined && value !== "") return value;
  const mistake = { field, value, rule: "must be given", remedy: "see --help" };
  if (!mistakes) throw new MistakeError("", [mistake]);
  mistakes.push(mistake);
  return "";
}

function readAddress(
  field: string,
  value: string,
  mistakes?: Mistake[],
): { readonly host: string; readonly port: number } {
  const [, host = "", port = ""] = /^\[?(.*?)\]?:(\d+)$/.exec(value) ?? [];
  if (host !== "" && Number(port) <= 65_535) return { host, port: Number(port) };
  const mistake = { field, value, rule: "must be an address and a port", remedy: 'write it like "0.0.0.0:7443"' };
  if (!mistakes) throw new MistakeError("", [mistake]);
  mistakes.push(mistake);
  return { host: "", port: 0 };
}

function print(text: string): void {
  process.stdout.write(text);
}
