-- A reply was not sent, or perhaps. ARGV: again, time, keep, call, its id, its new state, the error. What was
-- done before is not done again: another process may have begun to send the reply meanwhile.

although_memory_is_full()
local call, id = ARGV[4], ARGV[5]
if former_answer(call) then return end
local state = redis.call('HGET', key('reply', id), 'state')
if FOLLOWS[ARGV[6]][state] then
  -- A reply that was sent, or perhaps was, counts as sent again: the channel may still tell of its first sending.
  if state == 'undelivered' or state == 'unknown' then redis.call('HINCRBY', key('reply', id), 'times_sent_again', 1) end
  move(id, ARGV[6], 'error', ARGV[7])
end
receipted(call, 1)
