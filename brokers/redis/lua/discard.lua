-- Delete dead letters for good. ARGV: again, ids. Returns how many there were.

although_memory_is_full()
local count = 0
for i = 2, #ARGV do
  local queue = redis.call('HGET', key('dead-letter', ARGV[i]), 'queue')
  if queue then
    redis.call('ZREM', key('dead', queue), ARGV[i])
    redis.call('UNLINK', key('dead-letter', ARGV[i]), key('dead-payload', ARGV[i]))
    count = count + 1
  end
end
return count
