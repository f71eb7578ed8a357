-- The oldest reply of a conversation that is not sent yet. ARGV: again, time, keep, conversation.
-- Returns what show() gives of it, or nothing when there is none, or it is being sent.

local unsent = key('unsent', ARGV[4])
for _, id in ipairs(redis.call('ZRANGE', unsent, 0, -1)) do
  local state = redis.call('HGET', key('reply', id), 'state')
  if state then return state == 'pending' and show(id) end
  redis.call('ZREM', unsent, id)
end
return false
