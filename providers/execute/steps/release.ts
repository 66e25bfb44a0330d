/** `release`: gives reserved hosts back. The last effect of a run; nothing after it needs the reserve. */
import { driverErrorCode } from "../calls";
import type { Step, StepOf } from "../step";
import { DONE, generousDeadlineMs } from "../step";

const FLOOR_MS = 120_000;
const TRIES = 3;
const LOOK_AGAIN_MS = 5_000;

export const releaseStep: Step<StepOf<"release">> = {
  async observe({ step, platform, read }) {
    const hosts = await read((signal) => platform.hosts.list(signal));
    // One that does not answer is paid for like one that does.
    const held = step.hosts.filter((id) => (hosts.find((host) => host.id === id)?.state ?? "stopped") !== "stopped");
    return held.length === 0 ? "after" : held.length === step.hosts.length ? "before" : "partial";
  },

  prior: () => Promise.resolve(null),

  async start({ step, platform, effect, wait }) {
    for (let attempt = 1; ; attempt++) {
      try {
        await effect("release", "run", (call) => platform.capacity.release(step.hosts, call), { timeoutMs: FLOOR_MS });
        return DONE;
      } catch (error) {
        // A copy that is still ending, or a pool that is busy: what is paid for is worth another try.
        if (driverErrorCode(error) === undefined || attempt >= TRIES) throw error;
        await wait(LOOK_AGAIN_MS);
      }
    }
  },

  // What follows a release needs no reserve, so taking it again would only cost money.
  undo: () => Promise.resolve(undefined),

  deadlineMs: ({ step }) => generousDeadlineMs(step, FLOOR_MS),
};
