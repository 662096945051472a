-- Of some alerts: since when each fires (empty: it does not), when it was last listed, and its labels.
local listed, labels = key(), key()
local found = each(function()
  local episode, fingerprint = read_episode(key()), arg()
  local starts = episode and episode.firing and episode.starts or ''
  return { starts, redis.call('ZSCORE', listed, fingerprint) or '', redis.call('HGET', labels, fingerprint) or '' }
end)
return { now(), found }
