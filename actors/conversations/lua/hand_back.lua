-- Let the assistant answer again, if a person was to and took no part since then. ARGV: again, time, keep,
-- conversation, and since when. Returns 1, or 0 when nothing changed.

local fields = redis.call('HMGET', key('conversation', ARGV[4]), 'mode', 'mode_at')
if fields[1] ~= 'person' or tonumber(fields[2] or 0) >= tonumber(ARGV[5]) then return 0 end
although_memory_is_full()
set_mode(ARGV[4], 'assistant', '')
return 1
