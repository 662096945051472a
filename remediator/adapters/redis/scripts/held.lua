-- Prolongs (ttl above 0) or gives back (0) a lease, if it is still the one we hold.
local lease, wanted, ttl = key(), arg(), arg()
if redis.call('GET', lease) ~= wanted then return 0 end
if ttl == '0' then redis.call('DEL', lease) else redis.call('PEXPIRE', lease, ttl) end
return 1
