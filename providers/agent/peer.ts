/**
 * What an agent asks of others by itself: the switch, who owns a service; another agent, the bytes of a snapshot.
 *
 * Not for: controllers, which use drivers/control-client.ts; an agent's certificate lets it read these two only.
 */
import type { IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";
import type { Readable } from "node:stream";
import { checkServerIdentity } from "node:tls";
import { DriverError, messageOf } from "../../sdk/model";
import type { OwnerAnswer } from "../drivers/traffic/switch/service-record";
import { errorFromBody, PROTOCOL, PROTOCOL_HEADER } from "./control-protocol";
import { readTls, refuseRevoked } from "./tls-files";

export interface PeerOptions {
  readonly tls: { readonly ca: string; readonly certificate: string; readonly key: string };
}

/** Another server of the fleet, by the name in its certificate. */
export interface PeerAddress {
  readonly name: string;
  readonly url: string;
}

const TIMEOUT_MS = 2_000;

/** Who owns a service, as the switch has it. @throws DriverError */
export async function readOwner(options: PeerOptions, switchUrl: string, service: string): Promise<OwnerAnswer> {
  const query = new URLSearchParams({ service }).toString();
  const response = await open(options, { name: "switch", url: switchUrl }, `/v1/owner?${query}`);
  const body: unknown = JSON.parse(await readText(response));
  if (response.statusCode !== 200) throw errorFromBody(body, "switch", response.statusCode ?? 0);
  return (body as { readonly result: OwnerAnswer }).result;
}

/** The bytes of a snapshot that another agent holds. @throws DriverError */
export async function openSnapshot(options: PeerOptions, peer: PeerAddress, id: string): Promise<Readable> {
  const response = await open(options, peer, `/v1/snapshot-content?${new URLSearchParams({ id }).toString()}`);
  if (response.statusCode === 200) return response;
  throw errorFromBody(JSON.parse(await readText(response)), peer.name, response.statusCode ?? 0);
}

async function open(options: PeerOptions, peer: PeerAddress, path: string): Promise<IncomingMessage> {
  const { ca, cert, key, revocations } = await readTls(options.tls);
  const received = Promise.withResolvers<IncomingMessage>();
  const request = httpsRequest(
    new URL(path, peer.url),
    {
      ca,
      cert,
      key,
      agent: false,
      minVersion: "TLSv1.3",
      timeout: TIMEOUT_MS,
      checkServerIdentity: (host, certificate) =>
        checkServerIdentity(host, certificate) ??
        (certificate.subject.CN === peer.name ? undefined : new Error(`certificate is not of ${peer.name}`)) ??
        refuseRevoked(revocations, certificate),
      headers: { [PROTOCOL_HEADER]: PROTOCOL },
    },
    received.resolve,
  );
  request.on("timeout", () => {
    request.destroy(new Error(`silent for ${String(TIMEOUT_MS)} ms`));
  });
  request.on("error", received.reject);
  request.end();
  try {
    return await received.promise;
  } catch (error) {
    throw new DriverError("unreachable", peer.name, `no answer from ${peer.url} (${messageOf(error)})`, {
      cause: error,
    });
  }
}

async function readText(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of response as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks).toString("utf8");
}
