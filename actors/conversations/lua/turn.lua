-- What is to be answered. ARGV: again, time, keep, conversation, how many things that were said before.
-- Returns the channel ('' for the first there was), the metadata ('' for none), who answers, what utterance() says of
-- each message that waits, and of each thing said before, newest first, with the state of a reply at its end, and for how long the model takes no call; or
-- nothing when the conversation was erased.

local conversation, limit = ARGV[4], tonumber(ARGV[5])
if redis.call('EXISTS', key('conversation', conversation)) == 0 then return false end
local unanswered, history = {}, {}
for _, member in ipairs(waiting(conversation)) do
  unanswered[#unanswered + 1] = utterance(name_of(member))
end

local function say(said)
  if said and #history < limit then history[#history + 1] = said end
end

for _, id in ipairs(redis.call('ZREVRANGE', key('replies', conversation), 0, limit)) do
  local reply = redis.call('HMGET', key('reply', id), 'body', 'written_at', 'kind', 'state')
  if reply[1] and reply[3] ~= 'silence' then say({'us', reply[1], reply[2], id, false, reply[4]}) end
  local names = redis.call('LRANGE', key('answers', id), 0, -1)
  for i = #names, 1, -1 do say(utterance(names[i])) end
end
local about = redis.call('HMGET', key('conversation', conversation), 'channel', 'metadata', 'mode')
local paused = (tonumber(redis.call('GET', key('calls-paused', '')) or 0) or 0) - now
if paused < 0 or paused > MOST_PAUSED_MS then paused = 0 end -- as paused_ms() in shared_calls.py
return {about[1] or '', about[2] or '', about[3] or 'assistant', unanswered, history, math.ceil(paused)}
