-- A receiver took a notice. ARGV: again, time, keep, receiver, when, and the ids of the events.

-- For how long it is known when notices were taken, in milliseconds. The limit is one of an hour.
local KNOWN_MS = 3600000

although_memory_is_full()
local receiver, at = ARGV[4], ARGV[5]
for i = 6, #ARGV do
  redis.call('ZREM', key('notices', receiver), ARGV[i])
  local notice = key('notice', receiver .. ':' .. ARGV[i])
  if redis.call('EXISTS', notice) == 1 then redis.call('HSET', notice, 'told_at', at) end
end
local told = key('notices-told', receiver)
redis.call('ZREMRANGEBYSCORE', told, '-inf', digits(tonumber(at) - KNOWN_MS))
redis.call('ZADD', told, at, at)
redis.call('PEXPIRE', told, KNOWN_MS)
redis.call('DEL', key('notice-receiver', receiver))
