-- Throws the kill switch; answers since when.
local pause, at = key(), now()
local reason, by, till = arg(), arg(), arg()
redis.call('DEL', pause)
redis.call('HSET', pause, 'reason', reason, 'by', by, 'since', at)
if till ~= '' then
  redis.call('HSET', pause, 'until', till)
  redis.call('PEXPIREAT', pause, till)
end
return at
