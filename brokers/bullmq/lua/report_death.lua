-- Give back what a dead process held. ARGV: again, time, max_deliveries, host, pid.

although_memory_is_full()
local name = base .. ':process:' .. ARGV[4] .. ':' .. ARGV[5]
local dead = {}
for _, owner in ipairs(redis.call('SMEMBERS', name)) do dead[owner] = true end
for _, queue in ipairs(queues()) do
  for _, id in ipairs(redis.call('LRANGE', place(queue, 'active'), 0, -1)) do
    local owner = string.match(lock_of(queue, id) or '', '^(%w+):%d+$')
    if owner and dead[owner] then drop_lock(queue, id) end
  end
  recover(queue, clock(ARGV[2]), tonumber(ARGV[3]), 0)
end
redis.call('DEL', name)
