#!lua
-- Decide one purchase and, if it is accepted, deduct, hold, record and queue it, all or nothing.
--
-- Lua does not roll back, so every read, type and number is checked before the first write; the first
-- write is the XADD, the only one that could still fail (a stream whose last id is the highest possible).
-- Order of checks: replay, fence, window, rate, per-buyer limit, stock.
--
-- KEYS[1] item       hash: total free held paid opens_at closes_at per_buyer hold epoch seq status
-- KEYS[2] buyers     hash: buyer -> units held or paid
-- KEYS[3] orders     hash: order id -> record (see settle.lua)
-- KEYS[4] keys       hash: buyer, newline, idempotency key -> order id
-- KEYS[5] due        sorted set: order id by the millisecond at which its hold expires
-- KEYS[6] outbox     stream of events that the broker has not confirmed
-- KEYS[7] rate_buyer    string: when the buyer's bucket is full again, microseconds
-- KEYS[8] rate_address  string: the same for the client's address
--
-- ARGV[1]  order_id           id the order gets
-- ARGV[2]  buyer
-- ARGV[3]  quantity           1 to 9999
-- ARGV[4]  key                idempotency key, or empty
-- ARGV[5]  sku
-- ARGV[6]  hold               milliseconds an unpaid hold lives, or empty for the item's own
-- ARGV[7]  traceparent        kept with the event, may be empty
-- ARGV[8]  epoch              the epoch that the caller trusts, or empty
-- ARGV[9]  outbox_bound       most events that may wait
-- ARGV[10] buyer_interval     microseconds a token of the buyer's bucket takes to come back, 0 for no limit
-- ARGV[11] buyer_burst        tokens the bucket holds
-- ARGV[12] address_interval   the same for the address
-- ARGV[13] address_burst
-- ARGV[14] now                microseconds since 1970, or empty for the server's own time
--
-- Returns one of
--   {'accepted', order id, outbox id or '', event}   the outbox id is empty when the same id asked again
--   {'replayed', order id, record, epoch}            this idempotency key has an order
--   {'conflict'}                                     this idempotency key was used with another content
--   {'sold_out', units left}
--   {'limit_reached', units the buyer has, units a buyer may have}
--   {'not_open', milliseconds until it opens} {'closed'} {'unknown_item'}
--   {'rate_limited', 'buyer' or 'address', milliseconds until a token is there}
--   {'unavailable', reason}                          the ledger can't be trusted here; nothing was changed

local FIELDS = {'total', 'free', 'held', 'paid', 'opens_at', 'closes_at', 'per_buyer', 'hold', 'epoch', 'seq'}

local order_id, buyer, sku = ARGV[1], ARGV[2], ARGV[5]
local quantity = string.match(ARGV[3], '^[1-9]%d?%d?%d?$') and tonumber(ARGV[3])
if not quantity then
  return {'unavailable', 'quantity'}
end

local now = tonumber(ARGV[14])
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000000 + time[2]
end
local now_ms = math.floor(now / 1000)

-- The item, whole or not at all.
local values = redis.call('HMGET', KEYS[1], unpack(FIELDS))
local item = {}
for i, name in ipairs(FIELDS) do
  local value = values[i]
  item[name] = value and string.match(value, '^%d+$') and tonumber(value)
end
if not item.total then
  -- Nothing at all is an item that nobody loaded; anything less than a whole item is damage.
  if redis.call('EXISTS', KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]) == 0 then
    return {'unknown_item'}
  end
  return {'unavailable', 'the item key is missing or damaged'}
end
for _, name in ipairs(FIELDS) do
  if not item[name] then
    return {'unavailable', 'the item has no sound ' .. name}
  end
end
local status = redis.call('HGET', KEYS[1], 'status')

local function event(seq, accepted_at, due_at)
  return cjson.encode({
    v = 1, event = 'accepted', no = 1, id = order_id, item = sku, epoch = item.epoch, seq = seq,
    buyer = buyer, quantity = quantity, accepted_at_ms = accepted_at, due_at_ms = due_at,
    total = item.total, at_ms = accepted_at, reason = '', traceparent = ARGV[7],
  })
end

-- Replay: the same id again (its reply was lost), or the same idempotency key.
local known = redis.call('HGET', KEYS[3], order_id)
if known then
  local record = cjson.decode(known)
  if record.state == 'sealed' then
    return {'unavailable', 'sealed'}
  end
  if record.state ~= 'held' then
    return {'replayed', order_id, known, item.epoch}
  end
  return {'accepted', order_id, '', event(record.seq, record.at, record.due)}
end
local key_field
if ARGV[4] ~= '' then
  key_field = buyer .. '\n' .. ARGV[4]
  local first = redis.call('HGET', KEYS[4], key_field)
  if first then
    local record = redis.call('HGET', KEYS[3], first)
    if not record then
      return {'unavailable', 'an idempotency key names an order that is missing'}
    end
    if cjson.decode(record).quantity ~= quantity then
      return {'conflict'}
    end
    return {'replayed', first, record, item.epoch}
  end
end

-- Fence.
if ARGV[8] ~= '' and tonumber(ARGV[8]) ~= item.epoch then
  return {'unavailable', 'epoch'}
end
if item.free + item.held + item.paid ~= item.total then
  return {'unavailable', 'the item is out of balance'}
end
if status == 'paused' then
  return {'unavailable', 'paused'}
end

-- Window.
if status ~= 'open' or (item.closes_at > 0 and now_ms >= item.closes_at) then
  return {'closed'}
end
if now_ms < item.opens_at then
  return {'not_open', item.opens_at - now_ms}
end

-- Rate: GCRA. A bucket is one number, the moment at which it will be full again.
local function refill(key, interval, burst)
  local full_at = math.max(tonumber(redis.call('GET', key) or now) or now, now) + interval
  local allowed_at = full_at - interval * burst
  return full_at, allowed_at
end
local writes = {}
for _, bucket in ipairs({{7, 10, 11, 'buyer'}, {8, 12, 13, 'address'}}) do
  local interval, burst = tonumber(ARGV[bucket[2]]), tonumber(ARGV[bucket[3]])
  if interval > 0 then
    local full_at, allowed_at = refill(KEYS[bucket[1]], interval, burst)
    if allowed_at > now then
      return {'rate_limited', bucket[4], math.ceil((allowed_at - now) / 1000)}
    end
    writes[#writes + 1] = {KEYS[bucket[1]], full_at, math.max(1, math.ceil((full_at - now) / 1000))}
  end
end
local function spend_tokens()
  for _, write in ipairs(writes) do
    redis.call('SET', write[1], string.format('%.0f', write[2]), 'PX', write[3])
  end
end

-- Per-buyer limit.
local units = redis.call('HGET', KEYS[2], buyer) or '0'
if not string.match(units, '^%d+$') then
  return {'unavailable', 'the units of a buyer are no number'}
end
if tonumber(units) + quantity > item.per_buyer then
  spend_tokens()
  return {'limit_reached', tonumber(units), item.per_buyer}
end

-- Stock.
if quantity > item.free then
  spend_tokens()
  return {'sold_out', item.free}
end

-- What remains to be checked before the first write: the keys that nothing has read yet.
if redis.call('XLEN', KEYS[6]) >= tonumber(ARGV[9]) then
  return {'unavailable', 'the outbox is full'}
end
redis.call('ZCARD', KEYS[5])
if not key_field then
  redis.call('HLEN', KEYS[4])
end

local seq = item.seq + 1
local due_at = now_ms + (tonumber(ARGV[6]) or item.hold)
local body = event(seq, now_ms, due_at)
local outbox_id = redis.call('XADD', KEYS[6], '*', 'event', body)
redis.call('HSET', KEYS[1], 'free', item.free - quantity, 'held', item.held + quantity, 'seq', seq)
redis.call('HINCRBY', KEYS[2], buyer, quantity)
redis.call('HSET', KEYS[3], order_id, cjson.encode({
  buyer = buyer, quantity = quantity, seq = seq, state = 'held', at = now_ms, due = due_at, no = 1,
}))
redis.call('ZADD', KEYS[5], due_at, order_id)
if key_field then
  redis.call('HSET', KEYS[4], key_field, order_id)
end
spend_tokens()
return {'accepted', order_id, outbox_id, body}
