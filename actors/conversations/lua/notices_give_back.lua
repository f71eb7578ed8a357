-- A receiver refused a notice. ARGV: again, time, keep, receiver, taker, when to try again, how often it refused in a row,
-- how long to remember that in milliseconds, and the ids of the events.

although_memory_is_full()
local receiver = ARGV[4]
for i = 9, #ARGV do
  local notice = key('notice', receiver .. ':' .. ARGV[i])
  if redis.call('HGET', notice, 'taken_by') == ARGV[5] then redis.call('HDEL', notice, 'taken_by', 'taken_until') end
end
local about = key('notice-receiver', receiver)
redis.call('HSET', about, 'not_before', ARGV[6], 'failures', ARGV[7])
redis.call('PEXPIRE', about, ARGV[8])
