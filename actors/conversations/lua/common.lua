-- What every script of the conversations begins with, after base.lua: the keys, and the few steps that several
-- scripts share. ARGV[2] is the time, where it is not the server's, and ARGV[3] how long to keep things, in
-- milliseconds.
--
--   {ns}:conversation:<key>  hash    channel, account_sid, contact, address, created_at; contact_id: the channel's id of the
--                                    contact; contact_digest: by which an opt-out is remembered for that;
--                                    writes_from: the contact now, where not from `contact`; metadata: the responder's
--                                    own, as JSON; name: the contact's; called: the same as it is searched for; heard_at: when the contact last wrote;
--                                    mode, mode_reason, mode_at: who answers, why, and when a person
--                                    last took part; fence: of the last hold; holder: the queue message on whose
--                                    behalf it is held, while it is
--   {ns}:contact-id:<account>|<address>|<contact_id>
--                            string  the key of the conversation
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
--                                    input_tokens: what was paid for, cost: in millionths of the currency;
--                                    took_ms: from asking the model to its answer; counted_as: the sid under
--                                    which its sending was counted, '' where a person knows of it; begun_by:
--                                    the call that began to send it; attempt: the caller's name for that
--   {ns}:model-call:<id>     hash    prompt: what the model was asked; tool_calls: as JSON
--   {ns}:answers:<id>        list    the names of what it answers, oldest first
--   {ns}:replies:<key>       zset    a conversation's replies. Score: seq. Member: id
--   {ns}:unsent:<key>        zset    the same of those that are owed, see actors/reply.py
--   {ns}:sid:<sid>           string  the id of the reply that is this message of the channel's
--   {ns}:open                zset    the replies of whose delivery no end is known (delivery_checks.py). Score: since when,
--                                    later by the time from the first look at it to the next one. Member: id
--   {ns}:delivery-check      string  the call that asks the channel about them, until another process may do so
--   {ns}:attention           zset    what a person has to decide about. Score: when it was said. Member: 'reply:' and
--                                    an id, or 'inbound:' and a name
--   {ns}:addresses           set     our addresses: account, address and channel, with bars between
--   {ns}:pace:<sender>       string  when it may send again
--   {ns}:paced:<sender>      string  when its last turn was taken
--   {ns}:calls:              zset    the calls of the model in flight, of all workers. Score: when a call's lease ends.
--                                    Member: the holder, a queue message's id
--   {ns}:calls-of:           hash    the address of ours that each of them is for. Field: the holder
--   {ns}:calls-wanted:, {ns}:calls-wanted-since:
--                            zset    our addresses that wait for a call. Score: until when, and since when, that counts
--   {ns}:calls-paused:       string  until when the model takes no call
--   {ns}:conversations       zset    Score: when something was last said. Member: key
--   {ns}:with-person         zset    the same of those that a person answers
--   {ns}:with-nobody         zset    the same of those that nobody answers
--   {ns}:with-nobody-is-whole
--                            string  there once index_nobody.lua has looked at what an earlier version stored: before,
--                                    {ns}:with-nobody lacks some
--   {ns}:unread              zset    the same of those in which the contact wrote what no operator has seen
--   {ns}:notes:<key>         hash    what operators noted about the contact. Field: id. Value: text, written_by and
--                                    written_at, as JSON
--   {ns}:notices:<receiver>  zset    the events that a receiver is still to be told of. Score: when. Member: event id
--   {ns}:notice:<receiver>:<event id>
--                            hash    content: what to tell, as JSON; waits: '1' for not in quiet hours; taken_by,
--                                    taken_until: the queue message that tells it, and how long it may; told_at
--   {ns}:notices-told:<receiver>
--                            zset    the notices of the last hour. Member and score: when
--   {ns}:notice-receiver:<receiver>
--                            hash    not_before, failures: when to try again one that refused, and how often it did
--   {ns}:whose:<account>|<address>|<id>
--                            string  where there are several stores: which conversation, of any of them, is that with a
--                                    contact whom the channel knows by this id
--   {ns}:opt-outs            zset    the opt-outs of conversations that were erased. Score: when that was. Member: the
--                                    digest that opt_out_digest of actors/keys.py makes of the conversation's key
--   {ns}:usage:<day>         hash    what was used on a day, which is in days since the epoch. Field: a sum's name, our
--                                    address and the model, with bars between
--   {ns}:usage-of:<key>      hash    the same of a conversation. Field: the day and a sum's name, likewise
--   {ns}:usage-contacts      zset    Score: the last day on which something was used. Member: key
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

-- Where the conversation with a contact is found whose address may change.
local function by_contact_id(account, address, id) return key('contact-id', account .. '|' .. address .. '|' .. id) end

-- A conversation has changed: keep it, for as long as it owes something or else its time.
local function touch(conversation)
  local owed = redis.call('EXISTS', key('unanswered', conversation), key('unsent', conversation)) > 0
  local about = key('conversation', conversation)
  local replies, set_aside = key('replies', conversation), key('set-aside', conversation)
  local fields = redis.call('HMGET', about, 'mode', 'contact_id', 'account_sid', 'address')
  keep(owed or fields[1] == 'nobody', about)
  if fields[2] then keep(owed or fields[1] == 'nobody', by_contact_id(fields[3], fields[4], fields[2])) end
  keep(owed, replies, set_aside, key('notes', conversation))
  clean(replies, 'reply', itself)
  clean(set_aside, 'inbound', name_of)
end

-- Decide who answers in a conversation, and why.
local function set_mode(conversation, mode, reason)
  redis.call('HSET', key('conversation', conversation), 'mode', mode, 'mode_reason', reason, 'mode_at', digits(now))
  for _, who in ipairs({'person', 'nobody'}) do
    local set = base .. ':with-' .. who
    if mode == who then
      local last_at = redis.call('ZSCORE', base .. ':conversations', conversation) or digits(now)
      redis.call('ZADD', set, last_at, conversation)
    else
      redis.call('ZREM', set, conversation)
    end
    clean(set, 'conversation', itself)
  end
end

-- Note an address of ours.
local function own_address(account, address, channel)
  redis.call('SADD', base .. ':addresses', account .. '|' .. address .. '|' .. channel)
  keep(false, base .. ':addresses')
end

-- Have a conversation. In a new one nobody answers whose contact opted out of one that was erased.
local function know(conversation, account, address, contact, channel, digest, reason)
  local about = key('conversation', conversation)
  if redis.call('HSETNX', about, 'created_at', digits(now)) == 0 then return false end
  redis.call('HSET', about, 'account_sid', account, 'address', address, 'contact', contact, 'channel', channel)
  if redis.call('ZSCORE', base .. ':opt-outs', digest) then set_mode(conversation, 'nobody', reason) end
  return true
end

-- Something was said in a conversation.
local function was_said(conversation)
  local conversations = base .. ':conversations'
  redis.call('ZADD', conversations, digits(now), conversation)
  redis.call('ZADD', base .. ':with-person', 'XX', digits(now), conversation)
  redis.call('ZADD', base .. ':with-nobody', 'XX', digits(now), conversation)
  redis.call('ZADD', base .. ':unread', 'XX', digits(now), conversation)
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

-- Bring a reply into a state, with those fields. A dismissal (seen_by) holds for the state in which it was made: a
-- person is shown the next trouble of the same reply.
local function move(id, state, ...)
  local reply = key('reply', id)
  if redis.call('HGET', reply, 'state') ~= state then redis.call('HDEL', reply, 'seen_by') end
  redis.call('HSET', reply, 'state', state, ...)
  local fields = redis.call('HMGET', reply, 'conversation', 'seq', 'sid', 'written_at', 'seen_by')
  attention('reply:' .. id, WANTS_ATTENTION[state] and not fields[5] and fields[4])
  local unsent, owed = key('unsent', fields[1]), OWED[state]
  if owed then redis.call('ZADD', unsent, fields[2], id) else redis.call('ZREM', unsent, id) end
  keep(owed, reply, key('answers', id), key('model-call', id))
  if fields[3] then keep(owed, key('sid', fields[3])) end
  touch(fields[1])
end
