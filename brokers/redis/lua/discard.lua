-- Delete dead letters for good. ARGV: again, a name for this call, ids. Returns how many there were.

although_memory_is_full()
local call, count = ARGV[2], 0
local former = former_answer(call)
if former then return tonumber(former) end
for i = 3, #ARGV do
  local letter, removed = key('dead-letter', ARGV[i]), 0
  local queue = ask('HGET', letter, 'queue')
  -- One whose hash is lost is in one of the sets all the same.
  for _, each in ipairs(queue and {queue} or ask('HKEYS', base .. ':queues')) do
    removed = removed + ask('ZREM', key('dead', each), ARGV[i])
  end
  removed = removed + ask('UNLINK', letter, key('dead-payload', ARGV[i]))
  if removed > 0 then count = count + 1 end
end
return receipted(call, count)
