-- A process lives, and looks whether the others do. ARGV: again, owner, host, pid, when it started, milliseconds of
-- silence after which a process of another host is dead, and after which one of this host is to be looked for,
-- how many deaths a message may cause, and what to note as their reason.
-- Returns whether this process was known; two lists: dead owners, each with how many messages it held, and owners
-- of this host that are silent, each with its pid and when it started; since when the server keeps what is ours;
-- whether orphans.lua is to look; and how many delays followed the server's clock since the last beat, when it was set
-- back.

although_memory_is_full()
follow_clock()
local now, owner, host = clock(''), ARGV[2], ARGV[3]
local processes = base .. ':processes'
local known = ask('ZADD', processes, digits(now), owner) == 0
if not known or ask('HLEN', key('process', owner)) < 3 then
  ask('HSET', key('process', owner), 'host', host, 'pid', ARGV[4], 'started', ARGV[5])
end

local dead, silent = {}, {}
local since = digits(now - tonumber(ARGV[7]))
local found = ask('ZRANGEBYSCORE', processes, '-inf', '(' .. since, 'WITHSCORES')
for i = 1, #found, 2 do
  local other, beat_at = found[i], number(found[i + 1]) or 0
  local process = ask('HMGET', key('process', other), 'host', 'pid', 'started')
  -- Without its start, a later process with its number would be taken for it.
  if process[1] == host and string.match(process[2] or '', '^[1-9]%d?%d?%d?%d?%d?%d?$') and process[3] then
    for _, part in ipairs({other, process[2], process[3]}) do silent[#silent + 1] = part end
  elseif beat_at < now - tonumber(ARGV[6]) then
    dead[#dead + 1] = other
    dead[#dead + 1] = take_over(other, now, true, tonumber(ARGV[8]), ARGV[9])
  end
end
local followed = number(ask('GET', base .. ':clock-set-back')) or 0
if followed > 0 then ask('DEL', base .. ':clock-set-back') end
return {known and 1 or 0, dead, silent, kept_since(), 1 - ask('EXISTS', base .. ':looked'), followed}
