-- What was said in a conversation, each answered message before its answer, what is unanswered or set aside
-- last. ARGV: again, time, keep, conversation, and how much of its end, '' for all of it.
-- Returns of each bubble its author, text, time, reply id, message id, the channel's id, state, delivery status, error, which
-- person wrote it, what it carries beside its text, which model wrote it, and '1' when it was set aside.

local conversation, limit = ARGV[4], tonumber(ARGV[5]) or math.huge
local newest_first = {}

local function add(bubble)
  if #newest_first < limit then newest_first[#newest_first + 1] = bubble end
end

local function heard(name, reply_id, aside)
  local fields = redis.call('HMGET', key('inbound', name), 'body', 'received_at', 'message_sid')
  if not fields[1] then return end
  add({'contact', fields[1], fields[2], reply_id, name, fields[3], false, false, false, false, false, false, aside})
end

local members, received_at, aside = {}, {}, {}
for _, kind in ipairs({'unanswered', 'set-aside'}) do
  local scored = redis.call('ZRANGE', key(kind, conversation), 0, -1, 'WITHSCORES')
  for i = 1, #scored, 2 do
    members[#members + 1] = scored[i]
    received_at[scored[i]] = tonumber(scored[i + 1])
    aside[scored[i]] = kind == 'set-aside' and '1'
  end
end
table.sort(members, function(a, b)
  if received_at[a] ~= received_at[b] then return received_at[a] > received_at[b] end
  return a > b
end)
for _, member in ipairs(members) do heard(name_of(member), false, aside[member]) end

for _, id in ipairs(redis.call('ZREVRANGE', key('replies', conversation), 0, -1)) do
  if #newest_first >= limit then break end
  local fields = redis.call('HMGET', key('reply', id), 'body', 'written_at', 'sid', 'state',
    'delivery_status', 'error', 'written_by', 'content', 'model')
  if fields[1] then
    add({'us', fields[1], fields[2], id, false, fields[3], fields[4], fields[5], fields[6], fields[7],
      fields[8], fields[9], false})
  end
  local names = redis.call('LRANGE', key('answers', id), 0, -1)
  for i = #names, 1, -1 do heard(names[i], id, false) end
end

local bubbles = {}
for i = #newest_first, 1, -1 do bubbles[#bubbles + 1] = newest_first[i] end
return bubbles
