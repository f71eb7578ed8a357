-- Messages are done. ARGV: again, owner, and for each claim its queue, its token, how many of its messages
-- are done, and their ids. What is held under another token by now stays as it is.

although_memory_is_full()
local owner = ARGV[2]
local i = 3
while i <= #ARGV do
  local queue, token, count = ARGV[i], ARGV[i + 1], tonumber(ARGV[i + 2])
  local held = held_key(queue, owner)
  local ids = {unpack(ARGV, i + 3, i + 2 + count)}
  local tokens = ask('HMGET', held, unpack(ids))
  local done, keys = {}, {}
  for j, id in ipairs(ids) do
    if tokens[j] == token then
      done[#done + 1] = id
      keys[#keys + 1] = key('message', id)
      keys[#keys + 1] = key('payload', id)
    end
  end
  if #done > 0 then
    ask('HDEL', held, unpack(done))
    ask('UNLINK', unpack(keys))
    ask('ZREM', key('tried', queue), unpack(done))
    ask('HINCRBY', base .. ':queues', queue, #done)
  end
  i = i + 3 + count
end
