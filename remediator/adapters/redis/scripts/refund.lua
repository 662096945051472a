-- Gives back what was taken from limits, while we hold the lease and nothing is journalled: after that
-- somebody may act on them.
local intent, lease, member, wanted = key(), key(), arg(), arg()
local limits = each(key)
if redis.call('EXISTS', intent) == 1 or redis.call('GET', lease) ~= wanted then return 0 end
for _, limit in ipairs(limits) do redis.call('ZREM', limit, member) end
return 1
