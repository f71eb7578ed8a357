-- Find conversations, latest first. ARGV: again, time, keep, how many to pass over, how many to look at, and a
-- part of the contact's address, '' for all.
-- Returns how many were looked at, and the key of each that matches.

local first, text = tonumber(ARGV[4]), ARGV[6]
local page = redis.call('ZREVRANGE', base .. ':conversations', first, first + ARGV[5] - 1)
local answer = {#page}
for _, conversation in ipairs(page) do
  local contact = redis.call('HGET', key('conversation', conversation), 'contact')
  if contact and string.find(contact, text, 1, true) then answer[#answer + 1] = conversation end
end
return answer
