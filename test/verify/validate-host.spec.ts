import { strict as assert } from "node:assert";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, describe, it } from "mocha";
import type { HostUpdateSpec, ValidateSpec } from "../../sdk/model";
import { DriverError } from "../../sdk/model";
import type { Platform } from "../../providers/drivers/contracts";
import {
  createMemoryFleet,
  createVirtualClock,
  SAMPLE_OPENING_MS,
  sampleFleet,
  sampleSpec,
} from "../../providers/testing";
import type { HostValidation } from "../../providers/verify/validate-host";
import { validateHost } from "../../providers/verify/validate-host";

const SIGNAL = new AbortController().signal;

/** The sample platform whose hosts print `v1` and know two commands; real time, for the checks speak real HTTP. */
function createPlatform(): Platform {
  const { platform } = createMemoryFleet(sampleFleet(), createVirtualClock(SAMPLE_OPENING_MS), 1);
  return {
    ...platform,
    hosts: {
      ...platform.hosts,
      probe: (_host, _command, expect) => Promise.resolve({ output: "v1", matches: expect === "v1" }),
      check: (_host, { command }) =>
        Promise.resolve({ ok: command === "true", output: command === "true" ? "" : "checkout answers 500\n" }),
    },
  };
}

/** A platform whose probe ends with an error. */
function platformFailing(error: DriverError): Platform {
  const platform = createPlatform();
  return { ...platform, hosts: { ...platform.hosts, probe: () => Promise.reject(error) } };
}

/** The sample spec that expects `version`, with checks of the user's. */
function specWith(version: string, validate: readonly ValidateSpec[]): HostUpdateSpec {
  const spec = sampleSpec();
  return {
    ...spec,
    update: { ...spec.update, expect: version },
    islands: spec.islands.map((island) => ({ ...island, validate })),
  };
}

describe("validation of a host", () => {
  let url = "";
  const server = createServer((request, response) => {
    // Never answered: the check's own time is up first.
    if (request.url === "/hangs") return;
    const isGood = request.url === "/healthz";
    response.writeHead(isGood ? 200 : 503).end(isGood ? "fine" : "database is down");
  });
  before(async () => {
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    url = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`;
  });
  after(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  function validate(
    version: string,
    checks: readonly ValidateSpec[],
    platform = createPlatform(),
  ): Promise<HostValidation> {
    return validateHost({ platform, spec: specWith(version, checks), host: "host-01", signal: SIGNAL });
  }

  it("is green when the probe matches and every check is green", async () => {
    const result = await validate("v1", [
      { kind: "http", url: `${url}/healthz`, timeoutMs: 5000 },
      { kind: "command", command: "true", timeoutMs: 1000 },
    ]);
    assert.deepEqual([result.ok, result.reason, result.output], [true, "", ""]);
    assert.deepEqual(
      result.checks.map(({ check, ok }) => [check, ok]),
      [
        ["probe", true],
        [`http ${url}/healthz`, true],
        ["command true", true],
      ],
    );
  });

  it("is red with the probe's output when the version is another", async () => {
    const result = await validate("v2", []);
    assert.equal(result.ok, false);
    assert.equal(result.output, "v1");
    assert.equal(result.reason, 'probe wanted output matching "v2"');
  });

  it("names every check that is red, with the output of the first", async () => {
    const result = await validate("v1", [
      { kind: "command", command: "smoke-test", timeoutMs: 1000 },
      { kind: "http", url: `${url}/broken`, timeoutMs: 5000 },
    ]);
    assert.equal(result.ok, false);
    assert.match(result.output, /checkout answers 500/);
    assert.match(result.reason, /command smoke-test wanted exit code 0; http .*\/broken wanted a 2xx answer/);
    assert.match(result.checks[2]?.output ?? "", /status 503\ndatabase is down/);
  });

  it("is red when a server does not answer in time", async () => {
    const result = await validate("v1", [{ kind: "http", url: `${url}/hangs`, timeoutMs: 50 }]);
    assert.equal(result.ok, false);
    assert.match(result.reason, /within 50 ms/);
  });

  it("is red with the reason when nobody listens", async () => {
    const result = await validate("v1", [{ kind: "http", url: "http://127.0.0.1:9/", timeoutMs: 2000 }]);
    assert.equal(result.ok, false);
    assert.match(result.output, /fetch failed: ./);
  });

  it("runs a check that two islands share once, and only those of the host's islands", async () => {
    const spec = specWith("v1", [{ kind: "command", command: "true", timeoutMs: 1000 }]);
    const [shop] = spec.islands;
    assert.ok(shop);
    const other = { ...shop, name: "other", validate: [{ kind: "command", command: "false", timeoutMs: 1 } as const] };
    const options = { platform: createPlatform(), host: "host-01", signal: SIGNAL };
    const twice = { ...spec, islands: [shop, { ...shop, name: "twin" }, other] };
    const result = await validateHost({ ...options, spec: twice, islands: ["shop", "twin"] });
    assert.deepEqual(
      result.checks.map(({ check }) => check),
      ["probe", "command true"],
    );
    assert.equal((await validateHost({ ...options, spec: twice })).ok, false);
  });

  it("is red with the output of a probe that fails", async () => {
    const failed = new DriverError("failed", "host-01", "exit code 2", { output: "uname: not found\n" });
    const result = await validate("v1", [], platformFailing(failed));
    assert.deepEqual([result.ok, result.output], [false, "uname: not found"]);
  });

  it("passes on that the host does not answer, for that says nothing about the update", async () => {
    const silent = new DriverError("unreachable", "host-01", "does not answer");
    await assert.rejects(validate("v1", [], platformFailing(silent)), silent);
  });
});
