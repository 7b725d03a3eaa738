-- Buyers for wrk: every request is another buyer's.
--
--   wrk … -s buyers.lua http://127.0.0.1:PORT -- PATH BUYERS ITEMS FIRST THINK
--
-- PATH    where they buy; # in it stands for the number of an item
-- BUYERS  how many requests each thread sends, 0 for as many as the time allows
-- ITEMS   how many items they buy, one after the other
-- FIRST   what the buyers' names begin with, so that no run has the buyers of another
-- THINK   milliseconds that a connection waits before each request, 0 for none
--
-- wrk sleeps for the whole of its duration, whatever its threads do. So each thread takes the time itself and says
-- "done <first request> <last answer>" (seconds, monotonic) when its buyers are through; whoever reads that ends wrk
-- by SIGINT. At the end "answers <JSON>" tells what came of it all.

local ffi = require("ffi")
ffi.cdef [[
  typedef struct { long seconds; long nanoseconds; } moment;
  int clock_gettime(int clock, moment *now);
]]
local MONOTONIC = 1

local threads = {}

function setup(thread)
  thread:set("id", #threads + 1)
  table.insert(threads, thread)
end

local moment, buyers, items, before, between, after, began
local sent, answered = 0, 0
answers = {} -- by status, as text

local function now()
  ffi.C.clock_gettime(MONOTONIC, moment)
  return tonumber(moment.seconds) + tonumber(moment.nanoseconds) / 1e9
end

function init(args)
  moment = ffi.new("moment")
  local path, body = args[1], "quantity=1"
  buyers, items = tonumber(args[2]), tonumber(args[3])
  local head, tail = path:match("^([^#]*)#?(.*)$")
  before = "POST " .. head
  between = tail .. " HTTP/1.1\r\nHost: shop.example\r\nAccept: application/json\r\nX-User-Id: " .. args[4] .. "-" .. id .. "-"
  after = "\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: " .. #body .. "\r\n\r\n" .. body
  think = tonumber(args[5])
  if think > 0 then
    math.randomseed(id)
    delay = function() return math.random(0, 2 * think) end
  end
end

function request()
  began = began or now()
  sent = sent + 1
  return before .. (items > 1 and sent % items or "") .. between .. sent .. after
end

function response(status)
  answered = answered + 1
  answers[status] = (answers[status] or 0) + 1
  if answered == buyers then
    io.write(string.format("done %.6f %.6f\n", began, now()))
    io.flush()
    wrk.thread:stop()
  end
end

function done(summary, latency)
  local counts = {}
  for _, thread in ipairs(threads) do
    for status, count in pairs(thread:get("answers")) do
      counts[status] = (counts[status] or 0) + count
    end
  end
  local said = {}
  for status, count in pairs(counts) do
    table.insert(said, string.format('"%s": %d', status, count))
  end
  local errors = summary.errors
  io.write(string.format(
    'answers {"answers": {%s}, "broken": %d, "seconds": %.6f, "p50": %.3f, "p99": %.3f}\n',
    table.concat(said, ", "), errors.connect + errors.read + errors.write + errors.timeout, summary.duration / 1e6,
    latency:percentile(50) / 1000, latency:percentile(99) / 1000))
end
