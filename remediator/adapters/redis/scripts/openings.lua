-- Which incidents opened in the last span, oldest first, and what time it is.
local openings, span, at = key(), number(), now()
return { at, redis.call('ZRANGEBYSCORE', openings, '(' .. (at - span), '+inf', 'WITHSCORES') }
