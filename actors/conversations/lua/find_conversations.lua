-- Find conversations, latest first. ARGV: again, time, keep, how many to pass over, how many to look at, a part of
-- the contact's address, '' for all, and who answers in them, '' for all.
-- Returns how many were looked at, and the key of each that matches.

local first, text, mode = tonumber(ARGV[4]), ARGV[6], ARGV[7]
local all = mode == 'person' and ':with-person' or ':conversations'
local page = redis.call('ZREVRANGE', base .. all, first, first + ARGV[5] - 1)
local answer = {#page}
for _, conversation in ipairs(page) do
  local about = redis.call('HMGET', key('conversation', conversation), 'contact', 'mode')
  local is_meant = mode == '' or mode == (about[2] or 'assistant')
  if about[1] and is_meant and string.find(about[1], text, 1, true) then answer[#answer + 1] = conversation end
end
return answer
