-- The incident and the facts about some alerts, as of one moment.
local doc, members, trust, lowered, known = key(), key(), key(), key(), arg() == '1'
local alerts = each(function() return { episode = key(), fingerprint = arg() } end)
local member, over = {}, {}
for i, alert in ipairs(alerts) do
  member[i] = known and redis.call('SISMEMBER', members, alert.fingerprint) or 0
  over[i] = is_over(alert.episode) and 1 or 0
end
local trying = known and redis.call('HGET', doc, 'trying') or ''
local row, held = 0, 0
if trying ~= '' then
  row = failed_in_a_row(trust, trying)
  held = redis.call('ZSCORE', lowered, trying) and 1 or 0
end
return { now(), known and redis.call('HGET', doc, 'doc'), known and redis.call('SCARD', members) or 0,
         table.concat(member), table.concat(over), trying, row, held }
