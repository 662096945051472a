-- Gives back what was taken from limits, unless the effect is journalled: somebody may act on it.
local intent, member = key(), arg()
local limits = each(key)
if redis.call('EXISTS', intent) == 1 then return 0 end
for _, limit in ipairs(limits) do redis.call('ZREM', limit, member) end
return 1
