-- The right to change a target: "<epoch>|<owner>", with a time to live.
local lease, epochs = key(), key()
local owner, ttl = arg(), arg()
local held = redis.call('GET', lease)
if held then
  local epoch, holder = string.match(held, '^(%d+)|(.*)$')
  if holder ~= owner then return { 0, holder } end
  redis.call('PEXPIRE', lease, ttl)
  return { tonumber(epoch), owner }
end
local epoch = redis.call('INCR', epochs)
redis.call('SET', lease, epoch .. '|' .. owner, 'PX', ttl)
return { epoch, owner }
