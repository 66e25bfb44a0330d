import { strict as assert } from "node:assert";
import { SpanStatusCode, trace } from "@opentelemetry/api";
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  SimpleSpanProcessor,
  type ReadableSpan,
} from "@opentelemetry/sdk-trace-base";
import { afterEach, beforeEach, describe, it } from "mocha";
import { carryOut, type RunDependencies } from "../../providers/runner/run";
import { createTraceFollower, traceIdOf } from "../../providers/trace/run-trace";
import { createRunFixture, quickFleet, quickSpec, RUN, type RunFixture } from "../runner/run-fixture";

describe("trace: spans of a run", () => {
  let exporter: InMemorySpanExporter;

  beforeEach(() => {
    exporter = new InMemorySpanExporter();
    trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }));
  });
  afterEach(() => {
    trace.disable();
  });

  function traced(fixture: RunFixture, deps: RunDependencies = fixture.dependencies()): RunDependencies {
    return { ...deps, follow: (owner) => createTraceFollower("1.2.3", owner, deps.clock) };
  }

  function named(prefix: string): readonly ReadableSpan[] {
    return exporter.getFinishedSpans().filter(({ name }) => name.startsWith(prefix));
  }

  it("are one for the run, one for each wave below it, and one for each step below its wave", async () => {
    const fixture = createRunFixture({ fleet: quickFleet(), spec: quickSpec() });
    await fixture.clock.run(() => fixture.arm());
    const state = await fixture.clock.run(() => carryOut(RUN, traced(fixture)));
    const [run, ...others] = named("archipelago.run");
    assert.ok(run);
    assert.deepEqual(others, []);
    assert.equal(run.attributes["archipelago.phase"], "done");
    const waves = named("archipelago.wave");
    assert.equal(waves.length, state.waves.length);
    assert.ok(waves.every((wave) => wave.parentSpanContext?.spanId === run.spanContext().spanId));
    const steps = named("archipelago.step");
    assert.equal(steps.length, state.steps.length);
    const ofWaves = new Set(waves.map((wave) => wave.spanContext().spanId));
    assert.ok(steps.every((step) => ofWaves.has(step.parentSpanContext?.spanId ?? "")));
    assert.ok(exporter.getFinishedSpans().every((span) => span.spanContext().traceId === traceIdOf(RUN)));
    const update = steps.find(({ name }) => name === "archipelago.step update");
    assert.equal(typeof update?.attributes["archipelago.host"], "string");
    const record = state.steps.find(({ step }) => step.id === update?.attributes["archipelago.step.id"]);
    assert.equal(update && update.startTime[0] * 1000 + Math.round(update.startTime[1] / 1e6), record?.intentAt);
    assert.equal(update && update.endTime[0] * 1000 + Math.round(update.endTime[1] / 1e6), record?.endAt);
  });

  it("show the step that failed and what was undone", async () => {
    const fixture = createRunFixture({
      fleet: quickFleet({ failingHosts: ["host-01", "host-02", "host-03", "host-04", "host-05", "host-06"] }),
      spec: quickSpec(),
    });
    await fixture.clock.run(() => fixture.arm());
    const state = await fixture.clock.run(() => carryOut(RUN, traced(fixture)));
    assert.equal(state.phase, "failed");
    const failed = named("archipelago.step update").filter(({ status }) => status.code === SpanStatusCode.ERROR);
    assert.ok(failed.length > 0);
    assert.ok(named("archipelago.undo").length > 0);
    assert.equal(named("archipelago.run")[0]?.status.code, SpanStatusCode.ERROR);
  });

  it("of two processes are in one trace, and what was left open says so", async () => {
    const fixture = createRunFixture({ fleet: quickFleet(), spec: quickSpec() });
    await fixture.clock.run(() => fixture.arm());
    const stopped = new AbortController();
    const deps = fixture.dependencies(undefined, stopped.signal);
    void fixture.clock.sleep(20_000).then(() => {
      stopped.abort();
    });
    await fixture.clock.run(() => assert.rejects(carryOut(RUN, traced(fixture, deps)), /told to stop/));
    await fixture.clock.run(() => carryOut(RUN, traced(fixture)));
    assert.equal(named("archipelago.run").length, 2);
    assert.ok(named("archipelago.wave").some(({ attributes }) => attributes["archipelago.left_open"] === true));
    assert.equal(new Set(exporter.getFinishedSpans().map((span) => span.spanContext().traceId)).size, 1);
  });

  it("are none without an SDK, and nothing fails", async () => {
    trace.disable();
    const fixture = createRunFixture({ fleet: quickFleet(), spec: quickSpec() });
    await fixture.clock.run(() => fixture.arm());
    assert.equal((await fixture.clock.run(() => carryOut(RUN, traced(fixture)))).phase, "done");
    assert.deepEqual(exporter.getFinishedSpans(), []);
  });
});
