-- Let the assistant answer again, if a person was to and took no part since then. ARGV: again, time, keep,
-- conversation, since when, and the reason for which the person was to ('' for any). Returns 1, or 0 when nothing
-- changed.

local fields = redis.call('HMGET', key('conversation', ARGV[4]), 'mode', 'mode_at', 'mode_reason')
if fields[1] ~= 'person' or tonumber(fields[2] or 0) >= tonumber(ARGV[5]) then return 0 end
if ARGV[6] ~= '' and fields[3] ~= ARGV[6] then return 0 end
although_memory_is_full()
set_mode(ARGV[4], 'assistant', '')
return 1
