-- A rule is trusted as its file says again; answers since when it was not, and why.
local trust, order, docs, rule = key(), key(), key(), arg()
local since, why = redis.call('ZSCORE', order, rule), redis.call('HGET', docs, rule)
redis.call('ZADD', trust, 0, ROW .. rule)
redis.call('ZREM', order, rule)
redis.call('HDEL', docs, rule)
return { since or false, why or '' }
