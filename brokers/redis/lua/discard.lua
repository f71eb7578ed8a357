-- Delete dead letters for good. ARGV: again, a name for this call, ids. Returns how many there were.

although_memory_is_full()
local call, count = ARGV[2], 0
local former = former_answer(call)
if former then return tonumber(former) end
for i = 3, #ARGV do
  local queue = redis.call('HGET', key('dead-letter', ARGV[i]), 'queue')
  if queue then
    redis.call('ZREM', key('dead', queue), ARGV[i])
    redis.call('UNLINK', key('dead-letter', ARGV[i]), key('dead-payload', ARGV[i]))
    count = count + 1
  end
end
return receipted(call, count)
