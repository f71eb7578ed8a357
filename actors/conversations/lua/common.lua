-- What every script of the conversations begins with, after base.lua: the keys, and the few steps that several
-- scripts share. ARGV[2] is the time, where it is not the server's, and ARGV[3] how long to keep things, in
-- milliseconds.
--
--   {ns}:conversation:<key>  hash    channel, account_sid, contact, address, created_at; metadata: the responder's
--                                    own, as JSON; name: the contact's; heard_at: when the contact last wrote;
--                                    mode, mode_reason, mode_at: who answers, why, and when a person
--                                    last took part; fence: of the last hold; holder: the queue message on whose
--                                    behalf it is held, while it is
--   {ns}:inbound:<name>      hash    a message from a contact, named <account sid>.<message sid>:
--                                    conversation, message_sid, body, payload (all that the channel
--                                    sent, as JSON), received_at, seq; stored_by: the call that did
--   {ns}:unanswered:<key>    zset    what waits for an answer. Score: received_at. Member: <seq>:<name>, the
--                                    digits padded, so that equal times keep their order
--   {ns}:set-aside:<key>     zset    the same of what could not be answered; a person has its dead letter
--   {ns}:reply:<id>          hash    conversation, body, kind, tokens, state, received_at (of the oldest
--                                    message it answers), written_at, sending_at, sent_at, sid,
--                                    delivery_status, delivery_rank, error, seq; written_by: the person who
--                                    wrote it; content: media and template, as JSON;
--                                    times_sent_again; segments: as the channel counts them; model and
--                                    input_tokens: what was paid for; begun_by: the call that began to send it; attempt: the caller's name for that
--   {ns}:answers:<id>        list    the names of what it answers, oldest first
--   {ns}:replies:<key>       zset    a conversation's replies. Score: seq. Member: id
--   {ns}:unsent:<key>        zset    the same of those that are owed, see actors/reply.py
--   {ns}:sid:<sid>           string  the id of the reply that is this message of the channel's
--   {ns}:attention           zset    what a person has to decide about. Score: when it was said. Member: 'reply:' and
--                                    an id, or 'inbound:' and a name
--   {ns}:addresses           set     our addresses: account, address and channel, with bars between
--   {ns}:pace:<sender>       string  when it may send again
--   {ns}:conversations       zset    Score: when something was last said. Member: key
--   {ns}:with-person         zset    the same of those that a person answers
--   {ns}:notices:<receiver>  zset    the events that a receiver is still to be told of. Score: when. Member: event id
--   {ns}:notice:<receiver>:<event id>
--                            hash    content: what to tell, as JSON; waits: '1' for not in quiet hours; taken_by,
--                                    taken_until: the queue message that tells it, and how long it may; told_at
--   {ns}:notices-told:<receiver>
--                            zset    the notices of the last hour. Member and score: when
--   {ns}:notice-receiver:<receiver>
--                            hash    not_before, failures: when to try again one that refused, and how often it did
--   {ns}:opt-outs            zset    the opt-outs of conversations that were erased. Score: when that was. Member: the
--                                    digest that opt_out_digest of actors/keys.py makes of the conversation's key
--   {ns}:housekeeping        string  the call that saw to what is old, until another process may do so
--   {ns}:receipt:<call>, {ns}:repeated, {ns}:sequence: see base.lua. The sequence counts messages, replies, holds
--
-- Unanswered messages, unsent replies and their conversation do not expire, nor does the conversation's hash of a
-- contact who has opted out. Every other key expires when nothing has changed it for as long as things are kept;
-- keep_house.lua puts that off for conversations that a person answers. So a set may name keys that are gone.

-- How many members a script looks at to clean a set up, whatever its own work is.
local CLEAN_LIMIT = 20

local keep_ms = ARGV[3]
local now = clock(ARGV[2])

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
  local about = key('conversation', conversation)
  local replies, set_aside = key('replies', conversation), key('set-aside', conversation)
  keep(owed or redis.call('HGET', about, 'mode') == 'nobody', about)
  keep(owed, replies, set_aside)
  clean(replies, 'reply', itself)
  clean(set_aside, 'inbound', name_of)
end

-- Decide who answers in a conversation, and why.
local function set_mode(conversation, mode, reason)
  local with_person = base .. ':with-person'
  redis.call('HSET', key('conversation', conversation), 'mode', mode, 'mode_reason', reason, 'mode_at', digits(now))
  if mode == 'person' then
    local last_at = redis.call('ZSCORE', base .. ':conversations', conversation) or digits(now)
    redis.call('ZADD', with_person, last_at, conversation)
  else
    redis.call('ZREM', with_person, conversation)
  end
  clean(with_person, 'conversation', itself)
end

-- Note an address of ours.
local function own_address(account, address, channel)
  redis.call('SADD', base .. ':addresses', account .. '|' .. address .. '|' .. channel)
  keep(false, base .. ':addresses')
end

-- Something was said in a conversation.
local function was_said(conversation)
  local conversations = base .. ':conversations'
  redis.call('ZADD', conversations, digits(now), conversation)
  redis.call('ZADD', base .. ':with-person', 'XX', digits(now), conversation)
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

-- Note that a person has to decide about something that was said at that time; or, without a time, no more.
local function attention(member, at)
  local set = base .. ':attention'
  if at then redis.call('ZADD', set, at, member) else redis.call('ZREM', set, member) end
  redis.call('ZREMRANGEBYSCORE', set, '-inf', '(' .. digits(now - tonumber(keep_ms)))
  keep(false, set)
end

-- Bring a reply into a state, with those fields.
local function move(id, state, ...)
  local reply = key('reply', id)
  redis.call('HSET', reply, 'state', state, ...)
  local fields = redis.call('HMGET', reply, 'conversation', 'seq', 'sid', 'written_at', 'seen_by')
  attention('reply:' .. id, WANTS_ATTENTION[state] and not fields[5] and fields[4])
  local unsent, owed = key('unsent', fields[1]), OWED[state]
  if owed then redis.call('ZADD', unsent, fields[2], id) else redis.call('ZREM', unsent, id) end
  keep(owed, reply, key('answers', id))
  if fields[3] then keep(owed, key('sid', fields[3])) end
  touch(fields[1])
end
