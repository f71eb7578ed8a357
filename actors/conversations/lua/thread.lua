-- Everything that was said in a conversation, each answered message before its answer, what is unanswered or
-- set aside last. ARGV: again, time, keep, conversation.
-- Returns of each bubble its author, text, time, reply id, Twilio sid and state.

local conversation, bubbles = ARGV[4], {}

local function heard(name, reply_id)
  local fields = redis.call('HMGET', key('inbound', name), 'body', 'received_at', 'message_sid')
  if not fields[1] then return end
  bubbles[#bubbles + 1] = {'contact', fields[1], fields[2], reply_id, fields[3], false}
end

for _, id in ipairs(redis.call('ZRANGE', key('replies', conversation), 0, -1)) do
  for _, name in ipairs(redis.call('LRANGE', key('answers', id), 0, -1)) do heard(name, id) end
  local fields = redis.call('HMGET', key('reply', id), 'body', 'written_at', 'sid', 'state')
  if fields[1] then bubbles[#bubbles + 1] = {'us', fields[1], fields[2], id, fields[3], fields[4]} end
end

local members, received_at = {}, {}
for _, kind in ipairs({'unanswered', 'set-aside'}) do
  local scored = redis.call('ZRANGE', key(kind, conversation), 0, -1, 'WITHSCORES')
  for i = 1, #scored, 2 do
    members[#members + 1] = scored[i]
    received_at[scored[i]] = tonumber(scored[i + 1])
  end
end
table.sort(members, function(a, b)
  if received_at[a] ~= received_at[b] then return received_at[a] < received_at[b] end
  return a < b
end)
for _, member in ipairs(members) do heard(name_of(member), false) end
return bubbles
