-- Give held messages back as if they had not been handed out. ARGV: again, time, owner, delay, and for each
-- message its queue, token and id.

although_memory_is_full()
local now, owner, delay = clock(ARGV[2]), ARGV[3], tonumber(ARGV[4])
local due = delay > 0 and now + delay or 0
for i = 5, #ARGV, 3 do
  local queue, token, id = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  local held = held_key(queue, owner)
  if ask('HGET', held, id) == token then
    ask('HDEL', held, id)
    ask('HINCRBY', key('message', id), 'deliveries', -1)
    put_back(id, queue, due, now)
  end
end
