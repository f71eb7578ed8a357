-- A process lives, and looks whether the others do. ARGV: again, owner, host, pid, milliseconds after which
-- a silent process is dead, how many deaths a message may cause, and what to note as their reason.
-- Returns whether this process was known, and then each dead owner and how many messages it held.

although_memory_is_full()
local now, owner = clock(''), ARGV[2]
local processes = base .. ':processes'
local known = ask('ZADD', processes, digits(now), owner) == 0
ask('HSET', key('process', owner), 'host', ARGV[3], 'pid', ARGV[4])
local answer = {known and 1 or 0}
local silent_since = digits(now - tonumber(ARGV[5]))
for _, other in ipairs(ask('ZRANGEBYSCORE', processes, '-inf', '(' .. silent_since)) do
  answer[#answer + 1] = other
  answer[#answer + 1] = take_over(other, now, true, tonumber(ARGV[6]), ARGV[7])
end
return answer
