-- Remembers an alert that no rule matches; the one seen longest ago goes when there are too many.
local order, docs, turn = key(), key(), key()
local fingerprint, doc, most = arg(), arg(), number()
redis.call('HSET', docs, fingerprint, doc)
redis.call('ZADD', order, redis.call('INCR', turn), fingerprint)
local excess = redis.call('ZCARD', order) - most
if excess > 0 then
  for _, old in ipairs(redis.call('ZRANGE', order, 0, excess - 1)) do
    redis.call('ZREM', order, old)
    redis.call('HDEL', docs, old)
  end
end
return 1
