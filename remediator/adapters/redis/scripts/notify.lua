-- Enqueues notices, each of them once for as long as it is remembered. Answers how many were new.
local stream, remembered, fresh = key(), number(), 0
each(function()
  local told, kind, data = key(), arg(), arg()
  if redis.call('SET', told, 1, 'NX', 'PX', remembered) then
    enqueue(stream, '', kind, data)
    fresh = fresh + 1
  end
end)
return fresh
