-- Moves due timers to the lanes of their incidents. Answers how many, and milliseconds until the next.
-- When the clock jumped back, timers go with it: a deadline of 15 minutes is not to take an hour more.
local timers, calm, urgent, normal, clock = key(), key(), key(), key(), key()
local count, at = arg(), now()
local BACKWARDS, OFTEN = 5000, 1000

local last = tonumber(redis.call('GET', clock) or '0')
if at < last - BACKWARDS then
  local all = redis.call('ZRANGE', timers, 0, -1)
  for _, timer in ipairs(all) do redis.call('ZINCRBY', timers, at - last, timer) end
end
if math.abs(at - last) > OFTEN then redis.call('SET', clock, at) end

local due = redis.call('ZRANGEBYSCORE', timers, '-inf', at, 'WITHSCORES', 'LIMIT', 0, count)
for i = 1, #due, 2 do
  local incident, name = string.match(due[i], '^(.-)\31(.*)$')
  local lane = redis.call('SISMEMBER', calm, incident) == 1 and normal or urgent
  enqueue(lane, incident, 'TimerDue', '{"name":' .. cjson.encode(name) .. ',"due":' .. due[i + 1] .. '}')
  redis.call('ZREM', timers, due[i])
end
local rest = redis.call('ZRANGE', timers, 0, 0, 'WITHSCORES')
return { #due / 2, rest[2] and math.max(tonumber(rest[2]) - at, 0) }
