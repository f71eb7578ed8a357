-- Count what the assistant wrote. ARGV: again, time, keep, conversation, and since when.
-- Returns how many answers, of the latest thousand replies, and how many tokens they cost.

local since, answers, tokens = tonumber(ARGV[5]), 0, 0
for _, id in ipairs(redis.call('ZREVRANGE', key('replies', ARGV[4]), 0, 999)) do
  local reply = redis.call('HMGET', key('reply', id), 'written_at', 'kind', 'tokens')
  if reply[1] and tonumber(reply[1]) < since then break end
  if reply[2] == 'answer' or reply[2] == 'hand_over' then
    answers = answers + 1
    tokens = tokens + (tonumber(reply[3] or 0) or 0)
  end
end
return {answers, tokens}
