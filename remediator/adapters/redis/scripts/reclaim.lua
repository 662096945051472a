-- Takes over entries of consumers that went silent; each counts one more try. Entries that were deleted
-- behind our back are acknowledged.
local stream, tries = key(), key()
local consumer, idle, count = arg(), arg(), number()
local taken, from = {}, '0-0'
for _ = 1, 20 do
  local found = redis.call('XAUTOCLAIM', stream, GROUP, consumer, idle, from, 'COUNT', count - #taken, 'JUSTID')
  from = found[1]
  for _, id in ipairs(found[3] or {}) do redis.call('HDEL', tries, id) end -- Redis 7 dropped them itself
  for _, id in ipairs(found[2]) do
    local entry = redis.call('XRANGE', stream, id, id)[1]
    if entry then
      taken[#taken + 1] = { id, redis.call('HINCRBY', tries, id, 1), entry[2] }
    else
      settle(stream, tries, id)
    end
  end
  if from == '0-0' or #taken >= count then break end
end
return taken
