-- Alertmanagers list these alerts now. Answers a digit for each: 0 where its labels are not known and were not
-- told, and then nothing is written of it. What was not listed for long is forgotten, a little at each call.
local listed, labels, kept_for = key(), key(), number()
local at = now()
local known = each(function()
  local fingerprint, text = arg(), arg()
  if text ~= '' then
    redis.call('HSETNX', labels, fingerprint, text)
  elseif not redis.call('HGET', labels, fingerprint) then
    return '0'
  end
  redis.call('ZADD', listed, at, fingerprint)
  return '1'
end)
for _, fingerprint in ipairs(redis.call('ZRANGEBYSCORE', listed, '-inf', at - kept_for, 'LIMIT', 0, 100)) do
  redis.call('HDEL', labels, fingerprint)
  redis.call('ZREM', listed, fingerprint)
end
return table.concat(known)
