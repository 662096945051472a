-- For wrk: posts the lines of a file in turn, each alert with a name of its own.
-- Arguments: the file, a number that no other run has, the bearer token.
local MARK = string.rep('@', 16)
local lines, turn, serial, prefix = {}, 0, 0, ''

function setup(thread)
  thread:set('share', share or 0)
  share = (share or 0) + 1
end

local function pieces(line)
  local found, from = {}, 1
  while true do
    local at = string.find(line, MARK, from, true)
    if not at then break end
    found[#found + 1] = string.sub(line, from, at - 1)
    from = at + #MARK
  end
  found[#found + 1] = string.sub(line, from)
  return found
end

function init(args)
  prefix = string.format('%05x%x', tonumber(args[2]), share)
  for line in io.lines(args[1]) do
    local head = table.concat({ -- wrk.format would count the body by itself, which is not there yet
      'POST ' .. wrk.path .. ' HTTP/1.1', 'Host: localhost', 'User-Agent: Alertmanager/0.33.0',
      'Authorization: Bearer ' .. args[3], 'Content-Type: application/json', 'Content-Length: ' .. #line,
      '', '' }, '\r\n')
    local request = pieces(line)
    request[1] = head .. request[1]
    lines[#lines + 1] = request
  end
end

function request()
  turn = turn % #lines + 1
  local line = lines[turn]
  if #line == 1 then return line[1] end
  local filled = {}
  for i = 1, #line - 1, 2 do
    serial = serial + 1
    local name = string.format('%s%010x', prefix, serial)
    filled[#filled + 1] = line[i]
    filled[#filled + 1] = name
    filled[#filled + 1] = line[i + 1]
    filled[#filled + 1] = name
  end
  filled[#filled + 1] = line[#line]
  return table.concat(filled)
end

function done(summary, latency)
  local e = summary.errors
  io.write(string.format('RESULT %d %d %d %d %d\n', summary.requests, summary.duration, e.status,
    e.connect + e.read + e.write + e.timeout, latency:percentile(50)))
end
