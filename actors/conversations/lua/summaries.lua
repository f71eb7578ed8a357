-- Conversations in a few words. ARGV: again, time, keep, keys.
-- Returns of each that there is its key, contact and address, when something was last said, the name of its
-- newest message, who spoke last and what, how many messages wait, the state and delivery status of its newest
-- reply, who answers, why, the channel ('' for the first there was), the contact's name, and 1 where no operator has
-- seen what the contact wrote, else 0.

-- How many replies are looked at for a message whose record is still there.
local LOOK_AT = 20

local function last_of(kind, conversation)
  local member = redis.call('ZREVRANGE', key(kind, conversation), 0, 0)[1]
  return member and name_of(member)
end

local function last_answered(conversation)
  for _, id in ipairs(redis.call('ZREVRANGE', key('replies', conversation), 0, LOOK_AT - 1)) do
    local name = redis.call('LINDEX', key('answers', id), -1)
    if name and redis.call('EXISTS', key('inbound', name)) == 1 then return name end
  end
end

local function body_of(name) return redis.call('HGET', key('inbound', name), 'body') end

-- The one of two messages that came in later; either may be missing.
local function later(one, other)
  if not (one and other) then return one or other end
  local first = redis.call('HMGET', key('inbound', one), 'received_at', 'seq')
  local second = redis.call('HMGET', key('inbound', other), 'received_at', 'seq')
  for i = 1, 2 do
    local a, b = tonumber(first[i] or 0), tonumber(second[i] or 0)
    if a ~= b then return a > b and one or other end
  end
  return one
end

local function summary(conversation)
  local about = redis.call('HMGET', key('conversation', conversation), 'contact', 'address', 'mode', 'mode_reason',
    'channel', 'name')
  if not about[1] then return end
  local waiting, aside = last_of('unanswered', conversation), last_of('set-aside', conversation)
  local message = waiting or later(last_answered(conversation), aside)
  local id = redis.call('ZREVRANGE', key('replies', conversation), 0, 0)[1]
  if not message and not id then return end
  local reply = redis.call('HMGET', key('reply', id or ''), 'body', 'state', 'delivery_status', 'kind')
  if reply[4] == 'silence' then reply = {} end  -- the last word is the contact's
  local author, text = 'us', reply[1]
  if waiting or not text then author, text = 'contact', message and body_of(message) end
  if not text then return end
  return {conversation, about[1], about[2], redis.call('ZSCORE', base .. ':conversations', conversation),
    message or 'reply.' .. id, author, text, redis.call('ZCARD', key('unanswered', conversation)), reply[2] or false, reply[3] or false,
    about[3] or 'assistant', about[4], about[5] or '', about[6],
    redis.call('ZSCORE', base .. ':unread', conversation) and 1 or 0}
end

local answer = {}
for i = 4, #ARGV do answer[#answer + 1] = summary(ARGV[i]) end
return answer
