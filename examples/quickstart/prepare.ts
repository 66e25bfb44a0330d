/** What the quickstart needs before its fleet starts: the package to install, and what hosts have installed already. */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import * as fs from "node:fs";
import * as path from "node:path";
import { archive, folder, hostImage, oldVersion, root } from "./settings";

/** Makes the folder afresh, with the archive of the new version and the hosts' image with the old one. */
export function prepare(): void {
  fs.rmSync(folder, { recursive: true, force: true });
  packArchive();
  const installed = path.join(hostImage, "versions", oldVersion);
  fs.mkdirSync(installed, { recursive: true });
  fs.writeFileSync(path.join(installed, "VERSION"), `${oldVersion}\n`);
  fs.symlinkSync(path.join("versions", oldVersion), path.join(hostImage, "current"));
}

function packArchive(): void {
  const target = path.dirname(archive);
  fs.mkdirSync(target, { recursive: true });
  execFileSync("tar", ["-czf", archive, "-C", path.join(root, "examples", "quickstart", "update", "src"), "tool.ts"]);
  const checksum = createHash("sha256").update(fs.readFileSync(archive)).digest("hex");
  fs.writeFileSync(`${archive}.sha256`, `${checksum}  ${path.basename(archive)}\n`);
}
