-- Put a held message back in place, changed. ARGV: again, time, owner, queue, token, id, new queue, payload,
-- delay, error. Returns 1, or 0 when it is not held under that token any more.

although_memory_is_full()
local now = clock(ARGV[2])
local owner, queue, token, id, new_queue = ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7]
local held = held_key(queue, owner)
if redis.call('HGET', held, id) ~= token then return 0 end
redis.call('HDEL', held, id)
local message = key('message', id)
local due = now + tonumber(ARGV[9])
redis.call('HSET', message, 'queue', new_queue, 'due', digits(due), 'crashes', 0, 'error', ARGV[10])
if ARGV[10] == '' then redis.call('HDEL', message, 'error') end
redis.call('SET', key('payload', id), ARGV[8])
local fields = redis.call('HMGET', message, 'priority', 'seq', 'enqueued')
if new_queue ~= queue then redis.call('ZREM', key('tried', queue), id) end
redis.call('ZADD', key('tried', new_queue), fields[3], id)
redis.call('HSETNX', base .. ':queues', new_queue, 0)
line_up(id, new_queue, fields[1], tonumber(fields[2]), due, now)
return 1
