-- A reply was sent. ARGV: again, time, keep, its id, the channel's id of it, how many messages it is to the channel
-- ('' for unknown), and what these cost. Returns the id of the conversation's next reply to send, or nothing.

although_memory_is_full()
was_sent(ARGV[4], ARGV[5], ARGV[6], ARGV[7])
local conversation = redis.call('HGET', key('reply', ARGV[4]), 'conversation')
return conversation and next_to_send(conversation)
