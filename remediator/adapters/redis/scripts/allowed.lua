-- Which of the commands in ARGV, spelled as rules spell them, our user may not run. Redis 6.2 cannot tell:
-- then none. The key is one of ours, so being here at all proves that our user may touch it.
local ours = key()
local denied = {}
for _, command in ipairs(redis.acl_check_cmd and ARGV or {}) do
  local name, sub = string.match(command, '^([^|]+)|?(.*)$')
  -- As many arguments as any command needs: the server looks for keys among them without counting first.
  local words = { name, ours, ours, ours, ours, ours, ours }
  if sub ~= '' then table.insert(words, 2, sub) end
  local known, allowed = pcall(redis.acl_check_cmd, unpack(words)) -- an older server does not know WAITAOF
  if known and not allowed then denied[#denied + 1] = command end
end
return denied
