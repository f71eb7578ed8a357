-- Decide who answers in a conversation. ARGV: again, time, keep, conversation, mode, reason.

although_memory_is_full()
if redis.call('EXISTS', key('conversation', ARGV[4])) == 1 then set_mode(ARGV[4], ARGV[5], ARGV[6]) end
