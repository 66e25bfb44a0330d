/**
 * HAProxy's runtime API on its Unix socket (management guide, section 9.3): one command, one connection, one answer.
 *
 * Not for: what to command (haproxy-service.ts).
 */
import { closeSync, openSync } from "node:fs";
import { createConnection } from "node:net";
import { join } from "node:path";
import { DriverError, messageOf } from "../../../../../sdk/model";
import { HAPROXY_FILES } from "./haproxy-config";

/** HAProxy answers in less than a millisecond, unless the machine is overloaded. */
const ANSWER_MS = 3_000;
/** `sun_path` of Linux, with its end. */
const LONGEST_SOCKET_PATH = 107;

/** What commands say that worked. */
const SUCCESS = /New server registered|changed from|no need to change|nothing changed/;

/** One server as `show stat` tells it. */
export interface ServerStatus {
  readonly name: string;
  /** Requests and tunnels under way. */
  readonly inFlight: number;
  readonly isUp: boolean;
  /** False until the first health check has ended. */
  readonly isChecked: boolean;
  readonly isInMaintenance: boolean;
  readonly address: string;
  readonly weight: number;
}

/** See the file's header. */
export class RuntimeApi {
  private readonly folder: number | undefined;
  private readonly path: string;

  /** @param folder HAProxy's working folder */
  constructor(folder: string) {
    const path = join(folder, HAPROXY_FILES.socket);
    // A longer path is reached by a short one, through an open descriptor of its folder.
    this.folder = Buffer.byteLength(path) > LONGEST_SOCKET_PATH ? openSync(folder, "r") : undefined;
    this.path = this.folder === undefined ? path : `/proc/self/fd/${String(this.folder)}/${HAPROXY_FILES.socket}`;
  }

  /** Sends one command and gives its answer, trimmed. @throws DriverError unreachable, timeout */
  send(command: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const socket = createConnection(this.path);
      const chunks: Buffer[] = [];
      socket.setTimeout(ANSWER_MS, () => {
        socket.destroy(new DriverError("timeout", "haproxy", `no answer to ${command.split(" ", 2).join(" ")}`));
      });
      socket.on("connect", () => socket.end(`${command}\n`));
      socket.on("data", (chunk: Buffer) => chunks.push(chunk));
      socket.on("error", (error) => {
        if (error instanceof DriverError) reject(error);
        else {
          const remedy = "the switch starts it again; see haproxy.log in the switch's folder";
          reject(
            new DriverError("unreachable", "haproxy", `does not answer (${messageOf(error)})`, {
              remedy,
              cause: error,
            }),
          );
        }
      });
      socket.on("close", () => {
        resolve(Buffer.concat(chunks).toString("utf8").trim());
      });
    });
  }

  /**
   * Sends commands that change something, in one go: each is silent when it worked, or says one of a few things.
   * @throws DriverError failed, unreachable, timeout
   */
  async change(commands: readonly string[]): Promise<void> {
    if (commands.length === 0) return;
    const answer = await this.send(commands.join("; "));
    const refusals = answer.split("\n").filter((line) => line.trim() !== "" && !SUCCESS.test(line));
    if (refusals.length === 0) return;
    throw new DriverError("failed", "haproxy", `answered "${refusals.join(" ")}" to "${commands.join("; ")}"`, {
      remedy: "HAProxy 2.6 or newer is needed; see haproxy.log in the switch's folder",
    });
  }

  /** Sends one of the commands of hold-script.ts. */
  async ask<T>(command: string): Promise<T> {
    const answer = await this.send(command);
    try {
      return JSON.parse(answer) as T;
    } catch (error) {
      throw new DriverError("failed", "haproxy", `answered "${answer}" to "${command}"`, { cause: error });
    }
  }

  /** Pid of the process that answers; undefined when none does. */
  async pid(): Promise<number | undefined> {
    const answer = await this.send("show info").catch(() => "");
    const pid = /^Pid: (\d+)$/m.exec(answer)?.[1];
    return pid === undefined ? undefined : Number(pid);
  }

  /** The servers of a backend. */
  async servers(backend: string): Promise<readonly ServerStatus[]> {
    return parseServers(await this.send(`show stat ${backend} 4 -1`));
  }

  /** Ends the tunnels (upgraded connections) of a backend's servers, all or those of one; returns how many. */
  async endTunnels(backend: string, server?: string): Promise<number> {
    const tunnels = findTunnels(await this.send("show sess all"), backend, server);
    for (const session of tunnels) await this.send(`shutdown session ${session}`);
    return tunnels.length;
  }

  close(): void {
    if (this.folder !== undefined) closeSync(this.folder);
  }
}

/** Reads the CSV of `show stat`. */
export function parseServers(csv: string): readonly ServerStatus[] {
  const [head = "", ...lines] = csv.split("\n");
  const names = head.replace(/^# /, "").split(",");
  const column = (fields: readonly string[], name: string): string => fields[names.indexOf(name)] ?? "";
  return lines
    .map((line) => line.split(","))
    .filter((fields) => fields.length > 1 && column(fields, "type") === "2")
    .map((fields) => {
      const status = column(fields, "status");
      return {
        name: column(fields, "svname"),
        inFlight: Number(column(fields, "scur")),
        // DRAIN is how a healthy server of weight 0 is shown.
        isUp: /^(UP|DRAIN|NOLB)/.test(status),
        isChecked: !["", "INI"].includes(column(fields, "check_status")),
        isInMaintenance: status.startsWith("MAINT"),
        address: column(fields, "addr"),
        weight: Number(column(fields, "uweight")),
      };
    });
}

/** Sessions of `show sess all` that were upgraded, by their address in HAProxy's memory. */
export function findTunnels(sessions: string, backend: string, server?: string): readonly string[] {
  return sessions
    .split(/^(?=0x[0-9a-f]+: )/m)
    .filter((session) => session.includes(`backend=${backend} `) && /rsp=MSG_TUNNEL|rsp\.st=MSG_TUNNEL/.test(session))
    .filter((session) => server === undefined || session.includes(`server=${server} `))
    .map((session) => session.slice(0, session.indexOf(":")));
}
