-- A reply is about to be sent. ARGV: again, time, keep, call, its id, this attempt or nothing, and attempts under
-- which no call to send was made.
-- Returns what show() gives of it, or nothing when it may not be sent now.

although_memory_is_full()
local call, id, attempt = ARGV[4], ARGV[5], ARGV[6]
local fields = redis.call('HMGET', key('reply', id), 'state', 'begun_by', 'attempt')
local state = fields[1]
if again and state == 'sending' and fields[2] == call then return show(id) end
local is_void = false
for index = 7, #ARGV do is_void = is_void or (state == 'sending' and fields[3] == ARGV[index]) end
if not FOLLOWS.sending[state] and not is_void then return false end
redis.call('HDEL', key('reply', id), 'error')
move(id, 'sending', 'sending_at', digits(now), 'begun_by', call, 'attempt', attempt)
return show(id)
