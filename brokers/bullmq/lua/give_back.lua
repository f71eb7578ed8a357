-- Give back whatever a process holds, or what it may have claimed without learning of it. ARGV: again, time, owner,
-- token or nothing for all.

although_memory_is_full()
local now, owner, token = clock(ARGV[2]), ARGV[3], ARGV[4]
local beginning = owner .. ':' .. token
for _, queue in ipairs(queues()) do
  for _, id in ipairs(redis.call('LRANGE', place(queue, 'active'), 0, -1)) do
    local lock = lock_of(queue, id)
    if lock == beginning or (lock and token == '' and string.sub(lock, 1, #beginning) == beginning) then
      let_go(queue, id, lock, 0, now)
    end
  end
end
if token == '' then redis.call('DEL', key('started', owner)) end
