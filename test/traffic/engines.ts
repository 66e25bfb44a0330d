/** Suites that run on both traffic engines. */
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { describe } from "mocha";
import type { TrafficEngine } from "../../sdk/model";

const FOLDERS = [...(process.env["PATH"] ?? "").split(delimiter), "/usr/sbin", "/usr/local/sbin"];

/** True where the Debian package haproxy, or one like it, is installed. */
export const HAS_HAPROXY = FOLDERS.some((folder) => {
  try {
    accessSync(join(folder, "haproxy"), constants.X_OK);
    return true;
  } catch {
    return false;
  }
});

/** Defines a suite once for each engine; that of HAProxy is skipped where it is not installed. */
export function describeOnEngines(title: string, define: (engine: TrafficEngine, suite: Mocha.Suite) => void): void {
  for (const engine of ["embedded", "haproxy"] as const) {
    const isSkipped = engine === "haproxy" && !HAS_HAPROXY;
    const name = `${title}, ${engine}`;
    const body = function (this: Mocha.Suite): void {
      define(engine, this);
    };
    if (isSkipped) describe.skip(`${name} (skipped: the Debian package haproxy is not installed)`, body);
    else describe(name, body);
  }
}
