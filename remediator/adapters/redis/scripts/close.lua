-- Closes a breaker and forgets its failures; answers what it was with who closed it, or nothing where it is not
-- open. That it was is remembered for a while.
local breakers, breaker, failures = key(), key(), key()
local runbook, by, note, kept, at = arg(), arg(), arg(), number(), now()
redis.call('ZREMRANGEBYSCORE', breakers, '-inf', '(' .. string.format('%d', at))
if redis.call('ZSCORE', breakers, runbook) ~= 'inf' then return {} end
redis.call('ZADD', breakers, at + kept, runbook)
redis.call('HSET', breaker, 'closed_at', at, 'closed_by', by, 'note', note)
redis.call('PEXPIRE', breaker, kept)
redis.call('DEL', failures)
return redis.call('HMGET', breaker, 'opened_at', 'failures', 'within', 'by_attempt', 'closed_at', 'closed_by', 'note')
