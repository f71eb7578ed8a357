-- The channel tells of a reply's delivery. ARGV: again, time, keep, call, its id, the channel's id, the status, how
-- far along that is, and the error if there is one. Returns 1, or 0 when it is no step forward.

although_memory_is_full()
local call, id = ARGV[4], ARGV[5]
local former = former_answer(call)
if former then return former end
local reply = key('reply', id)
if redis.call('EXISTS', reply) == 0 then return 0 end
was_sent(id, ARGV[6])  -- whatever we thought
local rank = redis.call('HGET', reply, 'delivery_rank')
if tonumber(ARGV[8]) <= tonumber(rank or -1) then return receipted(call, 0) end
move(id, 'sent', 'delivery_status', ARGV[7], 'delivery_rank', ARGV[8])
if ARGV[9] then redis.call('HSET', reply, 'error', ARGV[9]) end
return receipted(call, 1)
