/**
 * Opens a stack at the engine that is there: the real `pulumi` CLI where it is on the path, else the stand-in.
 */
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import type { EngineKind, EngineOptions, EngineSession } from "./engine-session";
import { openPulumi } from "./pulumi-cli";
import { openStandIn } from "./stand-in/session";

/**
 * Opens a stack.
 * @param options `kind` "auto" (default) takes the CLI where it is on the path; the session says which it is
 */
export async function openEngine(
  options: EngineOptions & { readonly kind?: "auto" | EngineKind },
): Promise<EngineSession> {
  return chooseEngine(options.kind ?? "auto") === "pulumi" ? openPulumi(options) : openStandIn(options);
}

/** What "auto" means on this machine. */
export function chooseEngine(kind: "auto" | EngineKind): EngineKind {
  if (kind !== "auto") return kind;
  return isPulumiOnPath() ? "pulumi" : "stand-in";
}

function isPulumiOnPath(): boolean {
  const names = process.platform === "win32" ? ["pulumi.exe", "pulumi.cmd"] : ["pulumi"];
  const folders = (process.env["PATH"] ?? "").split(delimiter);
  return folders.some((folder) => names.some((name) => isExecutable(join(folder, name))));
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
