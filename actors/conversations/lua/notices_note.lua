-- Note an event for receivers, once. ARGV: again, time, keep, event id, when it happened, '1' when it waits for the end
-- of quiet hours, what to tell, how long to remember it in milliseconds, and the receivers.

although_memory_is_full()
local id, at = ARGV[4], ARGV[5]
for i = 9, #ARGV do
  local notice, untold = key('notice', ARGV[i] .. ':' .. id), key('notices', ARGV[i])
  if redis.call('EXISTS', notice) == 0 then
    redis.call('HSET', notice, 'content', ARGV[7], 'waits', ARGV[6])
    redis.call('PEXPIRE', notice, ARGV[8])
    redis.call('ZADD', untold, at, id)
    redis.call('PEXPIRE', untold, ARGV[8])
  end
end
