-- Delete a conversation, or a part of it when there is much. ARGV: again, time, keep, conversation, how many replies and
-- messages at most, and the digest by which it is remembered that the contact has opted out.
-- Returns 1 when something is left, else 0; and how many conversations, messages and replies were deleted.

although_memory_is_full()
local conversation, limit, digest = ARGV[4], tonumber(ARGV[5]), ARGV[6]
local about, replies = key('conversation', conversation), key('replies', conversation)
local messages_gone, replies_gone = 0, 0

local function erase_message(name)
  messages_gone = messages_gone + redis.call('UNLINK', key('inbound', name))
  attention('inbound:' .. name)
end

local ids = redis.call('ZRANGE', replies, 0, limit - 1)
for _, id in ipairs(ids) do
  for _, name in ipairs(redis.call('LRANGE', key('answers', id), 0, -1)) do erase_message(name) end
  local sid = redis.call('HGET', key('reply', id), 'sid')
  if sid and redis.call('GET', key('sid', sid)) == id then redis.call('UNLINK', key('sid', sid)) end
  replies_gone = replies_gone + redis.call('UNLINK', key('reply', id))
  redis.call('UNLINK', key('answers', id), key('model-call', id))
  redis.call('ZREM', replies, id)
  redis.call('ZREM', base .. ':open', id)
  attention('reply:' .. id)
  redis.call('ZREM', key('unsent', conversation), id)
end
local is_left = #ids == limit
for _, kind in ipairs({'unanswered', 'set-aside'}) do
  local set = key(kind, conversation)
  local members = redis.call('ZRANGE', set, 0, limit - 1)
  for _, member in ipairs(members) do
    erase_message(name_of(member))
    redis.call('ZREM', set, member)
  end
  is_left = is_left or #members == limit
end
if is_left then return {1, 0, messages_gone, replies_gone} end

if redis.call('HGET', about, 'mode') == 'nobody' then
  redis.call('ZADD', base .. ':opt-outs', 'NX', digits(now), digest)
  local other = redis.call('HGET', about, 'contact_digest')
  if other then redis.call('ZADD', base .. ':opt-outs', 'NX', digits(now), other) end
end
local named = redis.call('HMGET', about, 'account_sid', 'address', 'contact_id')
if named[3] then redis.call('UNLINK', by_contact_id(named[1], named[2], named[3])) end
redis.call('UNLINK', key('unsent', conversation), key('usage-of', conversation))
redis.call('ZREM', base .. ':usage-contacts', conversation)
redis.call('ZREM', base .. ':conversations', conversation)
redis.call('ZREM', base .. ':with-person', conversation)
redis.call('ZREM', base .. ':with-nobody', conversation)
redis.call('ZREM', base .. ':unread', conversation)
redis.call('UNLINK', key('notes', conversation))
return {0, redis.call('UNLINK', about), messages_gone, replies_gone}
