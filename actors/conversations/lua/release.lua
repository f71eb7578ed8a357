-- Let go of a conversation. ARGV: again, time, keep, conversation, fence.

although_memory_is_full()
if is_held(ARGV[4], ARGV[5]) then redis.call('HDEL', key('conversation', ARGV[4]), 'holder') end
