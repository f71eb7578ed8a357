-- Show one message. ARGV: again, its id as one of ours, and the queue and the id it has if another program added it.

local answer = {}
local queue, id = find(ARGV[2], ARGV[3], ARGV[4])
if queue then
  local state = state_of(queue, id)
  if state then show(answer, queue, id, state) end
end
return answer
