-- The incident and the facts about some alerts, as of one moment.
local doc, members, known = key(), key(), arg() == '1'
local alerts = each(function() return { episode = key(), fingerprint = arg() } end)
local member, over = {}, {}
for i, alert in ipairs(alerts) do
  member[i] = known and redis.call('SISMEMBER', members, alert.fingerprint) or 0
  over[i] = is_over(alert.episode) and 1 or 0
end
return { now(), known and redis.call('HGET', doc, 'doc'), known and redis.call('SCARD', members) or 0,
         table.concat(member), table.concat(over) }
