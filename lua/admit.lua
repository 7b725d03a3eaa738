#!lua
-- Decide whether somebody is admitted to an item's sale: before it opens and while it goes on, as long as there is
-- something to be had, and no more often than the rate allows. Nothing of the item changes.
--
-- Order of checks: item, fence, window, rate, stock; each as in reserve.lua.
--
-- KEYS[1] item          hash, see reserve.lua
-- KEYS[2] orders        hash: order id -> record
-- KEYS[3] rate_buyer    string: when the buyer's bucket is full again, microseconds
-- KEYS[4] rate_address  string: the same for the client's address
--
-- ARGV[1] run_id            of the server that the caller believes to talk to
-- ARGV[2] before            milliseconds before the opening from which on admissions are given
-- ARGV[3] lifetime          milliseconds for which one is good, from the opening on if that is still to come
-- ARGV[4] buyer_interval    microseconds a token of the buyer's bucket takes to come back, 0 for no limit
-- ARGV[5] buyer_burst       tokens the bucket holds
-- ARGV[6] address_interval  the same for the address
-- ARGV[7] address_burst
-- ARGV[8] now               microseconds since 1970, or empty for the server's own time
--
-- Returns one of
--   {'admitted', millisecond at which the admission ends}
--   {'sold_out'} {'closed'} {'unknown_item'}
--   {'not_open', milliseconds until admissions are given}
--   {'rate_limited', 'buyer' or 'address', milliseconds until a token is there}
--   {'unavailable', reason}   the ledger can't be trusted here; nothing was changed

local function whole(value)
  return value and #value <= 15 and string.match(value, '^%d+$') and tonumber(value)
end

for i = 2, 7 do
  if not whole(ARGV[i]) then
    return {'unavailable', 'argument ' .. i}
  end
end
local now = tonumber(ARGV[8])
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000000 + time[2]
end
local now_ms = math.floor(now / 1000)

-- The item.
if redis.call('EXISTS', KEYS[1], KEYS[2]) == 0 then
  return {'unknown_item'}
end
local status, verified = unpack(redis.call('HMGET', KEYS[1], 'status', 'verified'))
local values = redis.call('HMGET', KEYS[1], 'total', 'free', 'held', 'paid', 'opens_at', 'closes_at')
for i = 1, 6 do
  values[i] = whole(values[i])
  if not values[i] then
    return {'unavailable', 'the item key is missing or damaged'}
  end
end
local total, free, held, paid, opens_at, closes_at = unpack(values)

-- Fence.
if verified ~= ARGV[1] then
  return {'unavailable', 'unverified'}
end
if total ~= free + held + paid then
  return {'unavailable', 'the item is out of balance'}
end
if status ~= 'open' and status ~= 'closed' then
  return {'unavailable', status == 'paused' and 'paused' or 'the item has no sound status'}
end

-- Window.
if status == 'closed' or (closes_at > 0 and now_ms >= closes_at) then
  return {'closed'}
end
local begins = opens_at - tonumber(ARGV[2])
if now_ms < begins then
  return {'not_open', begins - now_ms}
end

-- Rate: GCRA, as in reserve.lua. Who is told that all is gone has asked, too.
local writes = {}
for _, bucket in ipairs({{3, 4, 5, 'buyer'}, {4, 6, 7, 'address'}}) do
  local interval, burst = tonumber(ARGV[bucket[2]]), tonumber(ARGV[bucket[3]])
  if interval > 0 then
    local full_at = tonumber(redis.call('GET', KEYS[bucket[1]]) or now) or now
    full_at = math.min(math.max(now, full_at), now + interval * burst) + interval
    local allowed_at = full_at - interval * burst
    if allowed_at > now then
      return {'rate_limited', bucket[4], math.ceil((allowed_at - now) / 1000)}
    end
    writes[#writes + 1] = {KEYS[bucket[1]], full_at, math.min(math.max(1, math.ceil((full_at - now) / 1000)), 1e15)}
  end
end
for _, write in ipairs(writes) do
  redis.call('SET', write[1], string.format('%.0f', write[2]), 'PX', write[3])
end

-- Stock.
if free == 0 then
  return {'sold_out'}
end
local ends = math.max(now_ms, opens_at) + tonumber(ARGV[3])
if closes_at > 0 then
  ends = math.min(ends, closes_at)
end
return {'admitted', ends}
