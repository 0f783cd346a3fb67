-- Sends the requests of a file over wrk's connections, and prints what wrk has measured as one line of JSON.
--
-- Arguments, each NAME=VALUE:
--   requests  a file with a request a line: method, path and body, with tabs between them
--   pick      any: one of them at random; each: one after the other, once
--   each      with pick=each, how often to send one before the next, and then to begin anew
--   keyed     send an idempotency key with each
--   follow    of each order that was placed, ask for this next: pay or cancel
--   stop      end the process, without figures, once this number of requests was sent
--   server    host:port of a server; of several each has a thread

local settings, requests, placed = {}, {}, {}
local sent = 0
local workers = {}

-- Requests that were to be sent once and were sent again, since there were too few. `done` reads it from another Lua state.
repeated = 0

local function format(method, path, body, key)
  local headers = {}
  if body ~= "" then headers["content-type"] = "application/json" end
  if key then headers["idempotency-key"] = key end
  return wrk.format(method, path, headers, body ~= "" and body or nil)
end

function setup(thread)
  table.insert(workers, thread)
  thread:set("number", #workers)
end

function init(arguments)
  local servers = {}
  for _, argument in ipairs(arguments) do
    local name, value = argument:match("^(%l+)=(.*)$")
    if name == "server" then table.insert(servers, value) end
    settings[name] = value
  end
  -- Each thread has its server.
  if #servers > 1 then
    local host, port = servers[number]:match("^(.*):(%d+)$")
    wrk.thread.addr = wrk.lookup(host, port)[1]
  end
  for line in io.lines(settings.requests) do
    local method, path, body = line:match("^(%u+)\t([^\t]+)\t(.*)$")
    table.insert(requests, settings.keyed and { method, path, body } or format(method, path, body))
  end
  if settings.follow then
    response = function(status, _, body)
      if status == 201 then table.insert(placed, body:match('"order_id":"([^"]+)"')) end
    end
  end
end

local function choose()
  if settings.pick == "any" then return requests[math.random(#requests)] end
  local turn = math.floor((sent - 1) / (settings.each or 1))
  if turn >= #requests and not settings.each then repeated = repeated + 1 end
  return requests[turn % #requests + 1]
end

function request()
  if sent == tonumber(settings.stop) then os.exit() end
  sent = sent + 1
  if #placed > 0 then return format("POST", "/orders/" .. table.remove(placed) .. "/" .. settings.follow, "") end
  local chosen = choose()
  return settings.keyed and format(chosen[1], chosen[2], chosen[3], string.format("bench-%016d", sent)) or chosen
end

function done(summary, latency)
  local errors, again = summary.errors, 0
  for _, worker in ipairs(workers) do again = again + worker:get("repeated") end
  print(string.format(
    'figures {"requests":%d,"micros":%d,"p50":%d,"p99":%d,"longest":%d,"refused":%d,"unanswered":%d,"repeated":%d}',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99), latency.max, errors.status,
    errors.connect + errors.read + errors.write + errors.timeout, again
  ))
end
