/** `reserve`: starts standby hosts and holds them for this run. Undone by giving them back. */
import type { Step, StepOf } from "../step";
import { generousDeadlineMs } from "../step";

const FLOOR_MS = 300_000;

interface Prior {
  /** Hosts that were not running before; only these are stopped again. */
  readonly started: readonly string[];
}

export const reserveStep: Step<StepOf<"reserve">> = {
  // Running is not held: whether the mark is this run's is known to the driver only, so it is always asked.
  observe: () => Promise.resolve("unknown"),

  async prior({ step, platform, read }) {
    const hosts = await read((signal) => platform.hosts.list(signal));
    const started = step.hosts.filter((id) => hosts.find((host) => host.id === id)?.state !== "ready");
    return { started } satisfies Prior;
  },

  async start({ step, run, platform, marksExpireAt, effect }) {
    const mark = { owner: run, expiresAt: marksExpireAt };
    await effect("reserve", "run", (call) => platform.capacity.reserve(step.hosts, mark, call), {
      timeoutMs: FLOOR_MS,
    });
    return undefined;
  },

  async poll({ step, platform, read }) {
    const hosts = await read((signal) => platform.hosts.list(signal));
    const waiting = step.hosts.filter((id) => hosts.find((host) => host.id === id)?.state !== "ready");
    if (waiting.length > 0) return { state: "running", waitsFor: `${waiting.join(", ")} not ready` };
    return { state: "done", result: { hosts: [...step.hosts] } };
  },

  async undo({ platform, effect }, prior) {
    const { started } = prior as unknown as Prior;
    if (started.length === 0) return undefined;
    await effect("release", "run", (call) => platform.capacity.release(started, call), { timeoutMs: FLOOR_MS });
    return `reserve ${started.join(", ")} given back`;
  },

  deadlineMs: ({ step }) => generousDeadlineMs(step, FLOOR_MS),
};
