/**
 * A small S3 server for what moto does not do: errors, lost answers, clocks that are wrong, conditions that are ignored.
 * One bucket, objects in memory, path style; GET, HEAD, PUT and DELETE of objects, and ListObjectsV2 without pages.
 */
import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

interface StoredObject {
  readonly text: string;
  readonly etag: string;
  readonly mark: string;
}

/** What the server does instead of its work. */
export interface ScriptedFault {
  readonly status: number;
  readonly code: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** See the file's header. */
export class ScriptedS3 {
  readonly objects = new Map<string, StoredObject>();
  /** Requests as `METHOD key`. */
  readonly calls: string[] = [];
  /** How far its clock is ahead of this machine's. */
  aheadMs = 0;
  honoursConditions = true;
  /** Asked before each request; a fault is answered, "lost" does the work and cuts the connection. */
  script: (method: string, key: string) => ScriptedFault | "lost" | undefined = () => undefined;
  private readonly server: Server = createServer((request, response) => {
    void this.handle(request, response);
  });

  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.server.listen(0, "127.0.0.1", resolve));
    return `http://127.0.0.1:${String((this.server.address() as AddressInfo).port)}`;
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const url = new URL(request.url ?? "/", "http://s3");
    const key = decodeURIComponent(url.pathname).split("/").slice(2).join("/");
    const method = request.method ?? "";
    this.calls.push(`${method} ${key}`);
    response.setHeader("date", new Date(Date.now() + this.aheadMs).toUTCString());
    const scripted = this.script(method, key);
    if (scripted !== undefined && scripted !== "lost") {
      for (const [name, value] of Object.entries(scripted.headers ?? {})) response.setHeader(name, value);
      fail(response, scripted.status, scripted.code);
      return;
    }
    if (scripted === "lost") {
      this.put(request, key, Buffer.concat(chunks).toString());
      request.socket.destroy();
      return;
    }
    if (method === "PUT") {
      const etag = this.put(request, key, Buffer.concat(chunks).toString());
      if (etag === undefined) fail(response, 412, "PreconditionFailed");
      else response.writeHead(200, { etag }).end();
    } else if (method === "DELETE") {
      this.objects.delete(key);
      response.writeHead(204).end();
    } else if (key === "") {
      response.writeHead(200, { "content-type": "application/xml" }).end(this.list(url.searchParams));
    } else {
      const object = this.objects.get(key);
      if (!object) fail(response, 404, "NoSuchKey");
      else
        response
          .writeHead(200, { etag: object.etag, "x-amz-meta-write": object.mark })
          .end(method === "HEAD" ? "" : object.text);
    }
  }

  /** Undefined when the condition does not hold. */
  private put(request: IncomingMessage, key: string, text: string): string | undefined {
    const before = this.objects.get(key);
    const match = request.headers["if-match"];
    if (this.honoursConditions && request.headers["if-none-match"] === "*" && before) return undefined;
    if (this.honoursConditions && match !== undefined && before?.etag !== match) return undefined;
    const etag = `"${createHash("md5").update(text).digest("hex")}"`;
    this.objects.set(key, { text, etag, mark: String(request.headers["x-amz-meta-write"]) });
    return etag;
  }

  private list(query: URLSearchParams): string {
    const prefix = query.get("prefix") ?? "";
    const rests = [...this.objects.keys()].filter((key) => key.startsWith(prefix)).sort();
    const objects = rests.filter((key) => !key.slice(prefix.length).includes("/"));
    const folders = new Set(
      rests.flatMap((key) => {
        const end = key.indexOf("/", prefix.length);
        return end < 0 ? [] : [key.slice(0, end + 1)];
      }),
    );
    return [
      "<?xml version='1.0' encoding='UTF-8'?><ListBucketResult><IsTruncated>false</IsTruncated>",
      ...objects.map((key) => `<Contents><Key>${key}</Key></Contents>`),
      ...[...folders].map((key) => `<CommonPrefixes><Prefix>${key}</Prefix></CommonPrefixes>`),
      "</ListBucketResult>",
    ].join("");
  }
}

function fail(response: ServerResponse, status: number, code: string): void {
  response
    .writeHead(status, { "content-type": "application/xml" })
    .end(
      `<?xml version='1.0' encoding='UTF-8'?><Error><Code>${code}</Code><Message>scripted ${code}</Message></Error>`,
    );
}
