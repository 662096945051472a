-- Journals what is about to be done, while the lease is held. The first time is kept, epoch and plan are ours.
local journal, lease = key(), key()
local wanted, epoch, retention, before, pods, on, planned = arg(), arg(), arg(), arg(), arg(), arg(), arg()
if redis.call('GET', lease) ~= wanted then return 0 end
redis.call('HSETNX', journal, 'at', now())
redis.call('HSETNX', journal, 'before', before)
redis.call('HSETNX', journal, 'pods', pods)
redis.call('HSETNX', journal, 'on', on)
redis.call('HSET', journal, 'epoch', epoch, 'planned', planned)
redis.call('PEXPIRE', journal, retention)
return 1
