/** A tmpfs with little room, which a test fills up and frees again. Needs root and Linux. */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

const SIZE_MEBIBYTES = 24;
const PIECE_BYTES = 64 * 1024;

/** Why there can be no small disk here; undefined where there can. */
export function whyNoSmallDisk(): string | undefined {
  if (process.getuid?.() !== 0) return "mounting a tmpfs needs root";
  if (process.platform !== "linux") return "there is no tmpfs";
  return spawnSync("mount", ["--version"]).status === 0 ? undefined : "there is no mount";
}

export class SmallDisk {
  private constructor(private readonly folder: string) {}

  /** Mounts one at a folder. @throws the error of `mount` */
  static async mount(folder: string): Promise<SmallDisk> {
    await mkdir(folder, { recursive: true });
    const options = `size=${String(SIZE_MEBIBYTES)}m,mode=0700`;
    execFileSync("mount", ["-t", "tmpfs", "-o", options, "archipelago-test", folder], { stdio: "pipe" });
    return new SmallDisk(folder);
  }

  /** Leaves no byte. */
  async fill(): Promise<void> {
    for (let count = 0; ; count += 1) {
      try {
        await writeFile(this.ballast(count), Buffer.alloc(PIECE_BYTES), { flag: "wx" });
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        if (code === "ENOSPC") return;
        if (code !== "EEXIST") throw error;
      }
    }
  }

  async free(): Promise<void> {
    for (let count = 0; count <= (SIZE_MEBIBYTES * 2 ** 20) / PIECE_BYTES; count += 1)
      await rm(this.ballast(count), { force: true });
  }

  unmount(): Promise<void> {
    execFileSync("umount", ["--lazy", this.folder], { stdio: "pipe" });
    return Promise.resolve();
  }

  private ballast(count: number): string {
    return join(this.folder, `.ballast-${String(count)}`);
  }
}
