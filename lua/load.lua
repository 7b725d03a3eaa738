#!lua
-- Put an item on sale, add stock to it, switch it, or verify it: everything that is done to an item itself.
--
-- verify lets an item sell on the server that it is found on, if it has all that the database has seen of it.
-- A server has a new run id after each start, and what it holds then may be older than what was sold.
--
-- load refuses an item that has orders, unless it is told which epoch it replaces; then nothing may be
-- held any more, and the old epoch's books are kept beside the new ones under its number. An item that is
-- being rebuilt, see rebuild.lua, takes nothing but a load.
--
-- KEYS[1] item    hash, see reserve.lua
-- KEYS[2] buyers  hash
-- KEYS[3] orders  hash
-- KEYS[4] keys    hash
-- KEYS[5] due     sorted set
-- KEYS[6] outbox  stream
-- KEYS[7] addresses  hash
--
-- ARGV[1] action     load, add, switch or verify
-- ARGV[2] units      load: total; add: units to add; verify: events of the epoch that the database has
-- ARGV[3] status     load, switch: open, closed or paused
-- ARGV[4] opens_at   load: milliseconds since 1970, 0 for at once
-- ARGV[5] closes_at  load: milliseconds since 1970, 0 for never
-- ARGV[6] per_buyer  load: units a buyer may have
-- ARGV[7] hold       load: milliseconds an unpaid hold lives
-- ARGV[8] replaces   load: epoch that this replaces, or empty
-- ARGV[9] epoch      load: the least epoch that the new item may have; verify: the last that the database has
-- ARGV[10] run_id    of the server that the caller believes to talk to
--
-- Returns one of
--   {'done', field, value, ...}   the item as it now stands
--   {'has_orders', epoch}         load: there are orders of that epoch; say that you replace it
--   {'has_holds', epoch, units}   load: units of that epoch are still held
--   {'older', epoch, events}      verify: the ledger is behind the database; what it has
--   {'unknown_item'}              add, switch, verify: no such item
--   {'unavailable', reason}       the ledger can't be trusted here; nothing was changed

local STATUSES = {open = true, closed = true, paused = true}

local function whole(value)
  return value and #value <= 15 and string.match(value, '^%d+$') and tonumber(value)
end

-- The fields named, as numbers; nil if one is missing or damaged.
local function numbers(...)
  local values = redis.call('HMGET', KEYS[1], ...)
  for i = 1, #values do
    values[i] = whole(values[i])
    if not values[i] then
      return nil
    end
  end
  return values
end

local function archive(epoch)
  for _, key in ipairs({KEYS[2], KEYS[3], KEYS[4]}) do
    if redis.call('EXISTS', key) == 1 then
      redis.call('RENAME', key, key .. ':' .. epoch)
    end
  end
  redis.call('DEL', KEYS[5], KEYS[7])
end

local function load(present)
  for i = 2, 9 do
    if i ~= 3 and not whole(ARGV[i]) and not (i == 8 and ARGV[i] == '') then
      return {'unavailable', 'argument ' .. i}
    end
  end
  local epoch, seq, held = 0, 0, 0
  if present then
    local values = numbers('epoch', 'seq', 'held')
    if not values then
      return {'unavailable', 'the item key is damaged'}
    end
    epoch, seq, held = unpack(values)
  elseif redis.call('EXISTS', KEYS[2], KEYS[3], KEYS[4], KEYS[5]) > 0 then
    return {'unavailable', 'there are orders of this item, but its own key is missing'}
  end
  redis.call('XLEN', KEYS[6])
  if seq > 0 then
    if tonumber(ARGV[8]) ~= epoch then
      return {'has_orders', epoch}
    end
    if held > 0 then
      return {'has_holds', epoch, held}
    end
    archive(epoch)
  end
  redis.call('HSET', KEYS[1], 'total', ARGV[2], 'free', ARGV[2], 'held', 0, 'paid', 0,
    'status', ARGV[3], 'opens_at', ARGV[4], 'closes_at', ARGV[5], 'per_buyer', ARGV[6], 'hold', ARGV[7],
    'epoch', math.max(epoch + 1, tonumber(ARGV[9])), 'seq', 0, 'chain', 0, 'digest', string.rep('0', 40),
    'verified', ARGV[10])
  redis.call('HDEL', KEYS[1], 'rebuilding')
end

local function verify()
  local events, epoch, values = whole(ARGV[2]), whole(ARGV[9]), numbers('epoch', 'chain')
  if not (events and epoch) then
    return {'unavailable', 'argument'}
  end
  if not values then
    return {'unavailable', 'the item key is damaged'}
  end
  if values[1] < epoch or (values[1] == epoch and values[2] < events) then
    return {'older', values[1], values[2]}
  end
  redis.call('HSET', KEYS[1], 'verified', ARGV[10])
end

local function add()
  local units, values = whole(ARGV[2]), numbers('total', 'free', 'held', 'paid')
  if not units then
    return {'unavailable', 'units'}
  end
  if not values or values[1] ~= values[2] + values[3] + values[4] then
    return {'unavailable', 'the item key is damaged'}
  end
  redis.call('HSET', KEYS[1], 'total', values[1] + units, 'free', values[2] + units)
end

local present = redis.call('HLEN', KEYS[1]) > 0
if ARGV[1] ~= 'load' and not present then
  return {'unknown_item'}
end
if ARGV[1] ~= 'load' and redis.call('HGET', KEYS[1], 'rebuilding') then
  return {'unavailable', 'it is being rebuilt; run the rebuild again to finish that'}
end
if (ARGV[1] == 'load' or ARGV[1] == 'switch') and not STATUSES[ARGV[3]] then
  return {'unavailable', 'status'}
end
local problem
if ARGV[1] == 'load' then
  problem = load(present)
elseif ARGV[1] == 'add' then
  problem = add()
elseif ARGV[1] == 'switch' then
  redis.call('HSET', KEYS[1], 'status', ARGV[3])
elseif ARGV[1] == 'verify' then
  problem = verify()
else
  problem = {'unavailable', 'action'}
end
if problem then
  return problem
end
local view = redis.call('HGETALL', KEYS[1])
table.insert(view, 1, 'done')
return view
