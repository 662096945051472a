-- Heartbeat: starts the idle time of entries again, where they still belong to the consumer.
local streams = each(key)
local consumer = arg()
local extended = 0
each(function()
  local stream, id = streams[number()], arg()
  local found = redis.pcall('XPENDING', stream, GROUP, id, id, 1, consumer)
  if not found.err and #found > 0 then
    redis.call('XCLAIM', stream, GROUP, consumer, 0, id, 'JUSTID')
    extended = extended + 1
  end
end)
return extended
