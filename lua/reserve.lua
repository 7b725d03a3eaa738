#!lua
-- Decide one purchase and, if it is accepted, deduct, hold, record and queue it, all or nothing.
--
-- Lua does not roll back, so every read, type and number is checked before the first write; the first
-- write is the XADD, the only one that could still fail (a stream whose last id is the highest possible).
-- Order of checks: replay, fence, window, rate, admission, limits of buyer and address, stock.
--
-- An admission is good for one order: the purchase that becomes an order burns its nonce, no other one does. It is
-- asked after the replay, so that a lost reply can be asked for again; and after the rate, so that nobody tries used
-- ones for nothing. Its end is told by this server's clock, as is when its nonce is forgotten.
--
-- Events of an item are chained: each carries its number and the digest of the one before, see chain below.
--
-- KEYS[1] item       hash: total free held paid opens_at closes_at per_buyer hold epoch seq status, and
--                    chain (events so far), digest (of the last), verified (run id of the server it was checked on)
-- KEYS[2] buyers     hash: buyer -> units held or paid
-- KEYS[3] orders     hash: order id -> record (see settle.lua)
-- KEYS[4] keys       hash: length of the buyer, colon, buyer, idempotency key -> order id
-- KEYS[5] due        sorted set: order id by the millisecond at which its hold expires
-- KEYS[6] outbox     stream of events that the broker has not confirmed
-- KEYS[7] sealed     sorted set: ids that must never become orders, see settle.lua
-- KEYS[8] admitted   sorted set: nonces of admissions that became orders, by the millisecond of their end
-- KEYS[9] addresses  hash: what stands for a client's address -> its orders that are held or paid
-- KEYS[10] rate_buyer    string: when the buyer's bucket is full again, microseconds
-- KEYS[11] rate_address  string: the same for the client's address
--
-- ARGV[1]  order_id           id the order gets
-- ARGV[2]  buyer
-- ARGV[3]  quantity           1 to 9999
-- ARGV[4]  key                idempotency key, or empty
-- ARGV[5]  sku
-- ARGV[6]  hold               milliseconds an unpaid hold lives, or empty for the item's own
-- ARGV[7]  traceparent        kept with the event, may be empty
-- ARGV[8]  run_id             of the server that the caller believes to talk to
-- ARGV[9]  epoch              the highest epoch that the caller has seen, 0 if none
-- ARGV[10] least              events of that epoch that the caller has seen: fewer, and this is an older ledger
-- ARGV[11] outbox_bound       most events that may wait
-- ARGV[12] buyer_interval     microseconds a token of the buyer's bucket takes to come back, 0 for no limit
-- ARGV[13] buyer_burst        tokens the bucket holds
-- ARGV[14] address_interval   the same for the address
-- ARGV[15] address_burst
-- ARGV[16] nonce              of the purchase's admission, or empty if it needs none
-- ARGV[17] admitted_until     millisecond at which that admission ends
-- ARGV[18] address            what stands for the client's address, or empty if its orders aren't counted
-- ARGV[19] per_address        orders an address may have, if they are counted
-- ARGV[20] now                microseconds since 1970, or empty for the server's own time
--
-- Returns one of
--   {'accepted', order id, outbox id or '', event}   the outbox id is empty when the same id asked again
--   {'replayed', order id, record, epoch}            this idempotency key has an order
--   {'conflict'}                                     this idempotency key was used with another content
--   {'sold_out', units left}
--   {'limit_reached', 'buyer', units the buyer has, units a buyer may have}
--   {'limit_reached', 'address', orders the address has, orders an address may have}
--   {'not_admitted', 'used' or 'expired'}            ask for another admission
--   {'not_open', milliseconds until it opens} {'closed'} {'unknown_item'}
--   {'rate_limited', 'buyer' or 'address', milliseconds until a token is there}
--   {'unavailable', reason}                          the ledger can't be trusted here; nothing was changed

local MOST = 99999999999999 -- cjson writes fourteen digits
local REMEMBERED = 60000 -- for which a nonce is kept beyond its admission's end: this clock may be set back
local FORGOTTEN_AT_ONCE = 16 -- each order adds one, so that no more than the living ones stay
local FIELDS = {
  'total', 'free', 'held', 'paid', 'opens_at', 'closes_at', 'per_buyer', 'hold', 'epoch', 'seq', 'chain',
}

-- A whole number, or nil. Fifteen digits are exact in a double and as redis.call writes them; tonumber by
-- itself takes 0x10, 1e3 and nan.
local function whole(value)
  return value and #value <= 15 and string.match(value, '^%d+$') and tonumber(value)
end

local order_id, buyer, sku = ARGV[1], ARGV[2], ARGV[5]
local quantity = string.match(ARGV[3], '^[1-9]%d?%d?%d?$') and tonumber(ARGV[3])
if not quantity then
  return {'unavailable', 'quantity'}
end
for i = 9, 19 do
  if i ~= 16 and i ~= 18 and not whole(ARGV[i]) then
    return {'unavailable', 'argument ' .. i}
  end
end

local now = tonumber(ARGV[20])
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000000 + time[2]
end
local now_ms = math.floor(now / 1000)

-- The item, whole or not at all.
local values = redis.call('HMGET', KEYS[1], unpack(FIELDS))
local item = {}
for i, name in ipairs(FIELDS) do
  item[name] = whole(values[i])
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
local status, digest, verified = unpack(redis.call('HMGET', KEYS[1], 'status', 'digest', 'verified'))
if status ~= 'open' and status ~= 'closed' and status ~= 'paused' then
  return {'unavailable', 'the item has no sound status'}
end
if not digest or not string.match(digest, '^%x+$') or #digest ~= 40 then
  return {'unavailable', 'the item has no sound digest'}
end
local hold = ARGV[6] == '' and item.hold or whole(ARGV[6])
if not hold then
  return {'unavailable', 'hold'}
end
if math.max(item.total, item.epoch, item.seq + 1, item.chain + 1, now_ms + hold) > MOST then
  return {'unavailable', 'a number of the item is too large'}
end

local function event(record)
  return cjson.encode({
    v = 1, event = 'accepted', no = 1, id = order_id, item = sku, epoch = item.epoch, seq = record.seq,
    buyer = record.buyer, quantity = record.quantity, accepted_at_ms = record.at, due_at_ms = record.due,
    total = record.total, at_ms = record.at, reason = '', traceparent = ARGV[7],
    chain = record.chain, prev = record.prev, key = ARGV[4] ~= '' and ARGV[4] or nil,
  })
end

-- The digest of an event, over the digest before it and the event's fields, each with its length in bytes.
-- SHA-1 is what Redis has. Event.digest in model.py says the same in Python.
local function chained(record)
  local fields = {
    record.prev, 'accepted', 1, order_id, item.epoch, record.seq, record.buyer, record.quantity, record.at,
    record.due, record.total, record.at, '', record.chain,
  }
  for i, field in ipairs(fields) do
    local text = type(field) == 'number' and string.format('%.0f', field) or field
    fields[i] = #text .. ':' .. text
  end
  return redis.sha1hex(table.concat(fields, ','))
end

-- Replay: the same id again (its reply was lost), or the same idempotency key.
local known = redis.call('HGET', KEYS[3], order_id)
if known then
  local record = cjson.decode(known)
  if record.state ~= 'held' then
    return {'replayed', order_id, known, item.epoch}
  end
  return {'accepted', order_id, '', event(record)}
end
if redis.call('ZSCORE', KEYS[7], order_id) then
  return {'unavailable', 'sealed'}
end
local key_field
if ARGV[4] ~= '' then
  key_field = #buyer .. ':' .. buyer .. ARGV[4]
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

-- Fence: is this the server, and the state, that the sale was loaded into?
if verified ~= ARGV[8] then
  return {'unavailable', 'unverified'}
end
if item.epoch < tonumber(ARGV[9]) or (item.epoch == tonumber(ARGV[9]) and item.chain < tonumber(ARGV[10])) then
  return {'unavailable', 'older than what was sold from it'}
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

-- Rate: GCRA. A bucket is one number, the moment at which it will be full again. It is never taken for emptier
-- than empty: a clock that went back, or a burst that was lowered, costs one interval of waiting at most.
local function refill(key, interval, burst)
  local full_at = tonumber(redis.call('GET', key) or now) or now
  full_at = math.min(math.max(now, full_at), now + interval * burst) + interval
  local allowed_at = full_at - interval * burst
  return full_at, allowed_at
end
local writes = {}
for _, bucket in ipairs({{10, 12, 13, 'buyer'}, {11, 14, 15, 'address'}}) do
  local interval, burst = tonumber(ARGV[bucket[2]]), tonumber(ARGV[bucket[3]])
  if interval > 0 then
    local full_at, allowed_at = refill(KEYS[bucket[1]], interval, burst)
    if allowed_at > now then
      return {'rate_limited', bucket[4], math.ceil((allowed_at - now) / 1000)}
    end
    -- Redis takes no lifetime beyond its own range, and a SET must not fail after the deduction.
    local lifetime = math.min(math.max(1, math.ceil((full_at - now) / 1000)), 1e15)
    writes[#writes + 1] = {KEYS[bucket[1]], full_at, lifetime}
  end
end
local function spend_tokens()
  for _, write in ipairs(writes) do
    redis.call('SET', write[1], string.format('%.0f', write[2]), 'PX', write[3])
  end
end

-- Admission.
local nonce, forgotten = ARGV[16], {}
if nonce ~= '' then
  if now_ms >= tonumber(ARGV[17]) then
    spend_tokens()
    return {'not_admitted', 'expired'}
  end
  if redis.call('ZSCORE', KEYS[8], nonce) then
    spend_tokens()
    return {'not_admitted', 'used'}
  end
  forgotten = redis.call('ZRANGEBYSCORE', KEYS[8], '-inf', now_ms - REMEMBERED, 'LIMIT', 0, FORGOTTEN_AT_ONCE)
end

-- Limits: units of the buyer, orders of the address.
local units = whole(redis.call('HGET', KEYS[2], buyer) or '0')
if not units then
  return {'unavailable', 'the units of a buyer are no number'}
end
if units + quantity > item.per_buyer then
  spend_tokens()
  return {'limit_reached', 'buyer', units, item.per_buyer}
end
local address, orders = ARGV[18] ~= '' and ARGV[18] or nil, 0
if address then
  orders = whole(redis.call('HGET', KEYS[9], address) or '0')
  if not orders then
    return {'unavailable', 'the orders of an address are no number'}
  end
  if orders >= tonumber(ARGV[19]) then
    spend_tokens()
    return {'limit_reached', 'address', orders, tonumber(ARGV[19])}
  end
end

-- Stock.
if quantity > item.free then
  spend_tokens()
  return {'sold_out', item.free}
end

-- What remains to be checked before the first write: the keys that nothing has read yet.
if redis.call('XLEN', KEYS[6]) >= tonumber(ARGV[11]) then
  return {'unavailable', 'the outbox is full'}
end
redis.call('ZCARD', KEYS[5])
if not key_field then
  redis.call('HLEN', KEYS[4])
end

local record = {
  buyer = buyer, quantity = quantity, seq = item.seq + 1, state = 'held', at = now_ms, due = now_ms + hold, no = 1,
  chain = item.chain + 1, prev = digest, total = item.total, address = address,
}
local body, encoded = event(record), cjson.encode(record)
local outbox_id = redis.call('XADD', KEYS[6], '*', 'event', body)
redis.call('HSET', KEYS[1], 'free', item.free - quantity, 'held', item.held + quantity, 'seq', record.seq,
  'chain', record.chain, 'digest', chained(record))
redis.call('HSET', KEYS[2], buyer, units + quantity)
redis.call('HSET', KEYS[3], order_id, encoded)
redis.call('ZADD', KEYS[5], record.due, order_id)
if key_field then
  redis.call('HSET', KEYS[4], key_field, order_id)
end
if nonce ~= '' then
  redis.call('ZADD', KEYS[8], ARGV[17], nonce)
  if #forgotten > 0 then
    redis.call('ZREM', KEYS[8], unpack(forgotten))
  end
end
if address then
  redis.call('HSET', KEYS[9], address, orders + 1)
end
spend_tokens()
return {'accepted', order_id, outbox_id, body}
