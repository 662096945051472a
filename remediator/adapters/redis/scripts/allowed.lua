-- Which of the commands in ARGV, spelled as rules spell them, our user may not run. The key is one of ours that
-- nothing stands in, so being here at all proves that our user may touch it.
local ours = key()

-- 7.0 and later can be asked. As many arguments as any command needs: the server looks for keys among them
-- without counting them first. An older one does not know WAITAOF.
local function is_denied(name, sub)
  local words = { name, ours, ours, ours, ours, ours, ours }
  if sub ~= '' then table.insert(words, 2, sub) end
  local known, allowed = pcall(redis.acl_check_cmd, unpack(words))
  return known and not allowed
end

-- 6.2 has to be tried: each with arguments that change nothing where there is no such key, or that it refuses
-- itself. What is not here is no command for scripts, and named when it is refused.
local k = ours
local TRIES = {
  del = {k}, exists = {k}, get = {k}, hdel = {k, 'f'}, hget = {k, 'f'}, hincrby = {k, 'f', 'x'}, hmget = {k, 'f'},
  hset = {k, 'f', 'v', 'g'}, hsetnx = {k, 'f', 'v'}, incr = {k}, lrange = {k, 0, 0}, ltrim = {k, 0, 0}, mget = {k},
  persist = {k}, pexpire = {k, 1}, pexpireat = {k, 1}, ping = {}, rpush = {k, 'x'}, sadd = {k, 'x'}, scard = {k},
  set = {k, 'x', 'XX'}, sismember = {k, 'x'}, srem = {k, 'x'}, sscan = {k, 0}, time = {},
  xack = {k, 'g', '0-1'},
  xadd = {k, 'NOMKSTREAM', '*', 'f', 'v'}, xautoclaim = {k, 'g', 'c', 0, '0'}, xclaim = {k, 'g', 'c', 0, '0-1'},
  xdel = {k, '0-1'}, xgroup = {k, 'g', 0}, xlen = {k}, xpending = {k, 'g'}, xrange = {k, '-', '+'},
  xreadgroup = {'GROUP', 'g', 'c', 'STREAMS', k, '>'}, xrevrange = {k, '+', '-'}, zadd = {k, 'XX', 1, 'm'},
  zcard = {k}, zcount = {k, 0, 0}, zincrby = {k, 'x', 'm'}, zpopmin = {k}, zrange = {k, 0, 0},
  zrangebyscore = {k, 0, 0}, zrem = {k, 'm'}, zremrangebyscore = {k, 0, 0}, zrevrange = {k, 0, 0},
  zrevrangebyscore = {k, 0, 0}, zscore = {k, 'm'},
}
local MAKES = { hsetnx = true, incr = true, rpush = true, sadd = true }

local function is_refused(name, sub)
  local words = { name }
  if not TRIES[name] then return false end
  if sub ~= '' then words[2] = sub end
  for _, word in ipairs(TRIES[name]) do words[#words + 1] = word end
  local answer = redis.pcall(unpack(words))
  if MAKES[name] then redis.pcall('DEL', ours) end
  return type(answer) == 'table' and answer.err and string.find(answer.err, "can't run this command", 1, true)
end

local denied = {}
for _, command in ipairs(ARGV) do
  local name, sub = string.match(command, '^([^|]+)|?(.*)$')
  if (redis.acl_check_cmd and is_denied or is_refused)(name, sub) then denied[#denied + 1] = command end
end
return denied
