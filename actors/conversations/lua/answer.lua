-- Write the replies to a turn, and mark what they answer. ARGV: again, time, keep, conversation, fence, kind, what
-- the first reply carries ('' for nothing), model, input tokens, tokens, cost and time of the model's call ('' for
-- unknown), what it was asked and the tool calls ('' for nothing), output tokens to count and '1' when they have no
-- price, metadata ('' to leave it), why a person answers from now on ('' to leave that), '1' to do what finish.lua does
-- in the end, how many replies, the id and body of each, and the names of what its turn showed.
-- Returns what show() gives of the first of them, and what finish() returns; or nothing when the hold was lost.

local conversation, kind, model, metadata, hand_over = ARGV[4], ARGV[6], ARGV[8], ARGV[17], ARGV[18]
local replies, first = tonumber(ARGV[20]), ARGV[21]

local function answered()
  return {show(first), ARGV[19] == '1' and finish(conversation, ARGV[5])}
end

if again and redis.call('EXISTS', key('reply', first)) == 1 then
  although_memory_is_full()
  return answered()
end
if not is_held(conversation, ARGV[5]) then return false end

local function id_of(i) return ARGV[19 + 2 * i] end
local function body_of(i) return ARGV[20 + 2 * i] end
local function amount(text) return text == '' and '0' or text end

local shown, received_at = {}, digits(now)
for i = 21 + 2 * replies, #ARGV do shown[ARGV[i]] = true end
local members, names = {}, {}
for _, member in ipairs(waiting(conversation)) do
  if shown[name_of(member)] then
    members[#members + 1] = member
    names[#names + 1] = name_of(member)
  end
end
if #names > 0 then received_at = redis.call('HGET', key('inbound', names[1]), 'received_at') end

for i = 1, replies do
  local seq = next_in_sequence()
  redis.call('HSET', key('reply', id_of(i)), 'conversation', conversation, 'body', body_of(i), 'kind', kind,
    'received_at', received_at, 'written_at', digits(now), 'seq', seq)
  if model ~= '' then redis.call('HSET', key('reply', id_of(i)), 'model', model) end
  redis.call('ZADD', key('replies', conversation), seq, id_of(i))
end
for i, field in pairs({[7] = 'content', [9] = 'input_tokens', [10] = 'tokens', [11] = 'cost', [12] = 'took_ms'}) do
  if ARGV[i] ~= '' then redis.call('HSET', key('reply', first), field, ARGV[i]) end
end
if ARGV[13] ~= '' or ARGV[14] ~= '' then
  redis.call('HSET', key('model-call', first), 'prompt', ARGV[13], 'tool_calls', ARGV[14])
end
if model ~= '' then
  count(conversation, model, 'input_tokens', amount(ARGV[9]), 'output_tokens', amount(ARGV[15]), 'model_cost',
    amount(ARGV[11]), 'unpriced', ARGV[16])
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
for i = 1, replies do move(id_of(i), kind == 'silence' and 'cancelled' or 'pending') end
was_said(conversation)
return answered()
