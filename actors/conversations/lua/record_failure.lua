-- A reply was not sent, or perhaps. ARGV: again, time, keep, call, its id, its new state, the error, and the
-- states in which it may be before. What was done before is not done again: someone may have begun to send it.

although_memory_is_full()
local call, id = ARGV[4], ARGV[5]
if former_answer(call) then return end
local state = redis.call('HGET', key('reply', id), 'state')
for i = 8, #ARGV do
  if state == ARGV[i] then move(id, ARGV[6], 'error', ARGV[7]) end
end
receipted(call, 1)
