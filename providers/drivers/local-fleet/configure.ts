/**
 * Writes what the processes of a local fleet read: certificates, configurations, root folders and the inventory.
 *
 * Invariant: everything here can be done again; what exists is kept or replaced by the same.
 */
import { cp, mkdir, rename, rm, stat } from "node:fs/promises";
import { canonicalJson, MistakeError, type LocalFleetSpec, type Mistake } from "../../../sdk/model";
import { findFreePort } from "../../agent/free-port";
import { createFleetAuthority, issueCertificate, type TlsFiles } from "../certificates";
import type { Inventory } from "../inventory";
import { readFleetFile, writeJson, type FleetFile, type FleetLayout } from "./layout";

/** All of a local fleet serves on the loopback address. */
const LOCAL_ADDRESS = "127.0.0.1";

/**
 * Chooses the ports of a fleet once and keeps them with its spec.
 * @throws MistakeError when the folder holds another fleet
 */
export async function openFleetFile(layout: FleetLayout, spec: LocalFleetSpec): Promise<FleetFile> {
  const existing = await readFleetFile(layout);
  if (existing) {
    if (canonicalJson(existing.spec) === canonicalJson(spec)) return existing;
    const remedy = "delete that fleet first, or choose another folder";
    throw MistakeError.of(
      "directory",
      layout.directory,
      `holds fleet ${existing.spec.name} already, made otherwise`,
      remedy,
    );
  }
  const taken = new Set<number>();
  const hosts: Record<string, number> = {};
  for (const { id } of spec.hosts) hosts[id] = await chooseFreePort(taken);
  const services: Record<string, number> = {};
  for (const { service, servicePort } of spec.workloads) {
    if (service !== undefined) services[service] = servicePort ?? (await chooseFreePort(taken));
  }
  const file: FleetFile = {
    v: 1,
    spec,
    directory: layout.directory,
    ports: { switch: await chooseFreePort(taken), hosts, services },
    isPopulated: false,
  };
  await mkdir(layout.directory, { recursive: true, mode: 0o700 });
  await writeJson(layout.record, file);
  return file;
}

/** Writes certificates, configurations, root folders and, last, the inventory. @throws MistakeError for images without a folder */
export async function configureFleet(layout: FleetLayout, file: FleetFile): Promise<Inventory> {
  await checkImages(file.spec);
  await createFleetAuthority(layout.tls);
  const controller = await issueCertificate(layout.tls, { name: "controller", role: "client", addresses: [] });
  await configureSwitch(layout, file);
  await Promise.all(file.spec.hosts.map((host) => configureHost(layout, file, host.id)));
  const inventory = createInventory(layout, file, controller);
  await writeJson(layout.inventory, inventory);
  return inventory;
}

/** Where clients reach each service. */
export function endpointsOf(file: FleetFile): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(file.ports.services).map(([service, port]) => [service, `http://${LOCAL_ADDRESS}:${String(port)}`]),
  );
}

/** A run would find out that an image is not there when it has emptied a host for it. */
async function checkImages({ images = {} }: LocalFleetSpec): Promise<void> {
  const mistakes = await Promise.all(
    Object.entries(images).map(async ([name, folder]): Promise<Mistake[]> => {
      if ((await stat(folder).catch(() => undefined))?.isDirectory()) return [];
      return [{ field: `images.${name}`, value: folder, rule: "must be a folder", remedy: "correct the path" }];
    }),
  );
  if (mistakes.flat().length > 0) throw new MistakeError("local fleet", mistakes.flat());
}

async function configureSwitch(layout: FleetLayout, file: FleetFile): Promise<void> {
  const tls = await issueCertificate(layout.tls, { name: "switch", role: "switch", addresses: [LOCAL_ADDRESS] });
  const services = file.spec.workloads.flatMap(({ service, exclusive }) =>
    service === undefined ? [] : [{ name: service, port: file.ports.services[service] ?? 0, exclusive }],
  );
  await writeJson(layout.switch.config, {
    tls,
    controlPort: file.ports.switch,
    stateFile: "state.json",
    services,
    ...(file.spec.accessLog === undefined ? {} : { accessLog: file.spec.accessLog }),
    ...(file.spec.traffic === undefined ? {} : { engine: file.spec.traffic }),
  });
}

async function configureHost(layout: FleetLayout, file: FleetFile, id: string): Promise<void> {
  const host = file.spec.hosts.find((candidate) => candidate.id === id);
  if (!host) return;
  const paths = layout.host(id);
  const tls = await issueCertificate(layout.tls, { name: id, role: "agent", addresses: [LOCAL_ADDRESS] });
  await seedRoot(paths.root, file.spec.hostImage);
  await writeJson(paths.config, {
    host: id,
    zone: host.zone,
    ...(host.rack === undefined ? {} : { rack: host.rack }),
    role: host.role,
    platform: "local",
    listen: { host: LOCAL_ADDRESS, port: file.ports.hosts[id] },
    directory: paths.state,
    root: paths.root,
    tls,
    capacity: { cpuMillis: host.cpuMillis, memoryBytes: host.memoryBytes },
    switch: { url: switchUrl(file) },
    environment: serviceEnvironment(file),
  });
}

/** `ARCHIPELAGO_SERVICE_<NAME>`: how workloads find each other. */
function serviceEnvironment(file: FleetFile): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(endpointsOf(file)).map(([service, url]) => [
      `ARCHIPELAGO_SERVICE_${service.toUpperCase().replaceAll(/[^A-Z0-9]/g, "_")}`,
      url,
    ]),
  );
}

/** A root folder is there as a whole or not at all: a half-copied image would be a host of its own kind. */
export async function seedRoot(root: string, image: string | undefined, field = "hostImage"): Promise<void> {
  if (await stat(root).catch(() => undefined)) return;
  const draft = `${root}.new`;
  await rm(draft, { recursive: true, force: true });
  await mkdir(draft, { recursive: true, mode: 0o700 });
  if (image !== undefined) {
    await cp(image, draft, { recursive: true, preserveTimestamps: true }).catch((error: unknown) => {
      const rule = `must be a folder that can be copied (${(error as NodeJS.ErrnoException).code ?? String(error)})`;
      throw MistakeError.of(field, image, rule, "correct the path");
    });
  }
  await rename(draft, root);
}

function createInventory(layout: FleetLayout, file: FleetFile, controller: TlsFiles): Inventory {
  return {
    v: 1,
    name: file.spec.name,
    hosts: file.spec.hosts.map(({ id, zone, rack, role, cpuMillis, memoryBytes }) => ({
      id,
      url: `https://${LOCAL_ADDRESS}:${String(file.ports.hosts[id])}`,
      zone,
      ...(rack === undefined ? {} : { rack }),
      role,
      capacity: { cpuMillis, memoryBytes },
    })),
    switch: { url: switchUrl(file), ...(file.spec.traffic === undefined ? {} : { engine: file.spec.traffic }) },
    tls: controller,
    store: `file:${layout.store}`,
    ...(file.spec.disclosures === undefined ? {} : { disclosures: file.spec.disclosures }),
    local: { directory: layout.directory },
  };
}

function switchUrl(file: FleetFile): string {
  return `https://${LOCAL_ADDRESS}:${String(file.ports.switch)}`;
}

async function chooseFreePort(taken: Set<number>): Promise<number> {
  for (;;) {
    const port = await findFreePort(LOCAL_ADDRESS);
    if (taken.has(port)) continue;
    taken.add(port);
    return port;
  }
}
