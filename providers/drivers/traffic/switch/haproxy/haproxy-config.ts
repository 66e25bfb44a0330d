/**
 * The configuration of the HAProxy that the switch steers: a front end and an empty back end for every service. Pure.
 *
 * Not for: backends, weights, owners: they come and go by the runtime API (haproxy-service.ts).
 *
 * Invariants
 * 1. Paths are relative to HAProxy's working folder, so that the text is the same wherever a fleet lies.
 * 2. One thread: see hold-script.ts.
 * 3. Connections to servers end with their request: none is reused, so no request meets a connection that a server is
 *    just closing, and a drained server has none left.
 * 4. A request is sent a second time only if no connection came about, or if its method is idempotent and not a byte of
 *    an answer came.
 */
import type { SwitchLimits, SwitchServiceConfig } from "../config";
import { CALLER_HEADER } from "../call-stats";
import { SLOW_HEADER } from "../traffic-stats";

/** File names in HAProxy's folder. */
export const HAPROXY_FILES = { config: "haproxy.cfg", script: "hold.lua", socket: "admin.sock" } as const;

/** A service with the port it has. */
export type BoundService = SwitchServiceConfig & { readonly port: number };

/** Name of a service's proxies in HAProxy. */
export function backendName(service: string): string {
  return `be.${service}`;
}

/** File with the path of every server's health check. */
export function healthMap(service: string): string {
  return `health-${service}.map`;
}

/** The text of haproxy.cfg. */
export function renderHaproxyConfig(
  services: readonly BoundService[],
  limits: SwitchLimits,
  ports: { readonly log: number },
): string {
  return `# Written by archipelago-agent switch; changes are lost.
global
  stats socket unix@${HAPROXY_FILES.socket} mode 600 level admin expose-fd listeners
  stats timeout 1m
  nbthread 1
  fd-hard-limit 65536
  hard-stop-after 60s
  lua-load ${HAPROXY_FILES.script}
  log 127.0.0.1:${String(ports.log)} len 1024 format raw local0 info

defaults
  mode http
  log global
  option http-server-close
  option http-no-delay
  option forwardfor
  option dontlognull
  option abortonclose
  option clitcpka
  option srvtcpka
  timeout connect 2s
  timeout check 2s
  timeout http-request 30s
  timeout http-keep-alive 75s
  timeout client 1h
  timeout server ${String(limits.backendSilenceMs)}ms
  timeout tunnel 24h

${services.map((service) => renderService(service, limits)).join("\n")}`;
}

function renderService({ name, port, exclusive }: BoundService, limits: SwitchLimits): string {
  const backend = backendName(name);
  // A plain service is asked about only when nobody could take the request.
  const when = exclusive ? "" : ` if { nbsrv(${backend}) lt 1 }`;
  const refusal = `{\\"error\\":\\"no backend of this service could take the request in time\\",\\"service\\":\\"${name}\\"}`;
  return `frontend fe.${name}
  bind 127.0.0.1:${String(port)}
  http-request capture req.hdr(${SLOW_HEADER}) len 1
  http-request capture req.hdr(${CALLER_HEADER}) len 63
  http-request lua.archipelago_admit ${name}${when}
  http-request return status 503 content-type application/json string "${refusal}" hdr retry-after 1 if { var(txn.archipelago_refused) -m found }
  http-request disable-l7-retry unless { method GET HEAD OPTIONS TRACE PUT DELETE }
  log-format "archipelago %b %s %ST %Ta %ts %[capture.req.hdr(0)] %[capture.req.hdr(1)] %U %B %HM %HPO"
  default_backend ${backend}

backend ${backend}
  balance roundrobin
  option httpchk
  http-check send meth GET uri-lf "%[srv_name,map(${healthMap(name)},/)]" ver HTTP/1.1 hdr Host localhost
  http-check expect status 200-299
  # A refused connection is tried again on another server at once, on the same one after a second.
  retries ${String(Math.max(1, Math.floor(limits.maxWaitMs / 1000)))}
  ${exclusive ? "no option redispatch" : "option redispatch 1"}
  retry-on conn-failure empty-response
`;
}
