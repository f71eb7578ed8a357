-- For scripts that hear that a reply was sent. What the channel told of the delivery before was about another sending.

-- Have the channel asked how the delivery goes on, should it not tell. A reply that no process looks at leaves the set
-- after a while.
local function open(id)
  local set = base .. ':open'
  redis.call('ZADD', set, digits(now), id)
  redis.call('ZREMRANGEBYSCORE', set, '-inf', '(' .. digits(now - LONGEST_OPEN_MS))
  keep(false, set)
end

local function become_sent(id, sid, known_sid)
  local reply = key('reply', id)
  if known_sid ~= sid then redis.call('HDEL', reply, 'delivery_status', 'delivery_rank') end
  redis.call('SET', key('sid', sid), id)
  redis.call('HDEL', reply, 'error')
  open(id)
  move(id, 'sent', 'sid', sid, 'sent_at', digits(now))
end

-- A reply was sent, in so many segments ('' for unknown) at that cost. It is counted once for each of the channel's
-- ids of it: a callback may tell of the sending before the call's own answer, which knows the segments, and which then
-- changes nothing else: the channel may have told by then that it could not deliver the reply.
local function was_sent(id, sid, segments, cost)
  local reply = key('reply', id)
  local fields = redis.call('HMGET', reply, 'state', 'sid', 'conversation', 'model', 'counted_as', 'segments')
  local state, counted_as = fields[1], fields[5]
  if not state then return end
  local changes = FOLLOWS.sent[state] and counted_as ~= sid
  if changes then become_sent(id, sid, fields[2]) end
  local is_new = not counted_as or changes
  if not is_new and not (counted_as == sid and not fields[6] and segments ~= '') then return end
  redis.call('HSET', reply, 'counted_as', sid)
  if segments ~= '' then redis.call('HSET', reply, 'segments', segments) else redis.call('HDEL', reply, 'segments') end
  count(fields[3], fields[4] or '', 'replies', is_new and '1' or '0', 'segments', segments ~= '' and segments or '0',
    'channel_cost', cost)
end
