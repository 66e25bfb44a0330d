/** What a local fleet is made of: JSON that travels from the component to the provider. */
import type { ProcessSpec, Resources } from "./fleet";

/** Everything that starts a local fleet: agents, a switch and the first copies. */
export interface LocalFleetSpec {
  readonly name: string;
  /** Folder of the fleet; made when missing, removed with the fleet. */
  readonly directory: string;
  readonly hosts: readonly LocalHostSpec[];
  readonly workloads: readonly LocalWorkloadSpec[];
  /** Folder whose content every host's root folder starts with. */
  readonly hostImage?: string;
  /** Folders by the names of the images that hosts can be replaced by. Absent: they cannot be replaced. */
  readonly images?: Readonly<Record<string, string>>;
  /** What about the fleet is made up, such as generated load history; reports repeat it. */
  readonly disclosures?: readonly string[];
  /** What moves requests. @default "embedded" */
  readonly traffic?: TrafficEngine;
  /** File of the switch's access log. @default none is written */
  readonly accessLog?: string;
}

/** What moves requests: the switch's own process, or an HAProxy that it starts and steers. */
export type TrafficEngine = "embedded" | "haproxy";

export interface LocalHostSpec {
  readonly id: string;
  readonly zone: string;
  readonly rack?: string;
  readonly role: "member" | "standby";
  readonly cpuMillis: number;
  readonly memoryBytes: number;
}

export interface LocalWorkloadSpec {
  readonly name: string;
  readonly copies: number;
  readonly exclusive: boolean;
  readonly process: ProcessSpec;
  readonly request: Resources;
  /** Name of its service at the switch; absent for jobs without traffic. */
  readonly service?: string;
  /** Port of the service on 127.0.0.1; absent: any free one. */
  readonly servicePort?: number;
}
