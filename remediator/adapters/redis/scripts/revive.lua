-- Puts a dead letter back into its queue. Answers 0 when there is none, or it never came from a queue.
local dead, id = key(), arg()
local streams = {}
each(function() streams[arg()] = key() end)
local found = redis.call('XRANGE', dead, id, id)[1]
if not found then return 0 end
local letter = {}
for i = 1, #found[2], 2 do letter[found[2][i]] = found[2][i + 1] end
if not letter.k or not streams[letter.queue] then return 0 end
enqueue(streams[letter.queue], letter.i, letter.k, letter.payload)
redis.call('XDEL', dead, id)
return 1
