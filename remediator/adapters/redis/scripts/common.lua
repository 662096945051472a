-- Put before every script. Keys and arguments are read in the order in which Python writes them.
if redis.replicate_commands then redis.replicate_commands() end -- 6.2: lets a script write after TIME

local GROUP = 'workers'
local next_key, next_arg = 0, 0

local function key()
  next_key = next_key + 1
  return KEYS[next_key]
end

local function arg()
  next_arg = next_arg + 1
  return ARGV[next_arg]
end

local function number()
  return tonumber(arg())
end

-- A list: its length, then its items.
local function each(read)
  local items = {}
  for i = 1, number() do items[i] = read() end
  return items
end

-- Milliseconds since the epoch, by the server's clock.
local function now()
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end

local function enqueue(stream, incident, kind, data)
  redis.call('XADD', stream, '*', 'i', incident, 'k', kind, 'd', data)
end

-- A dead letter; one that came from a queue also carries kind and incident, to be revived. Bounded: the
-- oldest goes when there are too many, because a sender that repeats itself must not fill the memory.
local DEAD_MAX = 10000
local function bury(dead, at, letter)
  if redis.call('XLEN', dead) >= DEAD_MAX then
    local oldest = redis.call('XRANGE', dead, '-', '+', 'COUNT', 1)
    redis.call('XADD', dead, '*', 'at', at, unpack(letter))
    redis.call('XDEL', dead, oldest[1][1])
  else
    redis.call('XADD', dead, '*', 'at', at, unpack(letter))
  end
end

-- An episode is "<F|R><1|0>|startsAt|number|incident": firing or resolved, matched by a rule or not.
local function read_episode(name)
  local text = redis.call('GET', name)
  if not text then return nil end
  local state, matched, starts, count, incident = string.match(text, '^(.)(.)|([^|]*)|(%d+)|(.*)$')
  return { firing = state == 'F', matched = matched == '1', starts = starts, number = tonumber(count),
           incident = incident }
end

local function episode_text(episode)
  return (episode.firing and 'F' or 'R') .. (episode.matched and '1' or '0') .. '|' .. episode.starts .. '|'
    .. episode.number .. '|' .. episode.incident
end

-- Remembers an alert that no rule matches; of too many the oldest goes.
local UNMATCHED_MAX = 1000
local function list_unmatched(list, name, data)
  redis.call('HSET', list.docs, name, data)
  redis.call('ZADD', list.order, redis.call('INCR', list.turn), name)
  if redis.call('ZCARD', list.order) > UNMATCHED_MAX then
    redis.call('HDEL', list.docs, redis.call('ZPOPMIN', list.order)[1])
  end
end

-- How many attempts for a rule failed since the last one that was verified.
local ROW = 'row\31'
local function failed_in_a_row(trust, rule)
  return tonumber(redis.call('ZSCORE', trust, ROW .. rule) or '0')
end

local function is_over(name)
  return string.sub(redis.call('GET', name) or '', 1, 1) == 'R'
end

local function is_pending(stream, id)
  local found = redis.pcall('XPENDING', stream, GROUP, id, id, 1)
  return not found.err and #found > 0
end

-- Acknowledges and deletes; false when somebody did before.
local function settle(stream, tries, id)
  if redis.call('XACK', stream, GROUP, id) == 0 then return false end
  redis.call('XDEL', stream, id)
  redis.call('HDEL', tries, id)
  return true
end
