#!lua
-- Put an item back from what the database has kept of it, in four steps: retire, begin, fill (many times), swap.
-- resume takes retire back.
--
-- Several rebuilds may be at work, though nobody meant that: the one that retired the item last may go on, and no other.
-- One that found the item retired leaves it so when it fails, since the other one may still be on its way.
--
-- retire ends all that could still change the old item: reserve and settle refuse it as unverified, and load.lua lets
-- nobody verify it. The new one is filled beside it and takes its place at once. The old keys are kept beside the
-- new ones, whatever type they have. What was sealed stays sealed, and an admission that was used stays used. The
-- database knows no addresses, so their orders are counted anew.
--
-- KEYS[1] item        hash, see reserve.lua; rebuilding (how often it was retired)
-- KEYS[2] buyers      hash
-- KEYS[3] orders      hash
-- KEYS[4] keys        hash
-- KEYS[5] due         sorted set
-- KEYS[6] outbox      stream
-- KEYS[7] new_buyers  hash, becomes buyers
-- KEYS[8] new_orders  hash, becomes orders
-- KEYS[9] new_keys    hash, becomes keys
-- KEYS[10] new_due    sorted set, becomes due
-- KEYS[11] rebuild    string: the rebuild that may go on
-- KEYS[12] addresses  hash
--
-- ARGV[1] action   retire, resume, begin, fill or swap
-- ARGV[2] run_id   of the server that the caller believes to talk to
-- ARGV[3] now      microseconds since 1970, or empty for the server's own time
-- ARGV[4] content  fill: JSON, a list of [order id, record as text, buyer, units, due, field in keys], the last
--                  three 0, 0 and '' where there is nothing; swap: JSON, the item's fields, and orders, their count
-- ARGV[5] rebuild  what tells this rebuild from every other one
--
-- Returns one of
--   {'done', field, value, ...}   retire, swap: the item as it now stands
--   {'nothing'}                   retire: there is no item that could be read; resume, begin, fill: done
--   {'selling', epoch}            retire: it is on sale, and nothing is wrong with it
--   {'other'}                     all but retire: this is not the rebuild that may go on
--   {'left', count}               swap: events wait in the outbox
--   {'changed'}                   swap: somebody else has put an item there
--   {'incomplete', count}         swap: so many orders are there, not those that were announced
--   {'unavailable', reason}       an argument is wrong; nothing was changed

local function item_view()
  local view = redis.call('HGETALL', KEYS[1])
  table.insert(view, 1, 'done')
  return view
end

local function is_hash()
  return redis.call('TYPE', KEYS[1]).ok == 'hash'
end

-- Whether reserve.lua finds nothing wrong with its numbers.
local function is_sound()
  local values = redis.call('HMGET', KEYS[1], 'total', 'free', 'held', 'paid', 'epoch', 'seq', 'chain')
  for i = 1, #values do
    values[i] = values[i] and string.match(values[i], '^%d+$') and tonumber(values[i])
    if not values[i] then
      return false
    end
  end
  return values[1] == values[2] + values[3] + values[4]
end

local function on_sale()
  local status, verified, closes_at = unpack(redis.call('HMGET', KEYS[1], 'status', 'verified', 'closes_at'))
  if status ~= 'open' or verified ~= ARGV[2] or not is_sound() then
    return false
  end
  local now = tonumber(ARGV[3])
  if not now then
    local time = redis.call('TIME')
    now = time[1] * 1000000 + time[2]
  end
  local closes = tonumber(closes_at or '0') or 0
  return closes == 0 or now / 1000 < closes
end

local function retire()
  local found = is_hash()
  if found and on_sale() then
    return {'selling', redis.call('HGET', KEYS[1], 'epoch')}
  end
  redis.call('SET', KEYS[11], ARGV[5])
  if not found then
    return {'nothing'}
  end
  redis.call('HSET', KEYS[1], 'rebuilding', (tonumber(redis.call('HGET', KEYS[1], 'rebuilding')) or 0) + 1)
  redis.call('HSET', KEYS[1], 'verified', '')
  return item_view()
end

local function resume()
  if is_hash() and redis.call('HGET', KEYS[1], 'rebuilding') == '1' then
    redis.call('HDEL', KEYS[1], 'rebuilding')
  end
  return {'nothing'}
end

local function begin()
  redis.call('UNLINK', KEYS[7], KEYS[8], KEYS[9], KEYS[10])
  return {'nothing'}
end

local function fill(rows)
  for _, row in ipairs(rows) do
    local order_id, record, buyer, units, due, key = unpack(row)
    redis.call('HSET', KEYS[8], order_id, record)
    if units > 0 then
      redis.call('HINCRBY', KEYS[7], buyer, units)
    end
    if due > 0 then
      redis.call('ZADD', KEYS[10], due, order_id)
    end
    if key ~= '' then
      redis.call('HSET', KEYS[9], key, order_id)
    end
  end
  return {'nothing'}
end

local function set_aside(epoch)
  for _, i in ipairs({1, 2, 3, 4, 5, 6, 12}) do
    if redis.call('EXISTS', KEYS[i]) == 1 then
      redis.call('RENAME', KEYS[i], KEYS[i] .. ':before:' .. epoch)
    end
  end
end

local function swap(item)
  if redis.call('TYPE', KEYS[6]).ok == 'stream' then
    local left = redis.call('XLEN', KEYS[6])
    if left > 0 then
      return {'left', left}
    end
  end
  if is_hash() and redis.call('HEXISTS', KEYS[1], 'rebuilding') == 0 then
    return {'changed'}
  end
  local orders = redis.call('HLEN', KEYS[8])
  if orders ~= item.orders then
    return {'incomplete', orders}
  end
  item.orders = nil
  set_aside(item.epoch)
  for i = 7, 10 do
    if redis.call('EXISTS', KEYS[i]) == 1 then
      redis.call('RENAME', KEYS[i], KEYS[i - 5])
    end
  end
  for field, value in pairs(item) do
    redis.call('HSET', KEYS[1], field, value)
  end
  redis.call('HSET', KEYS[1], 'verified', ARGV[2])
  redis.call('DEL', KEYS[11])
  return item_view()
end

local action = ARGV[1]
if action == 'retire' then
  return retire()
end
if redis.call('GET', KEYS[11]) ~= ARGV[5] then
  return {'other'}
end
if action == 'resume' then
  return resume()
elseif action == 'begin' then
  return begin()
elseif action == 'fill' then
  return fill(cjson.decode(ARGV[4]))
elseif action == 'swap' then
  return swap(cjson.decode(ARGV[4]))
end
return {'unavailable', 'action'}
