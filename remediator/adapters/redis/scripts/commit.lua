-- A decision: everything is checked before anything is written.
-- Answers committed, settled, conflict or id_taken.
local dead, effects, outbox, timers = key(), key(), key(), key()
local index, ends, calm, group = key(), key(), key(), key()
local old = { doc = key(), members = key(), timeline = key(), evidence = key() }
local new = { doc = key(), members = key(), timeline = key(), evidence = key() }
local open_sets = each(key)
local streams = each(function() return { stream = key(), tries = key() } end)

local unmatched = { order = key(), docs = key(), turn = key() }
local trust, lowered = key(), { order = key(), docs = key() }
local openings, breakers, notices = key(), key(), key()
local old_id, old_version, new_id = arg(), arg(), arg()
local standing = each(function() return { episode = key(), over = arg() == '1' } end)
local settles = each(function() return { from = streams[number()], id = arg() } end)
local relied_on = { rule = arg(), row = number() }
local opens = new_id ~= '' and new_id ~= old_id

for _, entry in ipairs(settles) do
  if not is_pending(entry.from.stream, entry.id) then return 'settled' end
end
if old_id ~= '' and redis.call('HGET', old.doc, 'version') ~= old_version then return 'conflict' end
if opens and (redis.call('GET', group) or '') ~= old_id then return 'conflict' end
for _, alert in ipairs(standing) do
  if is_over(alert.episode) ~= alert.over then return 'conflict' end
end
if relied_on.rule ~= '' and failed_in_a_row(trust, relied_on.rule) ~= relied_on.row then return 'conflict' end
if opens and redis.call('EXISTS', new.doc) == 1 then return 'id_taken' end

local at, retention = now(), number()
each(function()
  bury(dead, at, { 'queue', arg(), 'reason', arg(), 'payload', arg(), 'tries', arg() })
end)

each(function()
  local name, data = key(), arg()
  list_unmatched(unmatched, name, data)
  local episode = read_episode(name)
  if episode then
    episode.matched = false
    redis.call('SET', name, episode_text(episode), 'KEEPTTL')
  end
end)

each(function()
  local rule, what, row = arg(), arg(), arg()
  redis.call('ZINCRBY', trust, 1, what .. '\31' .. rule)
  if row == '1' then redis.call('ZINCRBY', trust, 1, ROW .. rule) end
  if row == '0' then redis.call('ZADD', trust, 0, ROW .. rule) end
end)
local lowers = arg()
if lowers ~= '' then
  redis.call('ZADD', lowered.order, arg(), lowers)
  redis.call('HSET', lowered.docs, lowers, arg())
end

local function forget()
  if redis.call('GET', group) == old_id then redis.call('DEL', group) end
  redis.call('DEL', old.doc, old.members, old.timeline, old.evidence)
  each(function() redis.call('ZREM', timers, old_id .. '\31' .. arg()) end)
  redis.call('ZREM', index, old_id)
  redis.call('SREM', calm, old_id)
end

local function write_incident()
  redis.call('HSET', new.doc, 'doc', arg(), 'version', arg(), 'status', arg(), 'severity', arg(),
             'service', arg())
  local opened_at, shown, open_set, urgent = arg(), arg() == '1', number(), arg() == '1'
  redis.call('HSET', new.doc, 'trying', arg())
  if opens then redis.call('SET', group, new_id) end
  if shown then
    redis.call('ZADD', index, opened_at, new_id)
  else
    redis.call('ZREM', index, new_id)
  end
  for _, set in ipairs(open_sets) do redis.call('SREM', set, new_id) end
  if open_set > 0 then redis.call('SADD', open_sets[open_set], new_id) end
  redis.call(urgent and 'SREM' or 'SADD', calm, new_id)
end

local function write_about()
  each(function() redis.call('ZREM', key(), new_id) end)
  each(function()
    local name, score = key(), arg()
    redis.call('ZADD', name, score, new_id)
  end)
end

local function write_members()
  each(function()
    local name, fingerprint, starts = key(), arg(), arg()
    redis.call('SADD', new.members, fingerprint)
    local episode = read_episode(name) or { firing = true, matched = true, starts = starts, number = 1 }
    episode.incident = new_id
    redis.call('SET', name, episode_text(episode), 'KEEPTTL')
  end)
  each(function() redis.call('SREM', new.members, arg()) end)
end

local function write_rest(timeline_max, evidence_max)
  each(function() redis.call('RPUSH', new.timeline, arg()) end)
  redis.call('LTRIM', new.timeline, -timeline_max, -1)
  each(function() redis.call('RPUSH', new.evidence, arg()) end)
  redis.call('LTRIM', new.evidence, -evidence_max, -1)
  each(function() enqueue(effects, new_id, arg(), arg()) end)
  each(function() enqueue(outbox, new_id, arg(), arg()) end)
  each(function() redis.call('ZREM', timers, new_id .. '\31' .. arg()) end)
  each(function()
    local name, due = arg(), arg()
    redis.call('ZADD', timers, due, new_id .. '\31' .. name)
  end)
end

local function keep_newest(set, most)
  local over = redis.call('ZCARD', set) - most
  if over > 0 then redis.call('ZPOPMIN', set, over) end
end

-- That it opened is what storms are counted by; of too many the oldest go.
local function note_openings()
  local most, kept = number(), number()
  each(function()
    redis.call('ZADD', openings, 'NX', at, arg())
    redis.call('ZREMRANGEBYSCORE', openings, '-inf', at - kept)
    keep_newest(openings, most)
    redis.call('PEXPIRE', openings, kept)
  end)
end

-- Attempts that failed: enough of one runbook open its breaker. Only who opens it tells people.
local function count_failures()
  local kept = number()
  each(function()
    local failures, breaker = key(), key()
    local runbook, member, most, within = arg(), arg(), number(), number()
    local told = each(function() return { arg(), arg() } end)
    redis.call('ZADD', failures, 'NX', at, member)
    redis.call('ZREMRANGEBYSCORE', failures, '-inf', at - within)
    keep_newest(failures, kept)
    redis.call('PEXPIRE', failures, within)
    local count = redis.call('ZCARD', failures)
    if count < most or redis.call('ZSCORE', breakers, runbook) == 'inf' then return end
    redis.call('ZADD', breakers, 'inf', runbook)
    redis.call('DEL', breaker)
    redis.call('HSET', breaker, 'opened_at', at, 'failures', count, 'within', within, 'by_attempt', member)
    for _, notice in ipairs(told) do enqueue(notices, '', notice[1], notice[2]) end
  end)
end

-- A resolved incident is forgotten after the retention; what is in no key of its own goes with `ends`.
local function set_expiry(resolved)
  local kept = { new.doc, new.members, new.timeline, new.evidence }
  if redis.call('GET', group) == new_id then kept[5] = group end
  for _, name in ipairs(kept) do
    if resolved then redis.call('PEXPIRE', name, retention) else redis.call('PERSIST', name) end
  end
  if resolved then
    redis.call('ZADD', ends, at + tonumber(retention), new_id)
  else
    redis.call('ZREM', ends, new_id)
  end
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', ends, '-inf', at, 'LIMIT', 0, 10)) do
    redis.call('ZREM', index, id)
    redis.call('SREM', calm, id)
    redis.call('ZREM', ends, id)
  end
end

if new_id == '' then
  if old_id ~= '' then forget() end
else
  local resolved, timeline_max, evidence_max = arg() == '1', number(), number()
  write_incident()
  write_about()
  write_members()
  write_rest(timeline_max, evidence_max)
  note_openings()
  count_failures()
  set_expiry(resolved)
end
-- Last, so that nothing is settled whose consequences our user was not allowed to write.
for _, entry in ipairs(settles) do settle(entry.from.stream, entry.from.tries, entry.id) end
return 'committed'
