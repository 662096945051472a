-- Counts one more try of an entry that is still pending; answers false when it is not.
local stream, tries, id = key(), key(), arg()
if not is_pending(stream, id) then return false end
return redis.call('HINCRBY', tries, id, 1)
