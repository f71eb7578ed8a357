-- Delete dead letters. ARGV: again, a name for this call, and for each its queue and id. Returns how many there were.

although_memory_is_full()
local former = former_answer(ARGV[2])
if former then return tonumber(former) end
local count = 0
for i = 3, #ARGV, 2 do
  local queue, id = ARGV[i], ARGV[i + 1]
  if redis.call('ZSCORE', place(queue, 'failed'), id) then
    count = count + removeJob(queue, {id, '0', start_of(queue)}, id)
  end
end
receipted(ARGV[2], count)
return count
