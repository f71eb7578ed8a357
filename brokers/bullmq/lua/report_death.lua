-- Give back what a dead process held. ARGV: again, time, max_deliveries, host, pid.

although_memory_is_full()
local name = base .. ':process:' .. ARGV[4] .. ':' .. ARGV[5]
local dead = {}
for _, owner in ipairs(redis.call('SMEMBERS', name)) do dead[owner] = true end
for _, queue in ipairs(queues()) do
  for _, id in ipairs(redis.call('LRANGE', place(queue, 'active'), 0, -1)) do
    local owner = string.match(lock_of(queue, id) or '', '^(%w+):%d+$')
    if owner and dead[owner] then
      drop_lock(queue, id)
      redis.call('HSET', place(queue, id), 'rc:lapsed', '0')
    end
  end
  local now = clock(ARGV[2])
  recover(queue, now, tonumber(ARGV[3]), now)  -- of those alone
end
redis.call('DEL', name)
