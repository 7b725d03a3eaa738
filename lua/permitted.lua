#!lua flags=no-writes
-- Name the commands that this user may not run, of those that the other scripts run.
--
-- A script that is stopped at its second write leaves its first one behind, so this is asked before anything sells.
--
-- KEYS[1] item  any key of the ledger
--
-- Returns the commands' names; none if nothing is missing

local COMMANDS = {
  'DEL', 'EXISTS', 'GET', 'HDEL', 'HEXISTS', 'HGET', 'HGETALL', 'HINCRBY', 'HLEN', 'HMGET', 'HSET', 'PEXPIRE', 'RENAME',
  'SET', 'TIME', 'TYPE', 'UNLINK', 'XADD', 'XLEN', 'ZADD', 'ZCARD', 'ZRANGEBYSCORE', 'ZREM', 'ZREMRANGEBYSCORE',
  'ZSCORE',
}

local missing = {}
for _, command in ipairs(COMMANDS) do
  if not redis.acl_check_cmd(command, KEYS[1], KEYS[1]) then
    missing[#missing + 1] = command
  end
end
return missing
