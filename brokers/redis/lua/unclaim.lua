-- Give back whatever a claim took whose answer never came. ARGV: again, time, owner, queue, token.

although_memory_is_full()
local now, owner, queue, token = clock(ARGV[2]), ARGV[3], ARGV[4], ARGV[5]
local held = held_key(queue, owner)
local all = ask('HGETALL', held)
for i = 1, #all, 2 do
  if all[i + 1] == token then
    ask('HDEL', held, all[i])
    ask('HINCRBY', key('message', all[i]), 'deliveries', -1)
    put_back(all[i], queue, 0, now)
  end
end
