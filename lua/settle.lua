#!lua
-- Move an order from held to paid, cancelled or expired; or seal an id that has no order.
--
-- Units of a cancelled or expired order go back on sale and off the buyer's account at once, and the order no longer
-- counts for its client's address; its admission stays used. Paying and
-- expiring may race: the first wins, the other is told which state stands; a payment that comes too late is
-- recorded as such, once, for somebody to refund it or find a unit. The event joins the same outbox
-- as the order's first one. Sealing ends an unknown outcome: a reserve that is still on its way with this
-- id finds the seal and changes nothing. Seals are no orders, so they stand apart; they go after a day,
-- when no request can be on its way any more.
--
-- KEYS[1] item    hash, see reserve.lua
-- KEYS[2] buyers  hash: buyer -> units held or paid
-- KEYS[3] orders  hash: order id -> record, JSON: buyer quantity seq state at due no total chain prev, late,
--                 address (what stands for the client's, if its orders are counted)
-- KEYS[4] due     sorted set: order id by the millisecond at which its hold expires
-- KEYS[5] outbox  stream of events
-- KEYS[6] sealed  sorted set: ids that must never become orders, by the millisecond of their last sealing
-- KEYS[7] addresses  hash: what stands for a client's address -> its orders that are held or paid
--
-- ARGV[1] order_id
-- ARGV[2] state   paid, cancelled, expired or sealed
-- ARGV[3] reason  kept with the event, may be empty
-- ARGV[4] sku
-- ARGV[5] run_id  of the server that the caller believes to talk to
-- ARGV[6] epoch   the highest epoch that the caller has seen, 0 if none
-- ARGV[7] least   events of that epoch that the caller has seen
-- ARGV[8] now     microseconds since 1970, or empty for the server's own time
--
-- Returns one of
--   {'settled', record, epoch, outbox id, event}
--   {'late', record, epoch, outbox id, event}   paid after it was cancelled or had expired; told the first time
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
local now = tonumber(ARGV[8])
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000000 + time[2]
end
local now_ms = math.floor(now / 1000)

local values = redis.call('HMGET', KEYS[1], 'total', 'free', 'held', 'paid', 'epoch', 'chain', 'digest', 'verified')
local digest, verified = values[7], values[8]
for i = 1, 6 do
  values[i] = whole(values[i])
end
local total, free, held, paid, epoch, chain = unpack(values, 1, 6)

local known = redis.call('HGET', KEYS[3], order_id)
-- Fence, as in reserve.lua: an older ledger would expire what was paid, and call an order unknown that exists.
if verified ~= ARGV[5] then
  if state ~= 'sealed' and redis.call('EXISTS', KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]) == 0 then
    return {'unknown_order'}
  end
  return {'unavailable', 'unverified'}
end
if not (epoch and chain) or epoch < tonumber(ARGV[6]) or (epoch == tonumber(ARGV[6]) and chain < tonumber(ARGV[7])) then
  return {'unavailable', 'older than what was sold from it'}
end
if not known then
  if state ~= 'sealed' then
    redis.call('ZREM', KEYS[4], order_id) -- what has no order can't be due
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
if not (total and free and held and paid and digest) then
  return {'unavailable', 'the item key is missing or damaged'}
end
if record.state == state then
  return {'already', known, epoch}
end
local late = state == 'paid' and record.state ~= 'held' and not record.late
if not late and (record.state ~= 'held' or state == 'sealed' or (state == 'expired' and now_ms < record.due)) then
  return {'refused', known, epoch}
end

-- The event, its place in the item's chain, and the digest for the next one; see reserve.lua.
record.no = record.no + 1
local kind = late and 'late_payment' or state
local event = {
  v = 1, event = kind, no = record.no, id = order_id, item = ARGV[4], epoch = epoch, seq = record.seq,
  buyer = record.buyer, quantity = record.quantity, accepted_at_ms = record.at, due_at_ms = record.due,
  total = total, at_ms = now_ms, reason = ARGV[3], traceparent = '', chain = chain + 1, prev = digest,
}
if late then
  record.late, event.state = 1, record.state
end
local function chained()
  local fields = {
    event.prev, kind, event.no, order_id, epoch, event.seq, event.buyer, event.quantity, event.accepted_at_ms,
    event.due_at_ms, total, now_ms, event.reason, event.chain,
  }
  for i, field in ipairs(fields) do
    local text = type(field) == 'number' and string.format('%.0f', field) or field
    fields[i] = #text .. ':' .. text
  end
  return redis.sha1hex(table.concat(fields, ','))
end
if late then
  local outbox_id = redis.call('XADD', KEYS[5], '*', 'event', cjson.encode(event))
  redis.call('HSET', KEYS[1], 'chain', event.chain, 'digest', chained())
  redis.call('HSET', KEYS[3], order_id, cjson.encode(record))
  return {'late', cjson.encode(record), epoch, outbox_id, cjson.encode(event)}
end

local units = whole(redis.call('HGET', KEYS[2], record.buyer))
if not units or units < record.quantity then
  return {'unavailable', 'the units of a buyer do not add up'}
end
if held < record.quantity then
  return {'unavailable', 'the item holds fewer units than its orders'}
end
redis.call('ZCARD', KEYS[4])
-- An address that nobody has counted, as after a rebuild, has nothing to get back.
local counted = state ~= 'paid' and record.address and redis.call('HGET', KEYS[7], record.address)
local orders = counted and whole(counted)
if counted and not orders then
  return {'unavailable', 'the orders of an address are no number'}
end

record.state = state
local body = cjson.encode(event)
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
  if orders and orders > 1 then
    redis.call('HSET', KEYS[7], record.address, orders - 1)
  elseif orders then
    redis.call('HDEL', KEYS[7], record.address)
  end
end
redis.call('HSET', KEYS[1], 'chain', event.chain, 'digest', chained())
redis.call('HSET', KEYS[3], order_id, encoded)
redis.call('ZREM', KEYS[4], order_id)
return {'settled', encoded, epoch, outbox_id, body}
