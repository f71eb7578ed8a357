-- Have a reply looked at again that was not sent too long ago. ARGV: again, time, keep, its id, the first look and the
-- last one, as times after the sending, and when it is due again, in milliseconds from now.

although_memory_is_full()
local id, set = ARGV[4], base .. ':open'
local fields = redis.call('HMGET', key('reply', id), 'state', 'sent_at')
if fields[1] ~= 'sent' then return 0 end
if tonumber(fields[2]) >= now - ARGV[6] then
  redis.call('ZADD', set, digits(now + ARGV[7] - ARGV[5]), id)
else
  redis.call('ZREM', set, id)
end
return 1
