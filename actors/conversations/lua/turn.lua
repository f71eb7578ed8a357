-- What is to be answered. ARGV: again, time, keep, conversation, how many lines of what was said before.
-- Returns of each message that waits its member and its body; and of each line, newest first, its author and
-- its text.

local conversation, limit = ARGV[4], tonumber(ARGV[5])
local unanswered, history = {}, {}
for _, member in ipairs(waiting(conversation)) do
  unanswered[#unanswered + 1] = member
  unanswered[#unanswered + 1] = redis.call('HGET', key('inbound', name_of(member)), 'body')
end

local function say(author, text)
  if not text or #history == 2 * limit then return end
  history[#history + 1] = author
  history[#history + 1] = text
end

for _, id in ipairs(redis.call('ZREVRANGE', key('replies', conversation), 0, limit)) do
  say('us', redis.call('HGET', key('reply', id), 'body'))
  local names = redis.call('LRANGE', key('answers', id), 0, -1)
  for i = #names, 1, -1 do say('contact', redis.call('HGET', key('inbound', names[i]), 'body')) end
end
return {unanswered, history}
