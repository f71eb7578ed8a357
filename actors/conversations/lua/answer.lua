-- Write a reply, and mark what it answers. ARGV: again, time, keep, conversation, fence, the reply's id, body,
-- kind, tokens ('' for unknown), and the members of what its turn showed.
-- Returns what show() gives of it, or nothing when the hold was lost.

local conversation, id = ARGV[4], ARGV[6]
local reply = key('reply', id)
if again and redis.call('EXISTS', reply) == 1 then
  although_memory_is_full()
  return show(id)
end
if not is_held(conversation, ARGV[5]) then return false end

local shown, received_at = {}, digits(now)
for i = 10, #ARGV do shown[ARGV[i]] = true end
local members, names = {}, {}
for _, member in ipairs(waiting(conversation)) do
  if shown[member] then
    members[#members + 1] = member
    names[#names + 1] = name_of(member)
  end
end
if #names > 0 then received_at = redis.call('HGET', key('inbound', names[1]), 'received_at') end

local seq = next_in_sequence()
redis.call('HSET', reply, 'conversation', conversation, 'body', ARGV[7], 'kind', ARGV[8],
  'received_at', received_at, 'written_at', digits(now), 'seq', seq)
if ARGV[9] ~= '' then redis.call('HSET', reply, 'tokens', ARGV[9]) end
redis.call('ZADD', key('replies', conversation), seq, id)
for i, name in ipairs(names) do
  redis.call('ZREM', key('unanswered', conversation), members[i])
  redis.call('RPUSH', key('answers', id), name)
  keep(false, key('inbound', name))
end
move(id, 'pending')
was_said(conversation)
return show(id)
