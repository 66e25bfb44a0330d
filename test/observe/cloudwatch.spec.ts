import { strict as assert } from "node:assert";
import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { after, afterEach, before, describe, it } from "mocha";
import { DriverError } from "../../sdk/model";
import type { MetricSelector } from "../../providers/observe/metric-source";
import type { CloudWatchOptions } from "../../providers/observe/cloudwatch";
import { createCloudWatchSource } from "../../providers/observe/cloudwatch";

const SIGNAL = new AbortController().signal;
const START_MS = Date.UTC(2026, 10, 21);
const STEP_MS = 300_000;
const RANGE = { fromMs: START_MS, toMs: START_MS + 3 * STEP_MS };
const CHECKOUT: MetricSelector = { subject: "workload/checkout", unit: "cpuMillis" };

/** Body of a GetMetricData call in AWS JSON 1.0, as far as it is looked at. */
interface Call {
  readonly target: string;
  readonly authorization: string;
  readonly body: {
    readonly StartTime: number;
    readonly EndTime: number;
    readonly NextToken?: string;
    readonly MetricDataQueries: readonly {
      readonly Id: string;
      readonly MetricStat: {
        readonly Period: number;
        readonly Stat: string;
        readonly Metric: {
          readonly Namespace: string;
          readonly MetricName: string;
          readonly Dimensions: readonly { readonly Name: string; readonly Value: string }[];
        };
      };
    }[];
  };
}

interface Answer {
  readonly status?: number;
  readonly json: unknown;
}

/** A server that speaks CloudWatch's wire protocol: AWS JSON 1.0 over HTTP, times in seconds since the epoch. */
class FakeCloudWatch {
  readonly calls: Call[] = [];
  answer: (call: Call) => Answer = () => ({ json: { MetricDataResults: [] } });
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
    let text = "";
    for await (const chunk of request) text += String(chunk);
    const call: Call = {
      target: String(request.headers["x-amz-target"]),
      authorization: String(request.headers.authorization),
      body: JSON.parse(text) as Call["body"],
    };
    this.calls.push(call);
    const { status = 200, json } = this.answer(call);
    response.writeHead(status, { "content-type": "application/x-amz-json-1.0" }).end(JSON.stringify(json));
  }
}

const seconds = (index: number): number => (START_MS + index * STEP_MS) / 1000;
const resultOf = (id: string, indices: readonly number[], values: readonly number[]): unknown => ({
  Id: id,
  Label: id,
  Timestamps: indices.map(seconds),
  Values: values,
  StatusCode: "Complete",
});

describe("CloudWatch source", () => {
  const fake = new FakeCloudWatch();
  const { AWS_ACCESS_KEY_ID: keyId, AWS_SECRET_ACCESS_KEY: secret } = process.env;
  let endpoint = "";

  before(async () => {
    endpoint = await fake.listen();
    process.env["AWS_ACCESS_KEY_ID"] = "test";
    process.env["AWS_SECRET_ACCESS_KEY"] = "test";
  });
  afterEach(() => {
    fake.calls.length = 0;
  });
  after(async () => {
    delete process.env["AWS_ACCESS_KEY_ID"];
    delete process.env["AWS_SECRET_ACCESS_KEY"];
    if (keyId !== undefined) process.env["AWS_ACCESS_KEY_ID"] = keyId;
    if (secret !== undefined) process.env["AWS_SECRET_ACCESS_KEY"] = secret;
    await fake.close();
  });

  function openSource(options: Partial<CloudWatchOptions> = {}): ReturnType<typeof createCloudWatchSource> {
    return createCloudWatchSource({
      region: "eu-central-1",
      endpoint,
      capacityCpuMillis: (subject) => (subject === "host/i-0abc" ? 2000 : 8000),
      ...options,
    });
  }

  it("asks for CPUUtilization of the group and turns percent into millicores, gaps into NaN", async () => {
    fake.answer = () => ({ json: { MetricDataResults: [resultOf("m0", [0, 2], [25, 50])] } });
    const [series] = await openSource().query([CHECKOUT], RANGE, STEP_MS, SIGNAL);
    assert.deepEqual(Array.from(series?.values ?? []), [2000, Number.NaN, 4000]);
    assert.deepEqual([series?.id, series?.unit, series?.startMs], ["workload/checkout", "cpuMillis", START_MS]);
    const [call] = fake.calls;
    assert.equal(call?.target, "GraniteServiceVersion20100801.GetMetricData");
    assert.match(call.authorization, /^AWS4-HMAC-SHA256 Credential=test\/\d+\/eu-central-1\/monitoring/);
    assert.deepEqual([call.body.StartTime, call.body.EndTime], [seconds(0), seconds(3)]);
    const [query] = call.body.MetricDataQueries;
    assert.deepEqual(query?.MetricStat, {
      Metric: {
        Namespace: "AWS/EC2",
        MetricName: "CPUUtilization",
        Dimensions: [{ Name: "AutoScalingGroupName", Value: "checkout" }],
      },
      Period: 300,
      Stat: "Average",
    });
  });

  it("asks for single hosts by instance id, and for memory of the CloudWatch agent", async () => {
    fake.answer = () => ({ json: { MetricDataResults: [resultOf("m0", [0], [10]), resultOf("m1", [0], [1e9])] } });
    const [cpu, memory] = await openSource().query(
      [
        { subject: "host/i-0abc", unit: "cpuMillis" },
        { subject: "host/i-0abc", unit: "memoryBytes" },
      ],
      RANGE,
      STEP_MS,
      SIGNAL,
    );
    assert.deepEqual([cpu?.values[0], memory?.values[0]], [200, 1e9]);
    const names = fake.calls[0]?.body.MetricDataQueries.map(({ MetricStat }) => MetricStat.Metric.Namespace);
    assert.deepEqual(names, ["AWS/EC2", "CWAgent"]);
  });

  it("reads all pages of an answer", async () => {
    fake.answer = ({ body }) => ({
      json:
        body.NextToken === undefined
          ? { MetricDataResults: [resultOf("m0", [0], [10])], NextToken: "page-2" }
          : { MetricDataResults: [resultOf("m0", [1, 2], [20, 30])] },
    });
    const [series] = await openSource().query([CHECKOUT], RANGE, STEP_MS, SIGNAL);
    assert.deepEqual(Array.from(series?.values ?? []), [800, 1600, 2400]);
    assert.deepEqual(
      fake.calls.map(({ body }) => body.NextToken),
      [undefined, "page-2"],
    );
  });

  it("asks for at most 500 metrics a call", async () => {
    const selectors = Array.from({ length: 501 }, (_, i) => ({
      subject: `workload/w${String(i)}`,
      unit: "cpuMillis" as const,
    }));
    fake.answer = ({ body }) => ({
      json: { MetricDataResults: body.MetricDataQueries.map(({ Id }) => resultOf(Id, [0], [100])) },
    });
    const answers = await openSource().query(selectors, RANGE, STEP_MS, SIGNAL);
    assert.deepEqual(
      fake.calls.map(({ body }) => body.MetricDataQueries.length),
      [500, 1],
    );
    assert.ok(answers.every((series) => series?.values[0] === 8000));
  });

  it("has nothing where CloudWatch has no value, no capacity is known, or the subject is none of its own", async () => {
    const source = openSource({ capacityCpuMillis: (subject) => (subject === "workload/idle" ? 1000 : undefined) });
    fake.answer = () => ({ json: { MetricDataResults: [resultOf("m0", [], [])] } });
    const answers = await source.query(
      [
        { subject: "workload/idle", unit: "cpuMillis" },
        { subject: "workload/unknown-size", unit: "cpuMillis" },
        { subject: "workload/idle", unit: "requestsPerSecond" },
        { subject: "volume/v1", unit: "cpuMillis" },
      ],
      RANGE,
      STEP_MS,
      SIGNAL,
    );
    assert.deepEqual(answers, [undefined, undefined, undefined, undefined]);
    assert.equal(fake.calls[0]?.body.MetricDataQueries.length, 1);
  });

  it("takes a mapping of the user's own", async () => {
    fake.answer = () => ({ json: { MetricDataResults: [resultOf("m0", [0], [600])] } });
    const source = openSource({
      mapping: ({ unit }) =>
        unit === "requestsPerSecond"
          ? {
              namespace: "AWS/ApplicationELB",
              name: "RequestCount",
              dimensions: { LoadBalancer: "app/shop/1" },
              statistic: "Sum",
              factor: 1 / 300,
            }
          : undefined,
    });
    const [series] = await source.query([{ ...CHECKOUT, unit: "requestsPerSecond" }], RANGE, STEP_MS, SIGNAL);
    assert.equal(series?.values[0], 2);
  });

  it("says who was refused and what to give", async () => {
    fake.answer = () => ({
      status: 400,
      json: { __type: "com.amazonaws#AccessDeniedException", message: "not authorized to perform GetMetricData" },
    });
    await assert.rejects(openSource().query([CHECKOUT], RANGE, STEP_MS, SIGNAL), (error: unknown) => {
      assert.ok(error instanceof DriverError);
      assert.deepEqual([error.code, error.subject], ["unauthorized", "cloudwatch eu-central-1"]);
      assert.match(error.message, /not authorized.*cloudwatch:GetMetricData/s);
      return true;
    });
  });

  it("says that nobody answers", async () => {
    const source = openSource({ endpoint: "http://127.0.0.1:9" });
    await assert.rejects(source.query([CHECKOUT], RANGE, STEP_MS, SIGNAL), (error: unknown) => {
      assert.ok(error instanceof DriverError);
      assert.equal(error.code, "unreachable");
      return true;
    });
  }).timeout(10_000);
});
