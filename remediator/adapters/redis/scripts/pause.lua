-- Pauses a scope; answers since when, or 0 where too many are paused by name. All changes can always be.
local pause, index, at = key(), key(), now()
local named, most, reason, by, till = arg(), number(), arg(), arg(), arg()
if named ~= '' then
  redis.call('ZREMRANGEBYSCORE', index, '-inf', '(' .. string.format('%d', at))
  if not redis.call('ZSCORE', index, named) and redis.call('ZCARD', index) >= most then return 0 end
  redis.call('ZADD', index, till ~= '' and till or 'inf', named)
end
redis.call('DEL', pause)
redis.call('HSET', pause, 'reason', reason, 'by', by, 'since', at)
if till ~= '' then
  redis.call('HSET', pause, 'until', till)
  redis.call('PEXPIREAT', pause, till)
end
return at
