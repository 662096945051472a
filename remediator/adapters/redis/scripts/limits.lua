-- Sliding windows: how each limit stands without the member; when none is exceeded, all are taken.
local member, take, at = arg(), arg() == '1', now()
local limits = each(function() return { name = key(), count = number(), per = number() } end)
local uses, free = {}, true
for i, limit in ipairs(limits) do
  local since = '(' .. (at - limit.per)
  local own = redis.call('ZSCORE', limit.name, member)
  local used = redis.call('ZCOUNT', limit.name, since, '+inf')
  if own and tonumber(own) > at - limit.per then used = used - 1 end
  local first = redis.call('ZRANGEBYSCORE', limit.name, since, '+inf', 'WITHSCORES', 'LIMIT', 0, 2)
  local oldest = first[1] == member and first[4] or first[2]
  uses[i] = { used, used > 0 and oldest and tonumber(oldest) + limit.per or false }
  if used >= limit.count then free = false end
end
if take and free then
  for _, limit in ipairs(limits) do
    redis.call('ZREMRANGEBYSCORE', limit.name, '-inf', at - limit.per)
    redis.call('ZADD', limit.name, 'NX', at, member)
    redis.call('PEXPIRE', limit.name, limit.per)
  end
end
return uses
