-- Decide who answers in a conversation. ARGV: again, time, keep, conversation, mode, reason.

although_memory_is_full()
local about = key('conversation', ARGV[4])
if redis.call('EXISTS', about) == 1 then
  redis.call('HSET', about, 'mode', ARGV[5], 'mode_reason', ARGV[6], 'mode_at', digits(now))
end
