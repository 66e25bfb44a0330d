/**
 * The Lua program inside HAProxy that holds requests: while a service is parked, while an exclusive one has no active
 * owner, while a service has no healthy backend. It is what HAProxy itself has no word for: a queue in front of a
 * backend that is bounded in time and number and outlives the choice of another server.
 *
 * Not for: deciding when to hold; the switch does, by the commands that the program adds to the runtime API:
 * `archipelago hold SERVICE MS TOKEN` (0 ms: no end by itself) and `archipelago release SERVICE`; `archipelago waiting
 * SERVICE` tells, `archipelago end` turns away who waits. Each answers with one line of JSON.
 *
 * Invariants
 * 1. HAProxy runs one thread: between the answer to `hold` and the next request nothing else happens, so a request is
 *    either counted at a server already or held.
 * 2. An exclusive service begins held: an HAProxy that was just started knows no owner.
 * 3. A hold ends by itself at its end, a request waits for `maxWaitMs` at most: a switch that died holds nobody for ever.
 */
import type { SwitchLimits, SwitchServiceConfig } from "../config";

/** How often a held request looks again; it is part of the pause of a hand-over. */
const LOOK_AGAIN_MS = 4;
/** A held request that did not look for so long is gone with its client. */
const GONE_MS = 500;

/** The program for these services. */
export function renderHoldScript(services: readonly SwitchServiceConfig[], limits: SwitchLimits): string {
  const entries = services.map(
    ({ name, exclusive }) => `  [${JSON.stringify(name)}] = fresh(${exclusive ? "true" : "false"}),`,
  );
  return `-- Written by archipelago-agent switch; changes are lost.
local function fresh(held)
  return { held = held, until_ms = nil, token = "", waiters = {}, total = 0, longest = 0 }
end

local services = {
${entries.join("\n")}
}
local last = 0
local is_ending = false

local function now()
  local at = core.now()
  return at.sec * 1000 + at.usec / 1000
end

local function is_held(service)
  if service.held and service.until_ms ~= nil and now() >= service.until_ms then service.held = false end
  return service.held
end

local function count_waiting(service)
  local count = 0
  local at = now()
  for id, waiter in pairs(service.waiters) do
    if at - waiter.seen > ${String(GONE_MS)} then service.waiters[id] = nil else count = count + 1 end
  end
  return count
end

-- Counts a request once for each hand-over that it waits for.
local function note_parked(service, waiter)
  if service.held and service.token ~= "" and waiter.token ~= service.token then
    waiter.token = service.token
    waiter.parked_at = now()
    service.total = service.total + 1
  end
end

core.register_action("archipelago_admit", { "http-req" }, function(txn, name)
  local service = services[name]
  local backend = "be." .. name
  if not is_held(service) and txn.f:nbsrv(backend) > 0 then return end
  if count_waiting(service) >= ${String(limits.maxWaiting)} then
    txn:set_var("txn.archipelago_refused", "1")
    return
  end
  last = last + 1
  local id = last
  local began = now()
  local waiter = { seen = began, token = "", parked_at = nil }
  service.waiters[id] = waiter
  note_parked(service, waiter)
  local may_go = false
  while not may_go and not is_ending and now() - began < ${String(limits.maxWaitMs)} do
    core.msleep(${String(LOOK_AGAIN_MS)})
    waiter.seen = now()
    note_parked(service, waiter)
    may_go = not is_held(service) and txn.f:nbsrv(backend) > 0
  end
  service.waiters[id] = nil
  if not may_go then txn:set_var("txn.archipelago_refused", "1") end
end, 1)

core.register_cli({ "archipelago", "end" }, "archipelago end", function(applet)
  is_ending = true
  applet:send('{"ending":true}\\n')
end)

local function answer(applet, name, fields)
  local service = services[name]
  if service == nil then
    applet:send('{"error":"unknown service"}\\n')
    return
  end
  applet:send(fields(service) .. "\\n")
end

core.register_cli({ "archipelago", "hold" }, "archipelago hold SERVICE MS TOKEN", function(applet, _, _, name, ms, token)
  answer(applet, name, function(service)
    local span = tonumber(ms) or 0
    if token ~= nil and token ~= service.token then
      service.total = 0
      service.longest = 0
    end
    service.token = token or ""
    service.held = true
    service.until_ms = nil
    if span > 0 then service.until_ms = now() + span end
    return '{"held":true}'
  end)
end)

core.register_cli({ "archipelago", "release" }, "archipelago release SERVICE", function(applet, _, _, name)
  answer(applet, name, function(service)
    local at = now()
    for _, waiter in pairs(service.waiters) do
      if waiter.parked_at ~= nil and waiter.token == service.token and at - waiter.parked_at > service.longest then
        service.longest = at - waiter.parked_at
      end
    end
    service.held = false
    service.until_ms = nil
    return string.format('{"total":%d,"longestMs":%.1f}', service.total, service.longest)
  end)
end)

core.register_cli({ "archipelago", "waiting" }, "archipelago waiting SERVICE", function(applet, _, _, name)
  answer(applet, name, function(service)
    return string.format('{"waiting":%d,"total":%d}', count_waiting(service), service.total)
  end)
end)
`;
}
