-- Acknowledges, deletes and enqueues what follows; with a reason it also becomes a dead letter.
-- Answers 0 when it was settled before.
local stream, tries, urgent, normal, dead, outbox = key(), key(), key(), key(), key(), key()
local id = arg()
if not is_pending(stream, id) then return 0 end
each(function()
  local lane = arg() == 'urgent' and urgent or normal
  enqueue(lane, arg(), arg(), arg())
end)
each(function() enqueue(outbox, '', arg(), arg()) end)
each(function()
  bury(dead, now(), { 'queue', arg(), 'reason', arg(), 'payload', arg(), 'tries', arg(), 'i', arg(), 'k', arg() })
end)
settle(stream, tries, id)
return 1
