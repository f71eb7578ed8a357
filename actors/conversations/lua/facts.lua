-- What is known of a contact. ARGV: again, time, keep, conversation.
-- Returns nothing, or when the conversation began, when the contact last wrote, how many messages and replies there are,
-- and the notes of operators.

local conversation = ARGV[4]
local about = redis.call('HMGET', key('conversation', conversation), 'created_at', 'heard_at')
if not about[1] then return false end
local messages = redis.call('ZCARD', key('unanswered', conversation)) + redis.call('ZCARD', key('set-aside', conversation))
local replies = 0
for _, id in ipairs(redis.call('ZRANGE', key('replies', conversation), 0, -1)) do
  messages = messages + redis.call('LLEN', key('answers', id))
  local kind = redis.call('HGET', key('reply', id), 'kind')
  if kind and kind ~= 'silence' then replies = replies + 1 end
end
return {about[1], about[2], messages, replies, redis.call('HGETALL', key('notes', conversation))}
