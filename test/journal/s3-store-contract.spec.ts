import { it } from "mocha";
import { systemClock } from "../../providers/clock";
import { openS3Store } from "../../providers/journal/s3-store";
import { describeRunStore } from "../drivers/run-store-contract";
import { NO_MOTO, setEnvironment, startMoto, TEST_CREDENTIALS } from "./moto";

if (NO_MOTO === "") {
  describeRunStore(
    "the S3 store",
    async () => {
      const restore = setEnvironment(TEST_CREDENTIALS);
      const moto = await startMoto();
      const url = moto.url("team/fleet");
      return {
        clock: systemClock,
        run: (body) => body(),
        close: async () => {
          restore();
          await moto.close();
        },
        store: openS3Store(url),
        openAgain: () => Promise.resolve(openS3Store(url)),
        timeUncertaintyMs: 1500,
      };
    },
    { timeoutMs: 60_000 },
  );
} else {
  it.skip(`journal: the S3 store keeps the run store contract${NO_MOTO}`);
}
