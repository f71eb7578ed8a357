-- Put a message in quarantine, which leaves it out of turns, or restore it. ARGV: again, time, keep, name, '1' for
-- quarantine.

although_memory_is_full()
local name, aside = ARGV[4], ARGV[5] == '1'
local inbound = key('inbound', name)
local fields = redis.call('HMGET', inbound, 'conversation', 'seq', 'received_at', 'seen_by')
local conversation = fields[1]
if not conversation then return end
local from, to = key('unanswered', conversation), key('set-aside', conversation)
if not aside then from, to = to, from end
local member = member_of(fields[2], name)
if redis.call('ZREM', from, member) == 0 then return end  -- it is there already, or answered
redis.call('ZADD', to, fields[3], member)
attention('inbound:' .. name, aside and not fields[4] and fields[3])
keep(not aside, inbound)
touch(conversation)
