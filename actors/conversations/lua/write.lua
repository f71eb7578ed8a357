-- Write a reply outside of a turn, once. ARGV: again, time, keep, conversation, the reply's id, its text, kind, the
-- person who wrote it ('' for none), the name of the message that it answers ('' for none), and what it carries beside
-- its text ('' for nothing).
-- Returns what show() gives of it, or nothing when there is no such conversation.

local conversation, id, kind, written_by, answers = ARGV[4], ARGV[5], ARGV[7], ARGV[8], ARGV[9]
local about = key('conversation', conversation)
if redis.call('EXISTS', about) == 0 or redis.call('EXISTS', key('reply', id)) == 1 then return show(id) end

local member
for _, each in ipairs(answers == '' and {} or waiting(conversation)) do
  if name_of(each) == answers then member = each end
end
local received_at = member and redis.call('HGET', key('inbound', answers), 'received_at') or digits(now)
local seq = next_in_sequence()
redis.call('HSET', key('reply', id), 'conversation', conversation, 'body', ARGV[6], 'kind', kind,
  'received_at', received_at, 'written_at', digits(now), 'seq', seq)
redis.call('ZADD', key('replies', conversation), seq, id)
if written_by ~= '' then
  redis.call('HSET', key('reply', id), 'written_by', written_by)
  redis.call('HSET', about, 'mode_at', digits(now))
end
if ARGV[10] ~= '' then redis.call('HSET', key('reply', id), 'content', ARGV[10]) end
if member then
  redis.call('ZREM', key('unanswered', conversation), member)
  redis.call('RPUSH', key('answers', id), answers)
  keep(false, key('inbound', answers))
end
move(id, kind == 'silence' and 'cancelled' or 'pending')
was_said(conversation)
return show(id)
