/** Finds instances in a folder: files model_NAME.txt and assignment_NAME.txt, there or in its .tar.gz archives. */
import * as fs from "node:fs";
import * as path from "node:path";
import { gunzipSync } from "node:zlib";

export interface InstanceFiles {
  readonly model: Uint8Array;
  readonly initial: Uint8Array;
}

const BLOCK = 512;
const SIZE_AT = 124;
const SIZE_LENGTH = 12;
const NAME_LENGTH = 100;

/** Reads one instance; undefined where the folder, and its folder `roadef`, have no such files. */
export function findInstance(folder: string, name: string): InstanceFiles | undefined {
  for (const place of [folder, path.join(folder, "roadef")]) {
    if (!fs.existsSync(place)) continue;
    const model = findFile(place, `model_${name}.txt`);
    const initial = findFile(place, `assignment_${name}.txt`);
    if (model && initial) return { model, initial };
  }
  return undefined;
}

function findFile(folder: string, file: string): Uint8Array | undefined {
  const plain = path.join(folder, file);
  if (fs.existsSync(plain)) return fs.readFileSync(plain);
  for (const archive of fs.readdirSync(folder).filter((entry) => entry.endsWith(".tar.gz"))) {
    const found = findInArchive(gunzipSync(fs.readFileSync(path.join(folder, archive))), file);
    if (found) return found;
  }
  return undefined;
}

/** Source of the format: POSIX.1-1988 ustar: headers of one block, contents padded to blocks, sizes in octal. */
function findInArchive(bytes: Buffer, file: string): Uint8Array | undefined {
  const textAt = (from: number, length: number): string =>
    bytes.toString("latin1", from, from + length).replace(/\0.*$/s, "");
  for (let at = 0; at + BLOCK <= bytes.length;) {
    const size = Number.parseInt(textAt(at + SIZE_AT, SIZE_LENGTH), 8) || 0;
    const name = textAt(at, NAME_LENGTH);
    if (path.posix.basename(name) === file) return bytes.subarray(at + BLOCK, at + BLOCK + size);
    at += BLOCK * (1 + Math.ceil(size / BLOCK));
  }
  return undefined;
}
