-- Put a held message back in place, changed. ARGV: again, time, owner, queue, token, id, new queue, payload,
-- delay, error. Returns 1, or 0 when it is not held under that token any more.

although_memory_is_full()
local now = clock(ARGV[2])
local owner, queue, token, id, new_queue = ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7]
local held = held_key(queue, owner)
if ask('HGET', held, id) ~= token then return 0 end
ask('HDEL', held, id)
local message = key('message', id)
local due = now + tonumber(ARGV[9])
ask('HSET', message, 'queue', new_queue, 'due', digits(due), 'crashes', 0, 'error', ARGV[10])
if ARGV[10] == '' then ask('HDEL', message, 'error') end
ask('SET', key('payload', id), ARGV[8])
ask('HSETNX', base .. ':queues', new_queue, 0)
if new_queue ~= queue then ask('ZREM', key('tried', queue), id) end
local m = place_of(id, new_queue, now)
ask('ZADD', key('tried', new_queue), digits(m.enqueued), id)
line_up(m, now)
return 1
