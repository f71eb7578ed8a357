-- A reply is about to be sent. ARGV: again, time, keep, call, its id.
-- Returns what show() gives of it, or nothing when it may not be sent now.

although_memory_is_full()
local call, id = ARGV[4], ARGV[5]
local fields = redis.call('HMGET', key('reply', id), 'state', 'begun_by')
local state = fields[1]
if again and state == 'sending' and fields[2] == call then return show(id) end
-- A failed reply was certainly not sent: replaying its dead letter sends it after all.
if state ~= 'pending' and state ~= 'failed' then return false end
redis.call('HDEL', key('reply', id), 'error')
move(id, 'sending', 'sending_at', digits(now), 'begun_by', call)
return show(id)
