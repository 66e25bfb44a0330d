import { strict as assert } from "node:assert";
import { readFile, writeFile } from "node:fs/promises";
import { createServer, request as httpsRequest } from "node:https";
import { join } from "node:path";
import { describe, it } from "mocha";
import { PROTOCOL_HEADER } from "../../providers/agent/control-protocol";
import { createControlServer } from "../../providers/agent/control-server";
import { createSigningRequest, signRequest, type TlsFiles } from "../../providers/drivers/certificates";
import { createControlClient } from "../../providers/drivers/control-client";
import { PATIENT, HOUR_MS, openSuite } from "./enrolment-suite";

const NO_ABORT = new AbortController().signal;
describe("agent: two sides that do not understand each other", function () {
  this.timeout(120_000);
  const suite = openSuite();

  it("names two versions that do not understand each other, on both sides, before anything is done", async () => {
    const caller = await suite.enrolCaller("controller-10");
    const layout = await suite.joinAs("web-10");
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
    const future = createServer({ ca: suite.ca, cert: pem, key: pem, requestCert: true }, (_, response) => {
      response.setHeader(PROTOCOL_HEADER, "3");
      response.end('{"result":{}}');
    });
    await new Promise<void>((resolve) => future.listen(0, "127.0.0.1", resolve));
    try {
      const url = await agent.listen();
      const own = await readFile(caller.certificate, "utf8");
      const answer = await new Promise<string>((resolve, reject) => {
        const headers = { [PROTOCOL_HEADER]: "3" };
        httpsRequest(
          new URL("/v1/counters", url),
          { ca: suite.ca, cert: own, key: own, headers, agent: false },
          (response) => {
            response.on("data", (chunk: Buffer) => {
              resolve(chunk.toString());
            });
          },
        )
          .on("error", reject)
          .end();
      });
      assert.match(answer, /"unsupported".*speaks protocol 2 and its caller 3; nothing was done/);
      const address = future.address() as { readonly port: number };
      const client = createControlClient({
        url: `https://127.0.0.1:${String(address.port)}`,
        tls: caller,
        subject: "web-10",
      });
      await assert.rejects(
        client.read("counters", {}, NO_ABORT),
        /web-10: speaks protocol 3 and its caller 2.*same version/,
      );
      client.close();
    } finally {
      await agent.close();
      future.close();
      future.closeAllConnections();
    }
  });

  it("names the clock where a certificate is not valid yet, or no more, on both sides", async () => {
    const good = await suite.enrolCaller("controller-15");
    const host = await suite.joinAs("web-15");
    for (const [nowMs, code, remedy] of [
      [Date.now() + HOUR_MS, "CERT_NOT_YET_VALID", /set the clocks of both/],
      [Date.now() - HOUR_MS, "CERT_HAS_EXPIRED", /set the clock if it is wrong, else renew/],
    ] as const) {
      const issue = async (name: string, role: "agent" | "client"): Promise<TlsFiles> => {
        const { csr, key } = await createSigningRequest(name);
        const grant = { name, role, addresses: ["127.0.0.1"] };
        const { certificate } = await signRequest(suite.directory, csr, grant, { nowMs, validMs: HOUR_MS / 2 });
        const file = join(suite.folder, `${name}-${code}.pem`);
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
