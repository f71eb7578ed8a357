-- What every script begins with: the keys, and the few steps that several scripts share.
--
-- KEYS[1] is the namespace in braces. Every key begins with it, so that a cluster keeps them all on one
-- node. ARGV[1] is '1' when the same call may have been made before and its answer was lost, ARGV[2] the
-- time, where it is not the server's, and ARGV[3] how long to keep things, in milliseconds. Times are
-- milliseconds since the epoch.
--
--   {ns}:conversation:<key>  hash    account_sid, contact, address, created_at; fence: of the last hold;
--                                    holder: the queue message on whose behalf it is held, while it is
--   {ns}:inbound:<name>      hash    a message from a contact, named <account sid>.<message sid>:
--                                    conversation, message_sid, body, payload (all of Twilio's parameters,
--                                    as JSON), received_at, seq; stored_by: the call that did
--   {ns}:unanswered:<key>    zset    what waits for an answer. Score: received_at. Member: <seq>:<name>, the
--                                    digits padded, so that equal times keep their order
--   {ns}:set-aside:<key>     zset    the same of what could not be answered; a person has its dead letter
--   {ns}:reply:<id>          hash    conversation, body, kind, tokens, state, received_at (of the oldest
--                                    message it answers), written_at, sending_at, sent_at, sid,
--                                    delivery_status, delivery_rank, error, seq; begun_by: the call that
--                                    began to send it
--   {ns}:answers:<id>        list    the names of what it answers, oldest first
--   {ns}:replies:<key>       zset    a conversation's replies. Score: seq. Member: id
--   {ns}:unsent:<key>        zset    the same of those that are pending or sending
--   {ns}:sid:<sid>           string  the id of the reply that is this Twilio message
--   {ns}:conversations       zset    Score: when something was last said. Member: key
--   {ns}:receipt:<call>      string  what a call answered, for a minute, should it have to be repeated
--   {ns}:repeated            string  when a call was last repeated, for a minute
--   {ns}:sequence            string  counts whatever needs an order: messages, replies, holds
--
-- What is owed does not expire: unanswered messages, unsent replies, and their conversation. All else does
-- when nothing has changed it for as long as things are kept. So a set may name what is gone.

local MINUTE_MS = 60000

-- How many members a script looks at to clean a set up, whatever its own work is.
local CLEAN_LIMIT = 20

local base = KEYS[1]
local again = ARGV[1] == '1'
local keep_ms = ARGV[3]

local function key(kind, name)
  return base .. ':' .. kind .. ':' .. name
end

-- A Lua number's own text would be 1.7e12.
local function digits(number)
  return string.format('%.0f', number)
end

local function clock(given)
  if given ~= '' then return tonumber(given) end
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

local now = clock(ARGV[2])

-- Redis lets a script that has begun to write go on although the memory is full. What only lets go of
-- something, or notes what has happened, must work then, and begins with this.
-- A call that is repeated writes something even when all was done before: whoever waits for the server's file
-- waits for the writes of its own connection, and this is a new one.
local function although_memory_is_full()
  redis.call('DEL', base .. ':nothing')
  if again then redis.call('SET', base .. ':repeated', digits(now), 'PX', MINUTE_MS) end
end

local function next_in_sequence()
  return digits(redis.call('INCR', base .. ':sequence'))
end

-- What this very call answered when it was made before, if it was.
local function former_answer(call)
  return again and redis.call('GET', key('receipt', call))
end

-- Return an answer, and keep it should the call be made again.
local function receipted(call, answer)
  redis.call('SET', key('receipt', call), answer, 'PX', MINUTE_MS)
  return answer
end

-- Members of the sets of messages.
local function member_of(seq, name) return string.format('%012.0f:%s', seq, name) end
local function name_of(member) return string.sub(member, 14) end
local function itself(member) return member end

-- Have keys expire, unless they are owed.
local function keep(owed, ...)
  for _, name in ipairs({...}) do
    if owed then redis.call('PERSIST', name) else redis.call('PEXPIRE', name, keep_ms) end
  end
end

-- Take the first members out of a set whose records are gone.
local function clean(set, kind, to_name)
  for _, member in ipairs(redis.call('ZRANGE', set, 0, CLEAN_LIMIT - 1)) do
    if redis.call('EXISTS', key(kind, to_name(member))) == 1 then return end
    redis.call('ZREM', set, member)
  end
end

-- A conversation has changed: keep it, for as long as it owes something or else its time.
local function touch(conversation)
  local owed = redis.call('EXISTS', key('unanswered', conversation), key('unsent', conversation)) > 0
  local replies, set_aside = key('replies', conversation), key('set-aside', conversation)
  keep(owed, key('conversation', conversation), replies, set_aside)
  clean(replies, 'reply', itself)
  clean(set_aside, 'inbound', name_of)
end

-- Something was said in a conversation.
local function was_said(conversation)
  local conversations = base .. ':conversations'
  redis.call('ZADD', conversations, digits(now), conversation)
  local silent = redis.call('ZCOUNT', conversations, '-inf', '(' .. digits(now - tonumber(keep_ms)))
  if silent == 0 then return end
  -- Any of the silent ones, so that those that owe something, and stay, do not hide the others for ever.
  local first = now % math.max(1, silent - CLEAN_LIMIT + 1)
  for _, other in ipairs(redis.call('ZRANGE', conversations, first, first + CLEAN_LIMIT - 1)) do
    if redis.call('EXISTS', key('conversation', other)) == 0 then redis.call('ZREM', conversations, other) end
  end
end

-- The members of what waits for an answer, oldest first. Only a server that is allowed to evict keys ever
-- loses a message that does; then nobody waits for it any more.
local function waiting(conversation)
  local set, members = key('unanswered', conversation), {}
  for _, member in ipairs(redis.call('ZRANGE', set, 0, -1)) do
    if redis.call('EXISTS', key('inbound', name_of(member))) == 1 then
      members[#members + 1] = member
    else
      redis.call('ZREM', set, member)
    end
  end
  return members
end

local function is_held(conversation, fence)
  local fields = redis.call('HMGET', key('conversation', conversation), 'holder', 'fence')
  return fields[1] and fields[2] == fence
end

-- Bring a reply into a state, with those fields.
local function move(id, state, ...)
  local reply = key('reply', id)
  redis.call('HSET', reply, 'state', state, ...)
  local fields = redis.call('HMGET', reply, 'conversation', 'seq', 'sid')
  local unsent, owed = key('unsent', fields[1]), state == 'pending' or state == 'sending'
  if owed then redis.call('ZADD', unsent, fields[2], id) else redis.call('ZREM', unsent, id) end
  keep(owed, reply, key('answers', id))
  if fields[3] then keep(owed, key('sid', fields[3])) end
  touch(fields[1])
end
