-- Note down something about a contact, once. ARGV: again, time, keep, conversation, the note's id, its text, and who
-- writes it. Returns 1, or 0 when there is no such conversation.

local conversation = ARGV[4]
if redis.call('EXISTS', key('conversation', conversation)) == 0 then return 0 end
local note = cjson.encode({text = ARGV[6], written_by = ARGV[7], written_at = digits(now), seq = next_in_sequence()})
redis.call('HSETNX', key('notes', conversation), ARGV[5], note)
touch(conversation)
return 1
