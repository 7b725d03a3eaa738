#!lua
-- Move an order from held to paid, cancelled or expired; or seal an id that has no order.
--
-- Units of a cancelled or expired order go back on sale and off the buyer's account at once. Paying and
-- expiring may race: the first wins, the other is told which state stands. The event joins the same outbox
-- as the order's first one. Sealing ends an unknown outcome: a reserve that is still on its way with this
-- id finds the seal and changes nothing. Seals are no orders, so they stand apart; they go after a day,
-- when no request can be on its way any more.
--
-- KEYS[1] item    hash, see reserve.lua
-- KEYS[2] buyers  hash: buyer -> units held or paid
-- KEYS[3] orders  hash: order id -> record, JSON: buyer quantity seq state at due no
-- KEYS[4] due     sorted set: order id by the millisecond at which its hold expires
-- KEYS[5] outbox  stream of events
-- KEYS[6] sealed  sorted set: ids that must never become orders, by the millisecond of their last sealing
--
-- ARGV[1] order_id
-- ARGV[2] state   paid, cancelled, expired or sealed
-- ARGV[3] reason  kept with the event, may be empty
-- ARGV[4] sku
-- ARGV[5] now     microseconds since 1970, or empty for the server's own time
--
-- Returns one of
--   {'settled', record, epoch, outbox id, event}
--   {'already', record, epoch}    it stood in that state before
--   {'refused', record, epoch}    another final state stands, or the hold is not due yet; for sealed: an order exists
--   {'unknown_order'}             no such order (or sealed)
--   {'sealed'}                    from now on this id can't become an order
--   {'unavailable', reason}       the ledger can't be trusted here; nothing was changed

local DAY = 86400000
local STATES = {paid = true, cancelled = true, expired = true, sealed = true}

local function whole(value)
  return value and #value <= 15 and string.match(value, '^%d+$') and tonumber(value)
end

local order_id, state = ARGV[1], ARGV[2]
if not STATES[state] then
  return {'unavailable', 'state'}
end
local now = tonumber(ARGV[5])
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000000 + time[2]
end
local now_ms = math.floor(now / 1000)

local known = redis.call('HGET', KEYS[3], order_id)
if not known then
  if state ~= 'sealed' then
    return {'unknown_order'}
  end
  redis.call('ZADD', KEYS[6], now_ms, order_id)
  redis.call('ZREMRANGEBYSCORE', KEYS[6], '-inf', now_ms - DAY)
  return {'sealed'}
end

local record = cjson.decode(known)
for _, name in ipairs({'quantity', 'seq', 'at', 'due', 'no'}) do
  if type(record[name]) ~= 'number' then
    return {'unavailable', 'the order has no sound ' .. name}
  end
end
local values = redis.call('HMGET', KEYS[1], 'total', 'free', 'held', 'paid', 'epoch')
for i = 1, 5 do
  values[i] = whole(values[i])
  if not values[i] then
    return {'unavailable', 'the item key is missing or damaged'}
  end
end
local total, free, held, paid, epoch = unpack(values)
if record.state == state then
  return {'already', known, epoch}
end
if record.state ~= 'held' or state == 'sealed' or (state == 'expired' and now_ms < record.due) then
  return {'refused', known, epoch}
end

local units = whole(redis.call('HGET', KEYS[2], record.buyer))
if not units or units < record.quantity then
  return {'unavailable', 'the units of a buyer do not add up'}
end
if held < record.quantity then
  return {'unavailable', 'the item holds fewer units than its orders'}
end
redis.call('ZCARD', KEYS[4])

record.state = state
record.no = record.no + 1
local body = cjson.encode({
  v = 1, event = state, no = record.no, id = order_id, item = ARGV[4], epoch = epoch, seq = record.seq,
  buyer = record.buyer, quantity = record.quantity, accepted_at_ms = record.at, due_at_ms = record.due,
  total = total, at_ms = now_ms, reason = ARGV[3], traceparent = '',
})
local encoded = cjson.encode(record)
-- The XADD first: it is the only write here that could fail.
local outbox_id = redis.call('XADD', KEYS[5], '*', 'event', body)
if state == 'paid' then
  redis.call('HSET', KEYS[1], 'held', held - record.quantity, 'paid', paid + record.quantity)
else
  redis.call('HSET', KEYS[1], 'held', held - record.quantity, 'free', free + record.quantity)
  if units == record.quantity then
    redis.call('HDEL', KEYS[2], record.buyer)
  else
    redis.call('HSET', KEYS[2], record.buyer, units - record.quantity)
  end
end
redis.call('HSET', KEYS[3], order_id, encoded)
redis.call('ZREM', KEYS[4], order_id)
return {'settled', encoded, epoch, outbox_id, body}
