-- Make a held message a dead letter. ARGV: again, time, owner, queue, token, id, reason, error.

although_memory_is_full()
local owner, queue, token, id = ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local held = held_key(queue, owner)
if ask('HGET', held, id) ~= token then return 0 end
ask('HDEL', held, id)
bury(id, queue, ARGV[7], ARGV[8], clock(ARGV[2]))
return 1
