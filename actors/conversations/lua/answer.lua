-- Write the replies to a turn, and mark what they answer. ARGV: again, time, keep, conversation, fence, kind, what
-- the first reply carries ('' for nothing), model, input tokens and tokens ('' for unknown), metadata ('' to leave it),
-- why a person answers from now on ('' to leave that), how many replies, the id and body of each, and the names of
-- what its turn showed.
-- Returns what show() gives of the first of them, or nothing when the hold was lost.

local conversation, kind, metadata, hand_over = ARGV[4], ARGV[6], ARGV[11], ARGV[12]
local count, first = tonumber(ARGV[13]), ARGV[14]
if again and redis.call('EXISTS', key('reply', first)) == 1 then
  although_memory_is_full()
  return show(first)
end
if not is_held(conversation, ARGV[5]) then return false end

local shown, received_at = {}, digits(now)
for i = 14 + 2 * count, #ARGV do shown[ARGV[i]] = true end
local members, names = {}, {}
for _, member in ipairs(waiting(conversation)) do
  if shown[name_of(member)] then
    members[#members + 1] = member
    names[#names + 1] = name_of(member)
  end
end
if #names > 0 then received_at = redis.call('HGET', key('inbound', names[1]), 'received_at') end

for i = 1, count do
  local id, seq = ARGV[12 + 2 * i], next_in_sequence()
  redis.call('HSET', key('reply', id), 'conversation', conversation, 'body', ARGV[13 + 2 * i], 'kind', kind,
    'received_at', received_at, 'written_at', digits(now), 'seq', seq)
  redis.call('ZADD', key('replies', conversation), seq, id)
end
for i, field in ipairs({'content', 'model', 'input_tokens', 'tokens'}) do
  if ARGV[6 + i] ~= '' then redis.call('HSET', key('reply', first), field, ARGV[6 + i]) end
end
if metadata ~= '' then redis.call('HSET', key('conversation', conversation), 'metadata', metadata) end
if hand_over ~= '' and redis.call('HGET', key('conversation', conversation), 'mode') ~= 'nobody' then
  set_mode(conversation, 'person', hand_over)
end
for i, name in ipairs(names) do
  redis.call('ZREM', key('unanswered', conversation), members[i])
  redis.call('RPUSH', key('answers', first), name)
  keep(false, key('inbound', name))
end
for i = 1, count do move(ARGV[12 + 2 * i], kind == 'silence' and 'cancelled' or 'pending') end
was_said(conversation)
return show(first)
