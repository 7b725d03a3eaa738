#!lua
-- Keep an item's shadow: a ledger on which reserve.lua decides what would have been sold, had the item been on sale
-- through the gate from the beginning of its epoch. The item itself is only read.
--
-- mirror, before a purchase, gives the shadow the terms that the item has now. Its first purchase in an epoch of the
-- item starts the shadow anew, with all units free. The fence has nothing to guard here: it is always verified.
--
-- tidy, after a purchase, drops the events that nobody will hand off, and lets all of it expire some time after the
-- last unit that would have been sold. A purchase that changed nothing costs no write.
--
-- KEYS[1] real    hash: the item, see reserve.lua
-- KEYS[2] item    hash: its shadow; so are the following
-- KEYS[3] buyers  hash
-- KEYS[4] orders  hash
-- KEYS[5] keys    hash
-- KEYS[6] due     sorted set
-- KEYS[7] outbox  stream
-- KEYS[8] admitted   sorted set
-- KEYS[9] addresses  hash
--
-- ARGV[1] action    mirror, tidy or forget
-- ARGV[2] run_id    of the server that the caller believes to talk to
-- ARGV[3] lifetime  milliseconds for which it is kept
--
-- Returns one of
--   {'done'}
--   {'unknown_item'}         mirror: there is no such item, and no shadow of it any more
--   {'unavailable', reason}  mirror: the item is damaged; nothing was changed

local TERMS = {'total', 'opens_at', 'closes_at', 'per_buyer', 'hold', 'epoch', 'status'}

local function whole(value)
  return value and #value <= 15 and string.match(value, '^%d+$') and tonumber(value)
end

local function forget()
  redis.call('UNLINK', unpack(KEYS, 2))
end

local function live()
  for i = 2, #KEYS do
    redis.call('PEXPIRE', KEYS[i], ARGV[3])
  end
end

local function begin(terms)
  forget()
  redis.call('HSET', KEYS[2], 'total', terms.total, 'free', terms.total, 'held', 0, 'paid', 0,
    'opens_at', terms.opens_at, 'closes_at', terms.closes_at, 'per_buyer', terms.per_buyer, 'hold', terms.hold,
    'epoch', terms.epoch, 'status', terms.status, 'seq', 0, 'chain', 0, 'digest', string.rep('0', 40),
    'verified', ARGV[2])
  live()
end

local function follow(terms, shadow, free)
  local changed = {}
  for _, name in ipairs(TERMS) do
    if shadow[name] ~= terms[name] then
      changed[#changed + 1] = name
      changed[#changed + 1] = terms[name]
    end
  end
  if shadow.total ~= terms.total then
    changed[#changed + 1] = 'free'
    changed[#changed + 1] = string.format('%.0f', free + whole(terms.total) - whole(shadow.total))
  end
  if redis.call('HGET', KEYS[2], 'verified') ~= ARGV[2] then
    changed[#changed + 1] = 'verified'
    changed[#changed + 1] = ARGV[2]
  end
  if #changed > 0 then
    redis.call('HSET', KEYS[2], unpack(changed))
  end
end

-- The terms that a hash holds by name; nil if one is missing or damaged.
local function terms_of(key)
  local values, found = redis.call('HMGET', key, unpack(TERMS)), {}
  for i, name in ipairs(TERMS) do
    if not values[i] or (name ~= 'status' and not whole(values[i])) then
      return nil
    end
    found[name] = values[i]
  end
  return found
end

local function mirror()
  if redis.call('EXISTS', KEYS[1]) == 0 then
    forget()
    return {'unknown_item'}
  end
  local terms, shadow = terms_of(KEYS[1]), terms_of(KEYS[2])
  if not terms then
    return {'unavailable', 'the item key is damaged'}
  end
  local free = whole(redis.call('HGET', KEYS[2], 'free'))
  if not shadow or not free or shadow.epoch ~= terms.epoch or free + whole(terms.total) < whole(shadow.total) then
    begin(terms)
  else
    follow(terms, shadow, free)
  end
  return {'done'}
end

if ARGV[1] == 'mirror' then
  return mirror()
elseif ARGV[1] == 'forget' then
  forget()
elseif redis.call('XLEN', KEYS[7]) > 0 then
  redis.call('UNLINK', KEYS[7])
  live()
end
return {'done'}
