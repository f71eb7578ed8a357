-- A process of one host is known to be dead. ARGV: again, host, pid, how many deaths a message may cause,
-- and what to note as their reason. Returns how many messages it held.

although_memory_is_full()
local total = 0
for _, owner in ipairs(ask('ZRANGE', base .. ':processes', 0, -1)) do
  local process = ask('HMGET', key('process', owner), 'host', 'pid')
  if process[1] == ARGV[2] and process[2] == ARGV[3] then
    total = total + take_over(owner, clock(''), true, tonumber(ARGV[4]), ARGV[5])
  end
end
return total
