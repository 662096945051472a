-- Opens and closes episodes and enqueues what is new. One register per fingerprint: the newest startsAt
-- wins, and resolved beats firing at the same startsAt, so that the order of arrival does not matter.
-- Answers one letter for each alert, or how many wait when there is no room; or '?' when the text of an alert
-- was left out that is not known after all, and then nothing is changed.
local urgent, normal, dead, touch = key(), key(), key(), key()
local unmatched = { order = key(), docs = key(), turn = key() }
local capacity, retention, touching = number(), arg(), arg() == '1'

local waiting = redis.call('XLEN', urgent) + redis.call('XLEN', normal)
if waiting >= capacity then return waiting end

local known, changed, order, events, strangers = {}, {}, {}, {}, {}

local function keep(name, episode)
  if not changed[name] then
    changed[name] = true
    order[#order + 1] = name
  end
  known[name] = episode
end

local function fires(name, episode, alert)
  if episode and not episode.firing and alert.starts <= episode.starts then return 's' end
  local starts = alert.starts
  if episode and episode.starts > starts then starts = episode.starts end
  if episode and episode.firing and (episode.matched or not alert.matched) then
    if starts > episode.starts then
      episode.starts = starts
      keep(name, episode)
    end
    return 'd'
  end
  keep(name, { firing = true, matched = alert.matched, starts = starts,
               number = (episode and episode.number or 0) + 1, incident = episode and episode.incident or '' })
  if not alert.matched then
    strangers[#strangers + 1] = { name = name, data = alert.data }
    return 'u'
  end
  events[#events + 1] = alert
  return 'n'
end

local function resolves(name, episode, alert)
  if not episode then
    keep(name, { firing = false, matched = alert.matched, starts = alert.starts, number = 0, incident = '' })
    return 's'
  end
  if episode.firing and alert.starts < episode.starts then return 's' end
  local was_firing = episode.firing
  if was_firing or alert.starts > episode.starts then
    episode.firing, episode.starts = false, alert.starts
    keep(name, episode)
  end
  if not was_firing then return 'd' end
  if episode.matched then events[#events + 1] = alert end
  return 'r'
end

local rejected = each(function() return { reason = arg(), raw = arg() } end)
local letters = each(function()
  local name, head, data = key(), arg(), arg()
  local alert = { lane = string.sub(head, 2, 2) == 'u' and urgent or normal,
                  matched = string.sub(head, 3, 3) == '1', starts = string.sub(head, 4), data = data }
  local episode = known[name] or read_episode(name)
  known[name] = episode
  return (string.sub(head, 1, 1) == 'f' and fires or resolves)(name, episode, alert)
end)

for _, told in ipairs({ strangers, events }) do
  for _, alert in ipairs(told) do
    if alert.data == '' then return '?' end
  end
end

-- Registers come last: they are what makes an alert a duplicate. Redis may refuse our user a command halfway,
-- and what was enqueued without its register is enqueued again, but a register alone would lose the alert.
for _, stranger in ipairs(strangers) do list_unmatched(unmatched, stranger.name, stranger.data) end
for _, alert in ipairs(events) do enqueue(alert.lane, '', 'Alert', alert.data) end
if #rejected > 0 then
  local at = now()
  for _, one in ipairs(rejected) do
    bury(dead, at, { 'queue', 'intake', 'reason', one.reason, 'payload', one.raw, 'tries', 0 })
  end
end

for _, name in ipairs(order) do
  local episode = known[name]
  if episode.firing then
    redis.call('SET', name, episode_text(episode))
  else
    redis.call('SET', name, episode_text(episode), 'PX', retention)
  end
end
if touching and #rejected == 0 and #order == 0 then
  redis.call('SET', touch, '1') -- WAIT and WAITAOF wait for this connection's own last write
end
return table.concat(letters)
