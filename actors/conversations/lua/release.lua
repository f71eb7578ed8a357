-- Let go of a conversation. ARGV: again, time, keep, conversation, fence, '1' for not while something waits.
-- Returns 1, or 0 when something does.

although_memory_is_full()
local conversation = ARGV[4]
if not is_held(conversation, ARGV[5]) then return 1 end
if ARGV[6] == '1' and #waiting(conversation) > 0 then return 0 end
redis.call('HDEL', key('conversation', conversation), 'holder')
return 1
