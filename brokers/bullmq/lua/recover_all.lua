-- Look after what the dead held. ARGV: again, time, max_deliveries, for how long a job has to be without a lock. Returns for each queue that had any its name and how
-- many.

although_memory_is_full()
local found = {}
for _, queue in ipairs(queues()) do
  local count = recover(queue, clock(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]))
  if count > 0 then
    found[#found + 1] = queue
    found[#found + 1] = count
  end
end
return found
