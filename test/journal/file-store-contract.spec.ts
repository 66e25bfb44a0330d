import * as fs from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../../providers/clock";
import { openFileStore } from "../../providers/journal/file-store";
import { describeRunStore } from "../drivers/run-store-contract";

describeRunStore("the file store", async () => {
  const folder = await fs.mkdtemp(join(tmpdir(), "archipelago-contract-"));
  const url = `file:${folder}/store`;
  return {
    clock: systemClock,
    run: (body) => body(),
    close: () => fs.rm(folder, { recursive: true }),
    store: await openFileStore(url),
    openAgain: () => openFileStore(url),
  };
});
