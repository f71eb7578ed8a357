-- All that is stored of a conversation. ARGV: again, time, keep, conversation.
-- Returns nothing, or what is known of the conversation, its messages, its replies and what was used in it,
-- each with its fields in order, since which day that counts, and what operators noted.

local conversation = ARGV[4]
local about = redis.call('HMGET', key('conversation', conversation), 'account_sid', 'address', 'contact', 'channel',
  'mode', 'mode_reason', 'mode_at', 'created_at', 'metadata', 'name', 'contact_id', 'writes_from')
if not about[1] then return false end
about[13] = redis.call('ZSCORE', base .. ':conversations', conversation)

local messages, replies = {}, {}
local function heard(name, reply_id, aside)
  local fields = redis.call('HMGET', key('inbound', name), 'message_sid', 'body', 'payload', 'received_at', 'seq')
  if fields[1] then
    messages[#messages + 1] = {name, fields[1], fields[2], fields[3], fields[4], reply_id, aside, fields[5]}
  end
end

for _, id in ipairs(redis.call('ZRANGE', key('replies', conversation), 0, -1)) do
  local fields = redis.call('HMGET', key('reply', id), 'body', 'kind', 'state', 'tokens', 'received_at', 'written_at',
    'sending_at', 'sent_at', 'sid', 'delivery_status', 'error', 'written_by', 'content', 'model', 'input_tokens',
    'segments', 'cost', 'took_ms')
  if fields[1] then
    local call = redis.call('HMGET', key('model-call', id), 'prompt', 'tool_calls')
    fields[19], fields[20] = call[1] or '', call[2] or ''
    table.insert(fields, 1, id)
    replies[#replies + 1] = fields
  end
  for _, name in ipairs(redis.call('LRANGE', key('answers', id), 0, -1)) do heard(name, id, '0') end
end
for _, member in ipairs(redis.call('ZRANGE', key('set-aside', conversation), 0, -1)) do
  heard(name_of(member), false, '1')
end
for _, member in ipairs(redis.call('ZRANGE', key('unanswered', conversation), 0, -1)) do
  heard(name_of(member), false, '0')
end
return {about, messages, replies, redis.call('HGETALL', key('usage-of', conversation)), digits(first_kept_day()),
  redis.call('HGETALL', key('notes', conversation))}
