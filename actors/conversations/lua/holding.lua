-- For scripts that take hold of a conversation, or end what a holder or a sender did.

-- Take the right to answer, when nobody has it, when this holder did already, or from one whose hold is void.
-- Returns the fence, or who holds it, or false when there is no such conversation.
local function hold(name, holder, void)
  local conversation = key('conversation', name)
  local fields = redis.call('HMGET', conversation, 'created_at', 'holder')
  local other = fields[2]
  if not fields[1] then return false end
  if other and other ~= holder and other ~= void then return other end
  local fence = next_in_sequence()
  redis.call('HSET', conversation, 'holder', holder, 'fence', fence)
  return tonumber(fence)
end

-- The id of a conversation's oldest reply that is not sent yet; false when there is none, or it is being sent.
local function next_to_send(conversation)
  local unsent = key('unsent', conversation)
  for _, id in ipairs(redis.call('ZRANGE', unsent, 0, -1)) do
    local state = redis.call('HGET', key('reply', id), 'state')
    if state then return state == 'pending' and id end
    redis.call('ZREM', unsent, id)
  end
  return false
end

-- Let go of a conversation, unless something is unanswered. Returns whether it is let go of, and what is to be sent.
local function finish(conversation, fence)
  local is_done = true
  if is_held(conversation, fence) then
    is_done = #waiting(conversation) == 0
    if is_done then redis.call('HDEL', key('conversation', conversation), 'holder') end
  end
  return {is_done and 1 or 0, next_to_send(conversation)}
end
