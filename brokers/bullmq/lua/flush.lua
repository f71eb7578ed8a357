-- Delete a queue's messages, finished ones a bounded number at a time. ARGV: again, queue. Returns 1 when none are left.

local LIMIT = 1000

although_memory_is_full()
local queue = ARGV[2]
local start = start_of(queue)

drain(queue, {start, '1'})
for _, id in ipairs(redis.call('LRANGE', place(queue, 'active'), 0, -1)) do
  drop_lock(queue, id)
  removeJob(queue, {id, '0', start}, id)
end
local room = LIMIT
for _, set in ipairs({'failed', 'completed'}) do
  for _, id in ipairs(redis.call('ZRANGE', place(queue, set), 0, room - 1)) do
    removeJob(queue, {id, '0', start}, id)
    room = room - 1
  end
  if room == 0 then return 0 end
end
redis.call('UNLINK', tried(queue))
return 1
