-- Do what a person decided about a reply. ARGV: again, time, keep, call, its id, its new state, and the person.
-- Returns what show() gives of it, or nothing when it is in no state for that.

although_memory_is_full()
local call, id, state, by = ARGV[4], ARGV[5], ARGV[6], ARGV[7]
if former_answer(call) then return show(id) end
local reply = key('reply', id)
local fields = redis.call('HMGET', reply, 'state', 'kind', 'conversation', 'model')
if not BY_HAND[state][fields[1]] or fields[2] == 'silence' then return false end
redis.call('HDEL', reply, 'error', 'seen_by')
if state == 'pending' then
  redis.call('HINCRBY', reply, 'times_sent_again', 1)
  move(id, state, 'kind', 'person', 'written_by', by)
else
  redis.call('HDEL', reply, 'segments')
  move(id, state, 'sent_at', digits(now), 'counted_as', '')
  count(fields[3], fields[4] or '', 'replies', '1')
end
receipted(call, 1)
return show(id)
