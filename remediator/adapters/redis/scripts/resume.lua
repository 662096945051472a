-- Lifts the pause of a scope; answers what it was, as far as there was one.
local pause, index, named = key(), key(), arg()
local was = redis.call('HMGET', pause, 'reason', 'by', 'since', 'until')
redis.call('DEL', pause)
redis.call('ZREM', index, named)
return was
