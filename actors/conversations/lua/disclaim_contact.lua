-- Forget which conversation is that with a contact. ARGV: again, time, keep, account, address, the channel's id of the
-- contact, and the conversation that it was.

although_memory_is_full()
local place = key('whose', ARGV[4] .. '|' .. ARGV[5] .. '|' .. ARGV[6])
if redis.call('GET', place) == ARGV[7] then redis.call('UNLINK', place) end
